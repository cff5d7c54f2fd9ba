// What the page knows of a game, and how it is told in words. Events go in,
// facts and sentences come out: no network here, and no elements of the page.

import { COLUMNS, PLAYER1, PLAYER2, ROWS } from "../connect4.js";

// The server says by this sentence that a game is gone for good (see app.py).
const GAME_NOT_FOUND = "Game not found.";

// And by this one that it's about to stop.
const NO_GAME_ANY_MORE = "This server begins no game any more.";

const NUMBERS = "none one two three four five six seven eight nine ten".split(" ");

// The state of a page that has not heard from the server yet.
export const INITIAL_STATE = {
  connection: "connecting", // see connection.js; "open" when all below is known
  player: null, // who plays here: "red", "yellow", or null for a spectator
  keys: null, // { join, watch, rejoin, invite, host } from the server, for a player
  first: PLAYER1, // who moves first
  wins: { red: 0, yellow: 0 }, // how many games each has won before this one
  moves: [], // [{ player, column, row }] in the order of play
  shown: null, // how many of the moves are shown; null for all, as they come
  winner: null,
  drawn: false,
  rematch: [], // the players who asked for one
  players: [], // those who are here
  everHere: [], // those who have been here at any time
  spectators: 0,
  isPending: false, // whether the server has yet to answer a move or a request
  news: "", // what happened last, in a sentence
  note: "", // what went wrong, or right, apart from the game
  error: null, // { message, watch }: the last error on this connection
  problem: null, // { message, watch }: why there is no game here
  past: null, // the state as far as a new connection has told it
  invited: false, // whether the address has a key, which may be mistyped or used up
  elsewhere: false, // whether other servers begin games when this one doesn't
};

// Return the state after an event from the server.
export function update(state, event) {
  if (state.past === null) {
    return apply(state, event);
  }
  // A new connection begins with all that has happened, and "presence" is the end
  // of it. Until then the page shows what it has shown before.
  const past = apply(state.past, event);
  const isComplete = event.type === "presence";
  return isComplete
    ? { ...past, connection: "open" }
    : { ...state, error: past.error, past };
}

// Return the state after a change of the connection's state.
export function updateConnection(state, connection) {
  const cleared = { ...state, isPending: false, note: "", problem: null, past: null };
  switch (connection) {
    case "open":
      return { ...cleared, error: null, past: { ...cleared, error: null } };
    case "closed":
      // An error has told why. When the server closes otherwise, a new
      // connection may do better.
      return { ...cleared, connection, problem: state.error ?? { message: "" } };
    default:
      return { ...cleared, connection };
  }
}

