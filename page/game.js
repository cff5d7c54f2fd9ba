// What the page knows of a match, and the facts that follow from it. Events go in, facts
// come out: no network here, no words, and no elements of the page.

import { COLUMNS, PLAYER1, PLAYERS, ROWS, opponent } from "./rules.js";

// The server says by this sentence that a key leads nowhere (see app.py).
const GAME_NOT_FOUND = "Game not found.";

// The state of a page that has not heard from the server yet.
export const INITIAL_STATE = {
  connection: "connecting", // "open" when all below is known, "unreachable" if nothing
  //   ever was, or "reconnecting", "stopped" or "closed" (see connection.js)
  player: null, // who plays here: "red", "yellow", or null for a spectator
  keys: null, // { rejoin, watch, code, host } from the server
  first: PLAYER1, // who moves first
  wins: { red: 0, yellow: 0 }, // how many games each has won before this one
  moves: [], // [{ player, column, row }] in the order of play
  shown: null, // how many of the moves are shown; null for all, as they come
  winner: null,
  drawn: false,
  rematch: [], // the players who asked for one
  players: [], // those who are here
  open: [], // the seats that are free for whoever has the code
  here: [], // those who have been here at any time
  left: {}, // when a player has left while we looked, in milliseconds since 1970
  spectators: 0,
  partner: null, // the code of who else waits on this network
  sent: null, // { column, number }: our move that the server hasn't told yet
  isAsking: false, // whether it hasn't answered our request for a rematch yet
  event: null, // the last event that is news: a move, who came, and the like
  note: "", // what went wrong, or right, apart from the game
  hint: "", // the same, where one can see it anyway
  error: null, // { message, watch }: the last error on this connection
  problem: null, // { message, watch }: why there is no game here
  typed: "", // the code with which somebody came here, if it's one
  hasSeat: false, // whether the browser knows a seat at some match
  isOurs: false, // whether the seat that is taken is ours, in another tab
  isInviting: false, // whether the invitation is opened in play
  side: "join", // which link the invitation shows: "join" or "watch"
  past: null, // the state as far as a new connection has told it
};

// Return the state after an event from the server, at a time in milliseconds.
export function update(state, event, now = Date.now()) {
  if (event.type === "init") {
    // All that has happened follows, and "presence" is the end of it. Until then the
    // page shows what it has shown before.
    const past = { ...state, connection: "connecting", error: null, problem: null };
    return { ...state, past: apply(past, event, now) };
  }
  if (state.past === null) {
    return apply(state, event, now);
  }
  const past = apply(state.past, event, now);
  return event.type === "presence"
    ? comeBack(state, past)
    : { ...state, error: past.error, past };
}

// Return the state after a change of the connection's state.
export function updateConnection(state, connection) {
  const cleared = { ...state, isAsking: false, note: "", hint: "", past: null };
  switch (connection) {
    case "open":
      return { ...state, error: null };
    case "closed":
      // An error has told why. When the server closes otherwise, a new connection may
      // do better.
      return { ...cleared, connection, problem: state.error ?? { message: "" } };
    case "reconnecting":
      return { ...cleared, connection: state.keys ? connection : "unreachable" };
    default:
      return { ...cleared, connection, problem: null };
  }
}

