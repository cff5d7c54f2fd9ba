// The page as a picture of the state. describe() says in one object all that there is to
// see, and render() draws it, whatever the page showed before.

import { canMove, isSettled, renderBoard } from "../connect4.js";
import {
  awayPlayers,
  canAskRematch,
  canLookBack,
  ghost,
  isAway,
  isCurrent,
  isOver,
  isTaken,
  isWaiting,
  playableColumns,
  score,
  shownMoves,
  turn,
  winningLines,
} from "./game.js";
import { renderInvitation } from "./invitation.js";
import { PLAYER2, PLAYERS, opponent } from "./rules.js";
import {
  countWatchers,
  describePlate,
  describeWatchers,
  name,
  result,
  said,
  sentence,
  title,
} from "./words.js";

// The phases in which we are in a game, with somebody or until somebody comes back.
const GAME = ["turn", "theirs", "away", "free"];

const BACK = { name: "back", label: "Back to your game", symbol: "arrow", look: "key" };
const NEW_GAME = { name: "new", label: "New game", symbol: "new", look: "key" };

// Return what there is to see:
//
//   phase, player, winner, asked, card    in a word each, for the style sheet
//   title, said, sentence                 texts
//   plates                                of each player: { name, score, said, marks }
//   watchers                              how many look on
//   board                                 see renderBoard()
//   act                                   the main button, or null: { name, label,
//                                         symbol, look }
//   review                                { shown, length }, or null
//   isWatching                            whether we do, too
//   lobby                                 { partner, isWaiting, typed }, or null
//   quiet                                 { invite, room, isDisabled }, or null
//   invitation                            see renderInvitation()
export function describe(state) {
  const { player, winner, rematch } = state;
  const other = player && opponent(player);
  const act = describeAct(state);
  const card = describeCard(state);
  const isAsked = canAskRematch(state) && rematch.includes(other);
  return {
    phase: phase(state),
    player: player ?? "",
    winner: winner ?? "",
    asked: isAsked ? other : "",
    card,
    title: title(state),
    said: said(state),
    sentence: sentence(state),
    plates: Object.fromEntries(PLAYERS.map((each) => [each, describeEach(state, each)])),
    watchers: isCurrent(state) ? state.spectators - (player === null ? 1 : 0) : 0,
    isWatching: isCurrent(state) && player === null,
    board: describeBoard(state),
    act,
    review: canLookBack(state)
      ? { shown: shownMoves(state).length, length: state.moves.length }
      : null,
    lobby: describeLobby(state),
    quiet: describeQuiet(state, act),
    invitation: { ...state, isShown: card !== "none" },
  };
}

function phase(state) {
  const { connection, problem, player, winner, drawn, open } = state;
  if (problem !== null) {
    return isTaken(state) ? "taken" : "gone";
  }
  if (connection !== "open") {
    return connection;
  }
  if (isOver(state)) {
    const outcome = winner === player ? "won" : "lost";
    return drawn ? "drawn" : player === null ? "over" : outcome;
  }
  if (player === null) {
    return "watching";
  }
  if (isWaiting(state)) {
    return "waiting";
  }
  if (!state.players.includes(opponent(player))) {
    return open.includes(opponent(player)) ? "free" : "away";
  }
  return turn(state) === player ? "turn" : "theirs";
}

function describeBoard(state) {
  const { player, winner, drawn, shown, moves, event, sent } = state;
  const isPresent = shown === null;
  const mover = turn(state);
  const isPlayed = isCurrent(state) && isPresent && !isWaiting(state) && sent === null;
  const isEnded = isPresent && isOver(state);
  return {
    moves: shownMoves(state),
    line: isEnded && !drawn ? winningLines(moves).flat() : [],
    playable: playableColumns(state),
    hand: isPlayed && state.players.includes(mover) ? mover : null,
    ghost: isPresent ? ghost(state) : null,
    sign: isEnded ? { text: result(state), player: winner } : null,
    celebrates: isEnded && event?.type === "win" && winner === player,
  };
}

function describeEach(state, player) {
  const isKnown = isCurrent(state);
  const isHere = state.players.includes(player);
  const isFree = isKnown && state.open.includes(player);
  const isTurn = isKnown && isHere && !isWaiting(state) && turn(state) === player;
  return {
    name: name(state, player),
    // Who takes a free seat begins with none, and a game that isn't there has none.
    score: state.keys === null || isFree ? "" : score(state)[player],
    said: describePlate(state, player),
    marks: {
      you: player === state.player,
      turn: isTurn,
      winner: player === state.winner,
      away: isKnown && isAway(state, player),
      nobody: isFree,
    },
  };
}

