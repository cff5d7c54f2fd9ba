// All that the page says, to those who see it and to those who hear it. State in,
// sentences out: no elements of the page here.

import {
  awayPlayers,
  canLookBack,
  isCurrent,
  isFull,
  isNotFound,
  isOver,
  isTaken,
  isWaiting,
  score,
  shownMoves,
  turn,
  wasHere,
  winningLines,
} from "./game.js";
import { PLAYER1, PLAYERS, ROWS, opponent } from "./rules.js";

const NUMBERS = "none one two three four five six seven eight nine ten".split(" ");

// Return the title of the page, which one sees when it's in the background.
export function title(state) {
  const name = "Connect Four";
  if (!isCurrent(state)) {
    return name;
  }
  const isOurs = turn(state) === state.player && state.player !== null;
  const isWorthIt = isOver(state) || (isOurs && !isWaiting(state));
  const text = isOver(state) ? result(state).replace("!", "") : "Your turn";
  return isWorthIt ? `${text} – ${name}` : name;
}

// Return the one sentence that everybody sees: what went wrong, how the game ended, who
// is away, or whose turn it is.
export function sentence(state) {
  const { player, rematch, open, shown, moves, problem, note, hint } = state;
  const trouble = describeTrouble(state);
  if (hint && (problem !== null || isWaiting(state))) {
    // It's about the code that somebody has typed, and nothing else tells it.
    return hint;
  }
  if (trouble || note) {
    return trouble || note;
  }
  if (shown !== null && canLookBack(state)) {
    return `Move ${shownMoves(state).length} of ${moves.length}`;
  }
  const away = awayPlayers(state);
  const others = player === null ? PLAYERS : [opponent(player)];
  const free = others.filter((other) => open.includes(other));
  const asked = others.find((other) => rematch.includes(other));
  if (isWaiting(state)) {
    return "";
  }
  if (free.length > 0 && player !== null && state.partner !== null) {
    return `Somebody else is waiting: ${state.partner}.`;
  }
  if (free.length > 0) {
    return describeFree(free);
  }
  if (away.length > 0 && (player !== null || away.length === PLAYERS.length)) {
    return describeAway(state, away);
  }
  if (isOver(state) && player !== null && asked !== undefined) {
    return `${capitalize(asked)} wants to play again.`;
  }
  if (isOver(state)) {
    return state.drawn ? "The board is full." : "Four in a row!";
  }
  return describeTurn(state);
}

// Return what a screen reader says when it changes: what has happened, and what that
// means.
export function said(state) {
  const { event, note, hint } = state;
  const trouble = describeTrouble(state);
  if (hint || trouble) {
    return hint || trouble;
  }
  // Whoever comes or asks then, the result has been told.
  const isTold = ["come", "gone", "rematch"].includes(event?.type);
  const parts = [
    describeNews(state),
    isOver(state) && event?.type !== "win" && !isTold ? end(result(state)) : "",
    isOver(state) && !isTold ? describeScore(state) : "",
    isSomebodyToMove(state) ? end(describeTurn(state)) : "",
    isWaiting(state) ? describeWaiting(state) : describeAbsent(state),
    describeRematch(state),
    note,
  ];
  return parts.filter(Boolean).join(" ");
}

// Return what the sign on top of the board says, or how the title tells the result.
export function result(state) {
  const { winner, player, drawn } = state;
  if (drawn) {
    return "A draw";
  }
  return winner === player ? "You win!" : `${capitalize(winner)} wins!`;
}

// Return a player's name as one sees it on the plate.
export function name(state, player) {
  return player === state.player ? "You" : capitalize(player);
}

// Return what a plate tells, in words: "Red, you, 2 wins, to move".
export function describePlate(state, player) {
  const { players, open, winner } = state;
  const wins = score(state)[player];
  const isHere = players.includes(player);
  return [
    capitalize(player),
    player === state.player ? "you" : "",
    wins === 1 ? "1 win" : `${wins} wins`,
    winner === player ? "winner" : "",
    isCurrent(state) && !isWaiting(state) && turn(state) === player ? "to move" : "",
    isHere || !isCurrent(state) ? "" : open.includes(player) ? "free seat" : "away",
  ]
    .filter(Boolean)
    .join(", ");
}

// Return how many look on, apart from us, in a sentence.
export function describeWatchers(count) {
  if (count === 0) {
    return "";
  }
  return count === 1 ? "1 person is watching." : `${count} people are watching.`;
}

// Return the same in short, beside an eye, and whether we do.
export function countWatchers(count, isWatching) {
  if (!isWatching) {
    return String(count);
  }
  return count === 0 ? "Watching" : `You + ${count}`;
}

// Return why a column can't be chosen, in a sentence, or "".
export function describeRefusal(state, column) {
  if (!isCurrent(state) || isOver(state) || state.player === null) {
    return "";
  }
  if (turn(state) !== state.player) {
    return "It isn’t your turn.";
  }
  return isFull(state, column) ? `Column ${column + 1} is full.` : "";
}

// Return the question before the other player's seat is given away.
export function askAboutSeat(player) {
  return `${capitalize(player)} left just now. Let somebody else have the seat?`;
}