function apply(state, event, now) {
  const isNews = state.connection === "open";
  const news = isNews ? { event, note: "", hint: "", error: null } : {};
  switch (event.type) {
    case "init": {
      const { player, rejoin, watch, code, host } = event;
      return { ...state, player, keys: { rejoin, watch, code, host }, partner: null };
    }
    case "start":
      return {
        ...state,
        ...news,
        first: event.player,
        wins: event.wins,
        moves: [],
        shown: null,
        winner: null,
        drawn: false,
        rematch: [],
        isAsking: false,
        // It takes two to begin another one.
        here: isNews ? PLAYERS : state.here,
      };
    case "play": {
      const { player, column, row } = event;
      const moves = [...state.moves, { player, column, row }];
      return { ...state, ...news, moves, sent: isNews ? null : state.sent };
    }
    case "win":
      return { ...state, ...news, winner: event.player };
    case "draw":
      return { ...state, ...news, drawn: true };
    case "rematch": {
      const rematch = [...state.rematch, event.player];
      const isAsking = state.isAsking && event.player !== state.player;
      return { ...state, ...news, rematch, isAsking };
    }
    case "presence": {
      const { players, open, spectators } = event;
      const came = players.filter((player) => !state.players.includes(player));
      const gone = state.players.filter((player) => !players.includes(player));
      const left = { ...state.left };
      came.forEach((player) => delete left[player]);
      gone.forEach((player) => (left[player] = isNews ? now : -Infinity));
      return {
        ...state,
        ...(isNews && describeComing(state, came, gone)),
        note: came.length > 0 ? "" : state.note,
        players,
        open,
        spectators,
        left,
        // The last free seat is taken: nobody is invited any more.
        isInviting: state.isInviting && !(state.open.length > 0 && open.length === 0),
        here: [...new Set([...state.here, ...players])],
        // Who opens a seat forgets what was asked for there.
        rematch: state.rematch.filter((player) => !open.includes(player)),
      };
    }
    case "waiting":
      return { ...state, partner: event.code };
    case "error": {
      const { message, watch } = event;
      const sent = isNews ? null : state.sent;
      return { ...state, sent, isAsking: false, note: message, error: { message, watch } };
    }
    default:
      return state;
  }
}

// Return what is new when players have come or gone: an event of our own.
function describeComing(state, came, gone) {
  if (came.length > 0) {
    const [player] = came;
    // Who takes a seat that was free may be somebody else.
    const isBack = !state.open.includes(player) && wasHere(state, player);
    return { event: { type: "come", player, isBack } };
  }
  return gone.length > 0 ? { event: { type: "gone", player: gone[0] } } : {};
}

// Return the state when a new connection has told all, given the one before.
function comeBack(before, past) {
  const state = { ...past, connection: "open", past: null, note: "", hint: "" };
  const isSame = before.keys?.watch === state.keys.watch;
  const isOurs = isSame && before.player === state.player;
  // Who looks back goes on with that, unless another game has begun.
  const isContinued =
    isSame && before.moves.every((move, number) => isEqual(move, state.moves[number]));
  state.shown = isOurs && isContinued ? before.shown : null;
  state.event = isOurs
    ? findMissed(before, state, isContinued)
    : { type: "init", player: state.player };
  state.here = isSame ? state.here : state.players;
  if (state.sent !== null && !(isOurs && canSend(state))) {
    // It has arrived, or it's too late for it.
    const hasArrived = isEqual(state.moves[state.sent.number], ghost(before));
    state.note = hasArrived ? "" : "Your move came too late.";
    state.sent = null;
  }
  return state;
}

// Return the last of what has happened while the connection was lost: an event, or null.
function findMissed(before, { moves }, isContinued) {
  if (!isContinued) {
    return { type: "start" };
  }
  return moves.length > before.moves.length ? { type: "play", ...moves.at(-1) } : null;
}

function isEqual(move, other) {
  return ["player", "column", "row"].every((name) => move?.[name] === other?.[name]);
}

// Return whether a move that is on its way is one that can still be made.
function canSend({ sent, moves, player, first, winner }) {
  const { column, number } = sent;
  const isNext = moves.length === number && winner === null;
  return isNext && mover(moves, first) === player && height(moves, column) < ROWS;
}

// Return the state when we have chosen a column.
export function sendMove(state, column) {
  const sent = { column, number: state.moves.length };
  return { ...state, sent, note: "", hint: "", shown: null };
}

// Return the cell where a move will be that the server hasn't told yet, or null.
export function ghost({ sent, player, moves }) {
  return sent && { player, column: sent.column, row: height(moves, sent.column) };
}

// Return the state after somebody has chosen to see only so many moves.
export function lookBack(state, number) {
  const length = state.moves.length;
  const shown = Math.max(0, Math.min(number, length));
  return { ...state, shown: shown === length ? null : shown };
}