// What one most likely wants to do now.
function describeAct(state) {
  const { player, open, rematch, problem, shown, keys } = state;
  if (problem !== null) {
    if (!isTaken(state)) {
      return keys === null && state.hasSeat ? BACK : NEW_GAME;
    }
    const watch = { name: "watch", label: "Watch", symbol: "eye", look: "key" };
    return state.isOurs ? null : watch;
  }
  if (!isCurrent(state) || isWaiting(state)) {
    return null;
  }
  const room = { name: "room", label: "Let somebody play", symbol: "room", look: "key" };
  const isEnding = isOver(state) || awayPlayers(state).length > 0;
  if (player !== null && keys.code === null && isEnding) {
    // Who has started it can't come back, and knows nothing of rematches.
    return NEW_GAME;
  }
  if (player === null) {
    const free = PLAYERS.find((each) => open.includes(each));
    if (free !== undefined && keys.code !== null) {
      return { name: "sit", label: "Play", symbol: "arrow", look: free };
    }
    if (shown !== null) {
      const label = "Back to the present";
      return { name: "present", label, symbol: "later", look: "key" };
    }
    return awayPlayers(state).length === PLAYERS.length && keys.code !== null ? room : null;
  }
  const other = opponent(player);
  if (open.includes(other) && state.partner !== null) {
    return { name: "meet", label: "Play", symbol: "arrow", look: PLAYER2 };
  }
  if (open.includes(other)) {
    return { name: "invite", label: "Invite", symbol: "invite", look: "key" };
  }
  if (isAway(state, other)) {
    return room;
  }
  if (canAskRematch(state)) {
    const look = rematch.includes(other) ? other : "key";
    return { name: "rematch", label: "Play again", symbol: "again", look };
  }
  if (isOver(state)) {
    const label = `Waiting for ${other}…`;
    return { name: "rematch", label, symbol: "dots", look: "pressed" };
  }
  return null;
}

function describeCard(state) {
  const { problem, keys } = state;
  const isKnown = problem === null && keys !== null && keys.code !== null;
  if (!isKnown || state.connection === "stopped") {
    return "none";
  }
  if (isWaiting(state)) {
    return isCurrent(state) ? "large" : "none";
  }
  return state.isInviting ? "open" : "small";
}

// Who else waits on this network, and where to type a code.
function describeLobby(state) {
  const isUsed = isCurrent(state) && isWaiting(state);
  const isLost = state.problem !== null && !isTaken(state);
  const partner = isUsed ? state.partner : null;
  const typed = isLost ? state.typed : "";
  return isUsed || isLost ? { partner, isWaiting: isUsed, typed } : null;
}

function describeQuiet(state, act) {
  const { problem, connection, player, keys } = state;
  if (act === BACK) {
    return { invite: false, room: false, isDisabled: false };
  }
  if (problem !== null || keys === null || isWaiting(state)) {
    return null;
  }
  const isOffered = isCurrent(state) && isOver(state) && player !== null;
  return {
    invite: keys.code !== null && isCurrent(state) && act?.name !== "invite",
    room: isOffered && keys.code !== null && act?.name !== "room",
    isDisabled: connection !== "open",
  };
}

// Draw what describe() returned. The end of a game is told when it has been seen on the
// board, which says so by the event "settle".
export function render(description) {
  const { phase, player, winner, asked, card, board, title } = description;
  const focused = document.activeElement;
  const boardElement = find(".board");
  document.title = title;
  if (phase !== "connecting") {
    // What was played before one came doesn't fall.
    renderBoard(boardElement, board);
  }
  if (board.sign !== null && !isSettled(boardElement)) {
    return;
  }
  find(".loading")?.remove();
  const before = document.body.dataset.phase;
  if (before === "waiting" && GAME.includes(phase)) {
    sink(find(".invitation"));
  }
  Object.assign(document.body.dataset, { phase, player, winner, asked, card });
  setText(find(".status"), description.said);
  renderSentence(description.sentence);
  renderPlates(description);
  renderAct(description);
  renderReview(description);
  renderLobby(description);
  renderQuiet(description);
  renderInvitation(description.invitation);
  keepFocus(focused);
  if (GAME.includes(phase) && !GAME.includes(before)) {
    offerFocus(focused);
  }
}

function find(selector) {
  return document.querySelector(selector);
}

