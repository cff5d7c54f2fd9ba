// What the rules of the game say of the board, and who plays. Columns are numbered 0
// to 6 from the left, rows 0 to 5 from the bottom, as on the wire.

export const PLAYER1 = "red";
export const PLAYER2 = "yellow";
export const PLAYERS = [PLAYER1, PLAYER2];

export const COLUMNS = 7;
export const ROWS = 6;

export function opponent(player) {
  return player === PLAYER1 ? PLAYER2 : PLAYER1;
}