// Return whether one may look back now: when the game is over, even if the server is
// gone, and as a spectator at any time. A player has a game to play.
export function canLookBack(state) {
  const { player, moves } = state;
  const isWatching = player === null && isCurrent(state);
  return moves.length > 0 && (isOver(state) || isWatching);
}

// Return the moves that are shown.
export function shownMoves(state) {
  return state.moves.slice(0, state.shown ?? state.moves.length);
}

// Return how many games each player has won, with this one.
export function score({ wins, winner }) {
  return winner === null ? wins : { ...wins, [winner]: wins[winner] + 1 };
}

// Return whether the game has ended, as the server has said.
export function isOver(state) {
  return state.winner !== null || state.drawn;
}

// Return whose turn it is: nobody's when the last move has ended the game, even before
// the server says so.
export function turn(state) {
  const { moves, first } = state;
  const isFull = moves.length === COLUMNS * ROWS;
  const isDecided = isOver(state) || isFull || winningLines(moves).length > 0;
  return isDecided ? null : mover(moves, first);
}

function mover(moves, first) {
  return moves.length % 2 === 0 ? first : opponent(first);
}

// Return whether the page shows a game as it is now.
export function isCurrent(state) {
  return state.connection === "open" && state.problem === null;
}

// Return whether there is no such game any more, so that its key is of no use.
export function isNotFound({ problem }) {
  return problem?.message === GAME_NOT_FOUND;
}

// Return whether somebody else sits in the seat.
export function isTaken({ problem }) {
  return problem?.watch !== undefined;
}

// Return whether the server would accept a move of ours now.
function canPlay(state) {
  const { sent, player } = state;
  return isCurrent(state) && sent === null && player !== null && turn(state) === player;
}

// Return the columns in which we can play now.
export function playableColumns(state) {
  const columns = Array.from({ length: COLUMNS }, (_, column) => column);
  return canPlay(state)
    ? columns.filter((column) => height(state.moves, column) < ROWS)
    : [];
}

// Return how many checkers are in a column.
function height(moves, column) {
  return moves.filter((move) => move.column === column).length;
}

export function isFull(state, column) {
  return height(state.moves, column) === ROWS;
}

// Return whether we may ask for a rematch now.
export function canAskRematch(state) {
  const { player, rematch, isAsking } = state;
  const isOurs = player !== null && !rematch.includes(player) && !isAsking;
  return isCurrent(state) && isOver(state) && isOurs;
}

// Return whether a player isn't here, but may come back to the seat.
export function isAway({ players, open }, player) {
  return !players.includes(player) && !open.includes(player);
}

// Return whether a player has ever been here, as far as one can know.
export function wasHere({ here, moves }, player) {
  return here.includes(player) || moves.some((move) => move.player === player);
}

// Return whether somebody has been at this match apart from us, so that it's worth
// coming back to.
export function isShared(state) {
  const { player, open } = state;
  const other = player && opponent(player);
  return player !== null && (!open.includes(other) || wasHere(state, other));
}

// Return whether we wait for somebody to play with, before the first game.
export function isWaiting(state) {
  const { player, open } = state;
  const other = player && opponent(player);
  return player !== null && open.includes(other) && !wasHere(state, other);
}

// Return the lines of four or more to which the last move belongs, each with its cells
// from one end to the other.
export function winningLines(moves) {
  const last = moves.at(-1);
  const moveAt = (column, row) =>
    moves.find((move) => move.column === column && move.row === row);
  const lines = [];
  for (const [right, up] of last ? [[1, 0], [0, 1], [1, 1], [1, -1]] : []) {
    const arms = [-1, 1].map((way) => {
      const arm = [];
      for (let i = way; ; i += way) {
        const move = moveAt(last.column + i * right, last.row + i * up);
        if (move?.player !== last.player) {
          return arm;
        }
        arm.push(move);
      }
    });
    const [before, after] = arms;
    const line = [...before.reverse(), last, ...after];
    if (line.length >= 4) {
      lines.push(line);
    }
  }
  return lines;
}

// Return the players who aren't here, and whose seat isn't free.
export function awayPlayers(state) {
  return PLAYERS.filter((player) => isAway(state, player));
}