function apply(state, event) {
  const isNews = state.connection === "open";
  switch (event.type) {
    case "init": {
      const { player, watch, rejoin, code, host } = event;
      return { ...state, player, keys: { watch, rejoin, code, host } };
    }
    case "start":
      return {
        ...state,
        first: event.player,
        wins: event.wins,
        moves: [],
        shown: null,
        winner: null,
        drawn: false,
        rematch: [],
        isPending: false,
        news: isNews ? "A new game begins." : "",
        note: "",
      };
    case "play": {
      const { player, column, row } = event;
      const moves = [...state.moves, { player, column, row }];
      // The "win" or "draw" that follows changes nothing: before it comes, too,
      // nobody must be told that it's their turn.
      const isWon = winningLine({ moves }).length > 0;
      return {
        ...state,
        moves,
        winner: isWon ? player : null,
        drawn: !isWon && moves.length === COLUMNS * ROWS,
        isPending: false,
        news: `${subject(state, player)} played column ${column + 1}.`,
        note: "",
      };
    }
    case "rematch": {
      const rematch = [...state.rematch, event.player];
      const isPending = state.isPending && event.player !== state.player;
      return { ...state, rematch, isPending };
    }
    case "presence": {
      const { players, spectators } = event;
      const newcomer = players.find((player) => !state.players.includes(player));
      const hasLeft = state.players.some((player) => !players.includes(player));
      let { news } = state;
      if (isNews && newcomer) {
        const came = wasHere(state, newcomer) ? "is back" : "has joined";
        news = `${capitalize(newcomer)} ${came}.`;
      } else if (isNews && hasLeft) {
        news = ""; // It's no news any more that they came.
      }
      const everHere = [...new Set([...state.everHere, ...players])];
      return { ...state, players, spectators, everHere, news };
    }
    case "error": {
      const { message, watch } = event;
      const error = { message, watch };
      return { ...state, isPending: false, note: message, error };
    }
    default:
      return state;
  }
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

// Return whether an event is a move that we haven't made ourselves, just now.
export function isMoveOfOther(state, event) {
  const isNews = state.connection === "open" && state.past === null;
  return isNews && event.type === "play" && event.player !== state.player;
}

// Return how many games each player has won, with this one.
export function score({ wins, winner }) {
  return winner === null ? wins : { ...wins, [winner]: wins[winner] + 1 };
}

// Return how many games a player has won, in words, once anybody has won one.
export function describeWins(state, player) {
  const wins = score(state);
  if (!Object.values(wins).some(Boolean)) {
    return "";
  }
  return wins[player] === 1 ? "1 win" : `${wins[player]} wins`;
}

export function isOver(state) {
  return state.winner !== null || state.drawn;
}

// Return whose turn it is.
export function turn(state) {
  return state.moves.length % 2 === 0 ? state.first : opponent(state.first);
}

// Return whether the page shows a game as it is now.
export function isCurrent(state) {
  return state.connection === "open" && state.problem === null;
}

// Return whether there is no such game any more, so that its key is of no use.
export function isGone(state) {
  return state.problem?.message === GAME_NOT_FOUND;
}

// Return whether the server would accept a move of ours now.
export function canPlay(state) {
  return (
    isCurrent(state) && !state.isPending && !isOver(state) && turn(state) === state.player
  );
}

// Return the columns in which we can play now.
export function playableColumns(state) {
  const height = (column) =>
    state.moves.filter((move) => move.column === column).length;
  const columns = Array.from({ length: COLUMNS }, (_, column) => column);
  return canPlay(state)
    ? columns.filter((column) => height(column) < ROWS)
    : [];
}

// Return whether we may ask for a rematch, now or when the connection is back.
export function canAskRematch(state) {
  const { player, rematch, isPending } = state;
  const isOurs = player !== null && !rematch.includes(player);
  return isOver(state) && isOurs && !isPending && canReturn(state);
}

// Return whether the page shows a game that isn't lost: if the connection is, it
// will be back in a moment.
export function canReturn(state) {
  return state.problem === null && state.connection !== "stopped";
}

// Return the cells of the four or more in line with the last move, from one end to
// the other, or none.
export function winningLine(state) {
  const last = state.moves.at(-1);
  const moveAt = (column, row) =>
    state.moves.find((move) => move.column === column && move.row === row);
  const cells = [];
  for (const [right, up] of [[1, 0], [0, 1], [1, 1], [1, -1]]) {
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
      cells.push(...line);
    }
  }
  return cells;
}

// Return what is going on, in groups of sentences, any of which may be "": who
// you are, what happened, whose turn it is or how the game ended, the score then,
// who is away or wants a rematch, and what else there is to say. A screen reader
// says those that change.
export function sentences(state) {
  const { player, connection, problem, elsewhere, note } = state;
  const groups = { you: "", news: "", turn: "", score: "", more: "", note: "" };
  // How a game has ended is worth knowing whatever happened since.
  groups.turn = isOver(state) ? describeTurn(state) : "";
  if (problem !== null) {
    return { ...groups, news: describeProblem(state) };
  }
  if (connection === "stopped") {
    const news = "The server has stopped, and this game is gone.";
    const more = elsewhere ? "You can start a new one." : "Waiting for the server…";
    return { ...groups, news, more };
  }
  if (connection === "reconnecting") {
    const news = "The connection is lost. Reconnecting…";
    const more = elsewhere ? "If it stays lost, you can start a new game." : "";
    return { ...groups, news, more };
  }
  if (connection !== "open") {
    return { ...groups, news: "Connecting…" };
  }
  return {
    you: player === null ? "You are watching." : `You are ${player}.`,
    news: state.news,
    turn: isWaiting(state) ? "" : describeTurn(state),
    score: isOver(state) ? describeScore(state) : "",
    more: [describeAbsence(state), describeFirst(state), describeRematch(state)]
      .filter(Boolean)
      .join(" "),
    note,
  };
}

// Return in one word what there is to see, for the style sheet.
export function phase(state) {
  const { connection, problem, player, winner } = state;
  if (problem !== null) {
    return problem.watch === undefined ? "gone" : "taken";
  }
  if (connection !== "open") {
    return connection;
  }
  if (isOver(state)) {
    const outcome = winner === player ? "won" : "lost";
    return state.drawn ? "drawn" : player === null ? "over" : outcome;
  }
  if (player === null) {
    return "watching";
  }
  if (isWaiting(state)) {
    return "waiting";
  }
  if (!state.players.includes(opponent(player))) {
    return "away";
  }
  return turn(state) === player ? "ours" : "theirs";
}

