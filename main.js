// The page: it joins the board, the game and the connection. What it shows is a
// function of the state alone, and is drawn again after each event.

import { PLAYER1, PLAYER2, createBoard, fallTime, renderBoard } from "./connect4.js";
import { connect } from "./page/connection.js";
import {
  INITIAL_STATE,
  canAskRematch,
  canLookBack,
  canPlay,
  canReturn,
  describeSpectators,
  describeWins,
  isCurrent,
  isGone,
  isMoveOfOther,
  isOver,
  isWaiting,
  lookBack,
  phase,
  playableColumns,
  sentences,
  shownMoves,
  title,
  turn,
  update,
  updateConnection,
  winningLine,
} from "./page/game.js";
import { renderQRCode } from "./page/qrcode.js";
import { knock, pulse } from "./page/sound.js";

// How long the page says that it has copied a link, in milliseconds.
const COPIED_TIME = 5000;

// On a screen that is smaller, one shares a link, and doesn't show a picture of it.
const PHONE = "(max-width: 40rem), (max-height: 30rem)";

// Under which names the browser stores the seat, as each server has its own, and
// whether the page is silent.
const SEAT = `seat at ${window.location.pathname}`;
const SOUND = "sound";

let state = {
  ...INITIAL_STATE,
  invited: isInvited(),
  // Behind a proxy there may be other servers. It gives each a path of its own.
  elsewhere: window.location.pathname !== "/",
};
let guess = guessSeat();
let isSilent = stored(SOUND) === "off";

window.addEventListener("DOMContentLoaded", () => {
  createBoard(document.querySelector(".board"));
  render();
  const connection = connect({
    url: getWebSocketServer(),
    subprotocol: "connect4.v2",
    getInit,
    handleEvent: (event) => handleEvent(event, connection),
    handleState: (name) => handleConnection(name, connection),
  });
  sendMoves(connection.send);
  sendRematch(connection.send);
  offerLinks();
  offerLookingBack();
  offerNewGame();
  offerSound();
});