function capitalize(word) {
  return word[0].toUpperCase() + word.slice(1);
}

// Return why there is no game to be seen as it is now, or "".
function describeTrouble(state) {
  const { connection, problem } = state;
  if (problem !== null) {
    return describeProblem(state);
  }
  switch (connection) {
    case "unreachable":
      return `Still trying to reach ${state.address}. A firewall may be why.`;
    case "reconnecting":
      return "The connection is lost. Reconnecting…";
    case "stopped":
      return "The server has stopped. Waiting for it to come back…";
    case "open":
      return "";
    default:
      return "Connecting…";
  }
}

function describeProblem(state) {
  if (isTaken(state)) {
    return state.isOurs
      ? "You are playing this in another tab. When that is closed, it goes on here."
      : "Somebody else is playing here.";
  }
  if (isNotFound(state)) {
    return state.keys !== null
      ? "This game is gone."
      : state.typed
        ? `No game has the code ${state.typed}.`
        : "There is no such game.";
  }
  return state.problem.message || "The server has ended the connection.";
}

function describeNews(state) {
  const { event } = state;
  switch (event?.type) {
    case "init":
      return event.player === null ? "You are watching." : `You are ${event.player}.`;
    case "start":
      return "A new game begins.";
    case "play":
      return `${name(state, event.player)} played column ${event.column + 1}.`;
    case "win":
      return end([result(state).slice(0, -1), ...describeLines(state)].join(": "));
    case "come": {
      const isNew = !event.isBack;
      return `${capitalize(event.player)} ${isNew ? "has joined" : "is back"}.`;
    }
    default:
      return "";
  }
}

function describeLines({ moves }) {
  const lines = winningLines(moves).map(describeLine);
  return lines.length > 0 ? [lines.join("; and ")] : [];
}

// Return where four in a row are: "columns 1 to 4, bottom row".
function describeLine(line) {
  const [first, last] = [line.at(0), line.at(-1)];
  if (first.row === last.row) {
    return `columns ${first.column + 1} to ${last.column + 1}, ${describeRow(first.row)}`;
  }
  if (first.column === last.column) {
    const [low, high] = [first.row, last.row].sort((a, b) => a - b);
    return `column ${first.column + 1}, rows ${low + 1} to ${high + 1}`;
  }
  const ends = [first, last].map(
    ({ column, row }) => `column ${column + 1}, row ${row + 1}`,
  );
  return `from ${ends.join(", to ")}`;
}

function describeRow(row) {
  return row === 0 ? "bottom row" : row === ROWS - 1 ? "top row" : `row ${row + 1}`;
}

function describeTurn(state) {
  const mover = turn(state);
  if (mover === null) {
    return "";
  }
  return mover === state.player ? "Your turn" : `${capitalize(mover)}’s turn`;
}

function describeWaiting({ partner }) {
  const others = partner === null ? "" : " Somebody else on this network is waiting, too.";
  return `Waiting for somebody to play with.${others}`;
}

function describeAbsent(state) {
  const free = PLAYERS.filter((player) => state.open.includes(player));
  const away = awayPlayers(state);
  return [
    free.length > 0 ? describeFree(free) : "",
    away.length > 0 ? describeAway(state, away) : "",
  ]
    .filter(Boolean)
    .join(" ");
}

function describeFree(free) {
  return free.length > 1 ? "Both seats are free." : `${capitalize(free[0])}’s seat is free.`;
}

function describeAway(state, away) {
  if (away.length > 1) {
    return "Both players are away.";
  }
  const [player] = away;
  if (state.keys.code !== null || (player !== PLAYER1 && wasHere(state, player))) {
    return `${capitalize(player)} is away.`;
  }
  // Who has started a match that has no code can't come back to it.
  return player === PLAYER1 ? "Red has left." : "Yellow isn’t here yet.";
}

function describeRematch({ player, rematch }) {
  // When both want one, it begins at once.
  if (rematch.length !== 1) {
    return "";
  }
  return rematch.includes(player)
    ? "You want to play again."
    : `${capitalize(rematch[0])} wants to play again.`;
}

// Return the score in words, the leader's first: "Red leads, two games to one."
function describeScore(state) {
  const wins = score(state);
  const [leader, other] = [...PLAYERS].sort((a, b) => wins[b] - wins[a]);
  if (wins[leader] === wins[other]) {
    return wins[leader] === 0 ? "" : `${capitalize(games(wins[leader]))} each.`;
  }
  const lead = leader === state.player ? "You lead" : `${capitalize(leader)} leads`;
  return `${lead}, ${games(wins[leader])} to ${spell(wins[other])}.`;
}

function games(number) {
  return `${spell(number)} ${number === 1 ? "game" : "games"}`;
}

function spell(number) {
  return NUMBERS[number] ?? String(number);
}

// Return whether there is somebody whose turn it is.
function isSomebodyToMove(state) {
  return state.players.includes(turn(state)) && !isWaiting(state);
}

// Return a text as a sentence.
function end(text) {
  return /[.!…]$/.test(text) ? text : `${text}.`;
}