// Let the card sink behind the edge of the table, for somebody has come. What moves is a
// picture of it: the card itself is where it belongs in play.
function sink(card) {
  if (!canMove()) {
    return;
  }
  const { left, top, width, height } = card.getBoundingClientRect();
  const picture = document.createElement("div");
  picture.className = "sinking";
  picture.dataset.card = "large";
  picture.inert = true;
  picture.setAttribute("aria-hidden", true);
  for (const [name, value] of Object.entries({ left, top, width, height })) {
    picture.style[name] = `${value}px`;
  }
  picture.append(card.cloneNode(true));
  for (const type of ["animationend", "animationcancel"]) {
    picture.addEventListener(type, () => picture.remove());
  }
  // The style of the card follows from the body's.
  document.documentElement.append(picture);
}

// Setting the same text would make screen readers say it again.
const texts = new WeakMap();

function setText(element, text) {
  if (texts.get(element) !== text) {
    texts.set(element, text);
    element.textContent = text;
  }
}

// Show what is to be read by all. Where it's two sentences, each begins a line.
function renderSentence(text) {
  const sentence = find(".sentence");
  if (sentence.textContent === text) {
    return;
  }
  const lines = (text.match(/.+?(\. |$)/g) ?? []).map((line) => {
    const span = document.createElement("span");
    span.textContent = line;
    return span;
  });
  sentence.replaceChildren(...lines);
}

function renderPlates({ plates, watchers, isWatching }) {
  for (const [player, { name, score, said, marks }] of Object.entries(plates)) {
    const plate = find(`.plate.${player}`);
    setText(plate.querySelector(".name"), name);
    setText(plate.querySelector(".score"), String(score));
    setText(plate.querySelector(".said"), said);
    for (const [mark, isSet] of Object.entries(marks)) {
      plate.classList.toggle(mark, isSet);
    }
  }
  find(".watchers").hidden = watchers === 0 && !isWatching;
  setText(find(".watchers .count"), countWatchers(watchers, isWatching));
  find(".watchers").title = describeWatchers(watchers);
}

function renderAct({ act, asked }) {
  const button = find(".act");
  button.hidden = act === null;
  if (act !== null) {
    button.dataset.name = act.name;
    button.dataset.look = act.look;
    // If it were disabled, it would lose the focus.
    button.setAttribute("aria-disabled", act.look === "pressed");
    button.querySelector("use").setAttribute("href", `#${act.symbol}`);
    button.querySelector(".checker").className = `checker ${asked}`;
    setText(button.querySelector(".label"), act.label);
  }
}

function renderReview({ review }) {
  const section = find(".review");
  section.hidden = review === null;
  if (review !== null) {
    const { shown, length } = review;
    const slider = section.querySelector(".move");
    slider.max = length;
    slider.value = shown;
    slider.setAttribute("aria-valuetext", `Move ${shown} of ${length}`);
  }
}

function renderLobby({ lobby }) {
  const section = find(".lobby");
  const partner = lobby?.partner ?? null;
  section.hidden = lobby === null;
  section.querySelector(".rule").hidden = !lobby?.isWaiting || partner !== null;
  section.querySelector(".somebody").hidden = partner === null;
  section.querySelector(".watch").hidden = !lobby?.isWaiting;
  if (lobby !== null) {
    // As long as nobody has typed anything else
    section.querySelector("input").defaultValue = lobby.typed;
  }
  if (partner !== null) {
    section.querySelector(".play").href = `./${partner}`;
    setText(section.querySelector(".somebody .code"), partner);
  }
}

function renderQuiet({ quiet }) {
  const nav = find(".quiet");
  nav.hidden = quiet === null;
  if (quiet !== null) {
    nav.querySelector(".invite").hidden = !quiet.invite;
    nav.querySelector(".room").hidden = !quiet.room;
    nav.querySelector(".new").setAttribute("aria-disabled", quiet.isDisabled);
  }
}

// Where the focus goes when what had it isn't shown any more: to the first of these that
// is. Otherwise it would be lost, and keys with it. Who watches has nothing to do on the
// board, where the arrows don't look back. Who types a code when somebody comes types on
// for a moment, and on the board that would be moves.
const PLACES = [
  "[data-card='open'] .copy",
  "[data-player]:not([data-player='']) .board [tabindex='0']",
  ".review .move",
  ".invitation .copy",
  ".act",
  ".typed input",
];

function keepFocus(focused) {
  if (focused === document.body || focused.matches("[type='text']")) {
    return;
  }
  const isShown =
    focused.getClientRects().length > 0 &&
    window.getComputedStyle(focused).visibility === "visible";
  if (!isShown) {
    PLACES.some((place) => {
      find(place)?.focus();
      return document.activeElement === find(place);
    });
  }
}

// Give the focus to the board, if nothing else had it.
function offerFocus(focused) {
  if (focused === document.body) {
    find(".board [tabindex='0']").focus({ preventScroll: true, focusVisible: false });
  }
}