// Return the address of the WebSocket server: the one from which the page came.
function getWebSocketServer() {
  const url = new URL("./", window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

// Return the "init" event, according to who is connecting.
function getInit() {
  const params = readQuery();
  const event = { type: "init" };
  if (params.has("join")) {
    // The second player joins or comes back.
    event.join = params.get("join");
  } else if (params.has("watch")) {
    // A spectator watches.
    event.watch = params.get("watch");
  } else if (recallSeat() !== null) {
    // A player comes back.
    event.join = recallSeat();
  } else {
    // The first player starts a new game.
  }
  return event;
}

// Return what the address says after the question mark. It may be typed, in capitals,
// or copied with the full stop behind it.
function readQuery() {
  const params = new URLSearchParams(window.location.search);
  const pairs = [...params].map(([name, key]) => [
    name.toLowerCase(),
    key.replace(/[^\w-]/g, ""),
  ]);
  return new Map(pairs);
}

function isInvited() {
  const params = readQuery();
  return params.has("join") || params.has("watch");
}

function handleEvent(event, connection) {
  if (event.type === "init") {
    rememberSeat(event);
  }
  if (isMoveOfOther(state, event)) {
    tellLanding(event);
  }
  const newState = update(state, event);
  if (guess !== null && isCurrent(newState)) {
    guess = null;
    if (isOver(newState) && newState.players.length === 1) {
      // Nobody wants to begin with the end of an old game, alone.
      forgetSeat(newState.keys.rejoin);
      history.replaceState(null, "", window.location.pathname);
      connection.reopen();
      return;
    }
  }
  change(newState);
  if (isCurrent(state) && state.player !== null) {
    store(SEAT, state.keys.rejoin);
  }
}

function handleConnection(name, connection) {
  if (name === "closed" && guess !== null) {
    // Somebody sits there, perhaps in another tab, or that game is gone.
    guess = null;
    connection.reopen();
    return;
  }
  change(updateConnection(state, name));
  if (isGone(state)) {
    forgetSeat(getInit().join);
  }
}

function change(newState) {
  state = newState;
  render();
}

// The key that takes a seat again. The second player's is in the address. The
// first player's isn't, because people copy it, but in the entry of the tab's
// history: a reload finds it there, and so does "Back" after "New game".

function rememberSeat({ player, rejoin }) {
  if (player === PLAYER1) {
    // Without "?new", which would start yet another game at the next reload.
    history.replaceState({ rejoin }, "", window.location.pathname);
  } else {
    const query = new URLSearchParams({ join: rejoin });
    history.replaceState(null, "", `?${query}`);
  }
}

function recallSeat() {
  return history.state?.rejoin ?? guess;
}

function forgetSeat(key) {
  history.replaceState(null, "");
  if (stored(SEAT) === key) {
    store(SEAT, null);
  }
}

// The browser stores the last seat as well, for whoever has closed the tab and opens
// the address again. It's a guess: the server knows whether somebody sits there, and
// whether that game is over.

function guessSeat() {
  const isPlain = window.location.search === "" && !history.state?.rejoin;
  return isPlain ? stored(SEAT) : null;
}

// Return what the browser has stored under a name, or null.
function stored(name) {
  try {
    return window.localStorage.getItem(name);
  } catch {
    return null; // The player forbids it.
  }
}

// Store a text, or nothing if it's null.
function store(name, text) {
  try {
    if (text === null) {
      window.localStorage.removeItem(name);
    } else {
      window.localStorage.setItem(name, text);
    }
  } catch {
    // The player forbids it. A reload is remembered anyway.
  }
}

// Send a move when a playable column is clicked, be it by pointer or by key.
function sendMoves(send) {
  const board = document.querySelector(".board");
  board.addEventListener("click", ({ target }) => {
    const column = Number(target.dataset.column);
    if (playableColumns(state).includes(column)) {
      send({ type: "play", column });
      // Nothing is shown before the server says so; but one click is one move.
      change({ ...state, isPending: true });
    }
  });
}

function sendRematch(send) {
  document.querySelector(".rematch").addEventListener("click", () => {
    if (canAskRematch(state) && isCurrent(state)) {
      send({ type: "rematch" });
      change({ ...state, isPending: true });
    }
  });
}

// Make the links, and the buttons beside them, copy and share the address.
function offerLinks() {
  for (const element of document.querySelectorAll(".link")) {
    const link = element.querySelector("a");
    const copy = element.querySelector(".copy");
    const share = element.querySelector(".share");
    copy.addEventListener("click", () => copyLink(link, copy));
    link.addEventListener("click", (event) => {
      // To follow it would be to leave the seat. It may be opened in a new tab.
      const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey;
      if (isPlain) {
        event.preventDefault();
        copyLink(link, copy);
      }
    });
    // The browser's own sheet; it exists only on https and localhost.
    share.hidden = navigator.share === undefined;
    share.addEventListener("click", () => {
      // Rejected when the player closes the sheet, which is fine.
      const sheet = { title: "Connect Four", url: link.href };
      navigator.share(sheet).catch(() => {});
    });
  }
}

// Copy the address of a link, and say for a while whether that worked.
async function copyLink(link, copy) {
  const isCopied = await copyText(link);
  const note = isCopied
    ? "The link is copied."
    : "The link is selected. Copy it with your keyboard or menu.";
  change({ ...state, note });
  copy.textContent = isCopied ? "Copied" : "Copy";
  setTimeout(() => {
    copy.textContent = "Copy";
    if (state.note === note) {
      change({ ...state, note: "" });
    }
  }, COPIED_TIME);
}

// Copy the address of a link, and return whether that worked.
async function copyText(link) {
  try {
    await navigator.clipboard.writeText(link.href);
    return true;
  } catch {
    // On plain http there is no clipboard, and anywhere it may be forbidden.
    // Then there is the old way: copy what is selected.
    window.getSelection().selectAllChildren(link);
    return document.execCommand("copy");
  }
}

// Show an earlier move, by buttons, slider or arrows.
function offerLookingBack() {
  const show = (number) => {
    if (canLookBack(state)) {
      change(lookBack(state, number));
    }
  };
  const step = (way) => show(shownMoves(state).length + way);
  const review = document.querySelector(".review");
  const slider = review.querySelector(".move");
  slider.addEventListener("input", () => show(slider.valueAsNumber));
  review.querySelector(".previous").addEventListener("click", () => step(-1));
  review.querySelector(".following").addEventListener("click", () => step(1));
  review.querySelector(".present").addEventListener("click", () => show(Infinity));
  document.addEventListener("keydown", (event) => {
    const { key, target, altKey, ctrlKey, metaKey } = event;
    // In the board and on the slider the arrows have their own meaning.
    const isElsewhere = !target.closest(".board, .move");
    const isOurs = isElsewhere && !altKey && !ctrlKey && !metaKey;
    if (isOurs && (key === "ArrowLeft" || key === "ArrowRight")) {
      step(key === "ArrowLeft" ? -1 : 1);
    }
  });
}

// While the connection is lost, a click would lead to the browser's error page.
function offerNewGame() {
  const newGame = document.querySelector(".new");
  newGame.addEventListener("click", (event) => {
    if (newGame.getAttribute("aria-disabled") === "true") {
      event.preventDefault();
    }
  });
}

function offerSound() {
  const sound = document.querySelector(".sound");
  sound.hidden = false;
  sound.addEventListener("click", () => {
    isSilent = !isSilent;
    store(SOUND, isSilent ? "off" : null);
    render();
  });
}

// Let a move of somebody else be heard, or felt, when its checker lands.
function tellLanding({ row }) {
  if (isSilent) {
    pulse();
  } else {
    const isStill = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    knock(isStill ? 0 : fallTime(row));
  }
}

// Return the address of the page for somebody who opens it with a key, also on
// another machine, where "localhost" would be that machine.
function linkTo(name, key) {
  const url = new URL(window.location.pathname, window.location.href);
  const isHere = /^(localhost|127\..*|\[::1\])$/.test(url.hostname);
  const host = state.keys?.host;
  if (isHere && host) {
    url.hostname = host.includes(":") ? `[${host}]` : host;
  }
  url.searchParams.set(name, key);
  return url.href;
}

// Show the state, whatever the page showed before.
function render() {
  document.title = title(state);
  document.body.dataset.state = phase(state);
  document.body.dataset.winner = state.winner ?? "";
  renderStatus();
  renderPlayers();
  const isPresent = state.shown === null;
  renderBoard(document.querySelector(".board"), {
    moves: shownMoves(state),
    line: isPresent && state.winner !== null ? winningLine(state) : [],
    playable: playableColumns(state),
    player: canPlay(state) ? state.player : null,
  });
  renderInvitation();
  renderReview();
  renderWatching();
  renderActions();
}

function renderStatus() {
  for (const [name, text] of Object.entries(sentences(state))) {
    const element = document.querySelector(`.status .${name}`);
    // Setting the same text would make screen readers say it again.
    if (element.textContent !== text) {
      element.textContent = text;
    }
  }
}

function renderPlayers() {
  for (const element of document.querySelectorAll(".player")) {
    const player = element.classList.contains(PLAYER1) ? PLAYER1 : PLAYER2;
    const isAway = isCurrent(state) && !state.players.includes(player);
    const isTurn = isCurrent(state) && !isOver(state) && turn(state) === player;
    element.classList.toggle("you", player === state.player);
    element.classList.toggle("away", isAway);
    element.classList.toggle("turn", isTurn);
    element.classList.toggle("winner", player === state.winner);
    element.querySelector(".wins").textContent = describeWins(state, player);
  }
  document.querySelector(".spectators").textContent = describeSpectators(state);
}

// While the first player waits, the invitation has the board's place.
function renderInvitation() {
  const invitation = document.querySelector(".invitation");
  const { keys, players } = state;
  const isOffered = isPlaying() && !players.includes(PLAYER2);
  const isFirst = isOffered && isWaiting(state);
  const stage = isFirst ? "invitation" : "board";
  if (document.body.dataset.stage !== stage) {
    document.body.dataset.stage = stage;
    const isPhone = window.matchMedia(PHONE).matches;
    invitation.querySelector(".picture").open = isFirst && !isPhone;
  }
  setHidden(invitation, !isOffered);
  if (isOffered) {
    const [heading, text] = isFirst
      ? [
          "Invite a friend",
          "Whoever opens this address plays against you. Scan it, type it, or send it.",
        ]
      : [
          "The way back for yellow",
          "Yellow can come back with this link, on any device.",
        ];
    invitation.querySelector("h2").textContent = heading;
    invitation.querySelector("p").textContent = text;
    renderLink(invitation, linkTo("join", keys.code));
  }
}

function renderWatching() {
  const watching = document.querySelector(".watching");
  setHidden(watching, !isPlaying());
  if (isPlaying()) {
    renderLink(watching, linkTo("watch", state.keys.watch));
  }
}

// Setting the same text again would undo a selection, by which one copies it.
function renderLink(element, href) {
  const link = element.querySelector("a");
  if (link.href !== href) {
    const { protocol, host, pathname, searchParams } = new URL(href);
    const [[query, key]] = searchParams;
    const parts = {
      scheme: `${protocol}//`,
      address: `${host}${pathname}?${query}=`,
      key,
    };
    const spans = Object.entries(parts).map(([name, text]) => {
      const span = document.createElement("span");
      span.className = name;
      span.textContent = text;
      return span;
    });
    link.href = href;
    link.replaceChildren(...spans);
    renderQRCode(element.querySelector(".qrcode"), href);
  }
}

function renderReview() {
  const review = document.querySelector(".review");
  const slider = review.querySelector(".move");
  const length = state.moves.length;
  const shown = shownMoves(state).length;
  const text = `Move ${shown} of ${length}`;
  slider.max = length;
  slider.value = shown;
  slider.setAttribute("aria-valuetext", text);
  review.querySelector(".shown").textContent = text;
  review.querySelector(".present").disabled = state.shown === null;
  setHidden(review.querySelector(".present"), isOver(state));
  setHidden(review, !canLookBack(state));
}

function renderActions() {
  setHidden(document.querySelector(".rematch"), !canAskRematch(state));
  const spectate = document.querySelector(".spectate");
  const watch = state.problem?.watch;
  setHidden(spectate, watch === undefined);
  if (watch !== undefined) {
    spectate.href = linkTo("watch", watch);
  }
  document.querySelector(".sound").setAttribute("aria-pressed", !isSilent);
  // Without a server there is nothing to start a game with.
  const newGame = document.querySelector(".new");
  const { connection, elsewhere } = state;
  newGame.setAttribute("aria-disabled", connection === "reconnecting" && !elsewhere);
  setHidden(newGame, connection === "stopped" && !elsewhere);
}

// Return whether we sit at a game, though perhaps the connection is lost.
function isPlaying() {
  return state.keys !== null && canReturn(state);
}

// Hide or show an element. A focus inside goes to the board and isn't lost.
function setHidden(element, hidden) {
  if (hidden && element.contains(document.activeElement)) {
    document.querySelector(".board [tabindex='0']").focus();
  }
  element.hidden = hidden;
}