// Return how many look on, in a sentence, or "".
export function describeSpectators(state) {
  const { player, spectators } = state;
  const others = player === null ? spectators - 1 : spectators;
  if (!isCurrent(state) || others === 0) {
    return "";
  }
  if (player === null) {
    return `You and ${others === 1 ? "1 other" : `${others} others`} are watching.`;
  }
  return others === 1 ? "1 person is watching." : `${others} people are watching.`;
}

// Return the title of the page, which one sees when it is in the background.
export function title(state) {
  const name = "Connect Four";
  if (!isCurrent(state)) {
    return name;
  }
  const isOurs = turn(state) === state.player && !isWaiting(state);
  return isOurs || isOver(state)
    ? `${describeTurn(state).replace(/[.!]$/, "")} – ${name}`
    : name;
}

function describeProblem({ problem, everHere, invited, elsewhere }) {
  const { message, watch } = problem;
  if (watch !== undefined) {
    return "Both seats are taken, perhaps by you in another tab. You can watch.";
  }
  if (message === NO_GAME_ANY_MORE) {
    return elsewhere ? `${message} You can start one on another.` : message;
  }
  if (message === GAME_NOT_FOUND && invited && everHere.length === 0) {
    const news = "There is no game at this address, or somebody else has joined it.";
    return `${news} You can start a new one.`;
  }
  return message === GAME_NOT_FOUND || message === ""
    ? "This game is gone. You can start a new one."
    : `${message} You can start a new one.`;
}

function describeAbsence(state) {
  const absent = [PLAYER1, PLAYER2].filter(
    (player) => !state.players.includes(player),
  );
  return absent
    .map((player) =>
      wasHere(state, player)
        ? `${capitalize(player)} has left and may come back.`
        : `Waiting for ${player} to join.`,
    )
    .join(" ");
}

function describeTurn(state) {
  if (state.drawn) {
    return "It's a draw.";
  }
  if (state.winner !== null) {
    const wins = state.winner === state.player ? "win!" : "wins!";
    return `${subject(state, state.winner)} ${wins}`;
  }
  if (turn(state) === state.player) {
    return "Your turn.";
  }
  // There is no point in saying that it's the turn of somebody who isn't here.
  return state.players.includes(turn(state))
    ? `${capitalize(turn(state))}'s turn.`
    : "";
}

function describeRematch({ player, rematch }) {
  // When both want one, it begins at once.
  if (rematch.length !== 1) {
    return "";
  }
  return rematch.includes(player)
    ? "You asked for a rematch."
    : `${capitalize(rematch[0])} wants a rematch.`;
}

// Say who moves first, before there is anybody to play against.
function describeFirst(state) {
  return isWaiting(state) && state.moves.length === 0 ? "You move first." : "";
}

// Return the score in words, the winner's first: "Two games to one." After a draw,
// say who leads.
function describeScore(state) {
  const wins = score(state);
  const leader = wins.red > wins.yellow ? PLAYER1 : PLAYER2;
  const player = state.winner ?? leader;
  const [ours, theirs] = [wins[player], wins[opponent(player)]];
  if (ours === 0) {
    return "";
  }
  const games = `${capitalize(spell(ours))} ${ours === 1 ? "game" : "games"}`;
  if (ours === theirs) {
    return `${games} each.`;
  }
  const whose = state.drawn ? ` for ${leader}` : "";
  return `${games} to ${spell(theirs)}${whose}.`;
}

function spell(number) {
  return NUMBERS[number] ?? String(number);
}

// Return whether we are the first player, and nobody has come yet.
export function isWaiting(state) {
  return state.player === PLAYER1 && !wasHere(state, PLAYER2);
}

// Return whether a player has ever been here.
export function wasHere(state, player) {
  // Red has started the game, and is told when there is nobody to be invited.
  const isKnown = player === PLAYER1 || state.keys?.invite === null;
  // To others, moves are the proof.
  const moved = state.moves.some((move) => move.player === player);
  return isKnown || moved || state.everHere.includes(player);
}

function opponent(player) {
  return player === PLAYER1 ? PLAYER2 : PLAYER1;
}

function subject(state, player) {
  return player === state.player ? "You" : capitalize(player);
}

function capitalize(word) {
  return word[0].toUpperCase() + word.slice(1);
}
