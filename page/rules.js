// What the rules fix, for the board and the game alike. Columns are numbered 0 to 6
// from the left, rows 0 to 5 from the bottom.

export const COLUMNS = 7;
export const ROWS = 6;

export const PLAYER1 = "red";
export const PLAYER2 = "yellow";
