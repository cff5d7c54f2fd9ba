// The page: it joins the board, the game and the connection. What it shows is a
// function of the state alone, and is drawn again after each event.

import { PLAYER1, PLAYER2, createBoard, renderBoard } from "./connect4.js";
import { connect } from "./connection.js";
import {
  INITIAL_STATE,
  canAskRematch,
  canPlay,
  canReturn,
  describeSpectators,
  isCurrent,
  isGone,
  isOver,
  phase,
  playableColumns,
  sentences,
  title,
  turn,
  update,
  updateConnection,
  wasHere,
  winningLine,
} from "./game.js";

// How long the page says that it has copied a link, in milliseconds.
const COPIED_TIME = 5000;

let state = INITIAL_STATE;

window.addEventListener("DOMContentLoaded", () => {
  createBoard(document.querySelector(".board"));
  render();
  const send = connect({
    url: getWebSocketServer(),
    subprotocol: "connect4.v2",
    getInit,
    handleEvent,
    handleState: handleConnection,
  });
  sendMoves(send);
  sendRematch(send);
  offerLinks();
  offerNewGame();
});

// Return the address of the WebSocket server: the port after the page's (see
// main() in app.py), or behind a proxy that adds TLS, where there is only one
// port, the page's own.
function getWebSocketServer() {
  const { protocol, hostname, port, host } = window.location;
  return protocol === "https:"
    ? `wss://${host}/`
    : `ws://${hostname}:${Number(port || 80) + 1}/`;
}

// Return the "init" event, according to who is connecting.
function getInit() {
  const params = new URLSearchParams(window.location.search);
  const event = { type: "init" };
  if (params.has("join")) {
    // The second player joins or comes back.
    event.join = params.get("join");
  } else if (params.has("watch")) {
    // A spectator watches.
    event.watch = params.get("watch");
  } else if (recallSeat() !== null) {
    // The first player comes back.
    event.join = recallSeat();
  } else {
    // The first player starts a new game.
  }
  return event;
}

function handleEvent(event) {
  if (event.type === "init" && event.player === PLAYER1) {
    rememberSeat(event.rejoin);
  }
  change(update(state, event));
}

function handleConnection(connection) {
  change(updateConnection(state, connection));
  if (isGone(state)) {
    forgetSeat(getInit().join);
  }
}

function change(newState) {
  state = newState;
  render();
}

// The key that takes the first player's seat again. It isn't in the address,
// which people copy, but in the tab, where a reload finds it; and in the entry
// of the tab's history, so that "Back" after "New game" is a way back.

function rememberSeat(key) {
  tabStorage()?.setItem("rejoin", key);
  // Without "?new", which would start yet another game at the next reload.
  history.replaceState({ rejoin: key }, "", window.location.pathname);
}

function recallSeat() {
  const isNew = new URLSearchParams(window.location.search).has("new");
  const stored = isNew ? null : tabStorage()?.getItem("rejoin");
  return history.state?.rejoin ?? stored ?? null;
}

// The tab may remember another seat than the one whose key is of no use.
function forgetSeat(key) {
  history.replaceState(null, "");
  if (tabStorage()?.getItem("rejoin") === key) {
    tabStorage().removeItem("rejoin");
  }
}

function tabStorage() {
  try {
    return window.sessionStorage;
  } catch {
    return null; // The player forbids it. A reload is remembered anyway.
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
  for (const invitation of document.querySelectorAll(".invitation")) {
    const link = invitation.querySelector("a");
    const copy = invitation.querySelector(".copy");
    const share = invitation.querySelector(".share");
    copy.addEventListener("click", () => copyLink(link, copy));
    link.addEventListener("click", (event) => {
      // To follow it would be to leave the seat. It may be opened in a new tab.
      const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey;
      if (state.keys !== null && isPlain) {
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

// While the connection is lost, a click would lead to the browser's error page.
function offerNewGame() {
  const newGame = document.querySelector(".new");
  newGame.addEventListener("click", (event) => {
    if (newGame.getAttribute("aria-disabled") === "true") {
      event.preventDefault();
    }
  });
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
  renderStatus();
  renderPlayers();
  renderBoard(document.querySelector(".board"), {
    moves: state.moves,
    line: state.winner === null ? [] : winningLine(state),
    playable: playableColumns(state),
    player: canPlay(state) ? state.player : null,
  });
  renderInvitations();
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
  }
  document.querySelector(".spectators").textContent = describeSpectators(state);
}

function renderInvitations() {
  const { keys, problem } = state;
  const isPlaying = keys !== null && canReturn(state);
  const isOffered = problem?.watch !== undefined;
  const join = document.querySelector(".join");
  const watch = document.querySelector(".watch");
  if (keys !== null) {
    setLink(join, linkTo("join", keys.join));
    setLink(watch, linkTo("watch", keys.watch));
  }
  if (isOffered) {
    setLink(watch, linkTo("watch", problem.watch), "Watch this game");
  }
  // Only the second player's seat can be taken with the join link.
  const isFree = isPlaying && !state.players.includes(PLAYER2);
  setHidden(join.parentElement, !isFree);
  setHidden(watch.parentElement, !isPlaying && !isOffered);
  const [heading, text] = wasHere(state, PLAYER2)
    ? [
        "The way back for yellow",
        "Yellow can come back with this link, on any device.",
      ]
    : [
        "Play with a friend",
        "Send this link. Whoever opens it plays against you.",
      ];
  join.parentElement.querySelector("h2").textContent = heading;
  join.parentElement.querySelector("p").textContent = text;
}

// Setting the same text again would undo a selection, by which one copies it.
function setLink(link, href, text = href) {
  if (link.href !== href || link.textContent !== text) {
    const [address, query = ""] = text.split(/(?=\?)/);
    const key = document.createElement("span");
    key.className = "key";
    key.textContent = query;
    link.href = href;
    link.replaceChildren(address, document.createElement("wbr"), key);
  }
}

function renderActions() {
  setHidden(document.querySelector(".rematch"), !canAskRematch(state));
  // Without a server there is nothing to start a game with.
  const newGame = document.querySelector(".new");
  newGame.setAttribute("aria-disabled", state.connection === "reconnecting");
  setHidden(newGame, state.connection === "stopped");
}

// Hide or show an element. A focus inside goes to the board and isn't lost.
function setHidden(element, hidden) {
  if (hidden && element.contains(document.activeElement)) {
    document.querySelector(".board [tabindex='0']").focus();
  }
  element.hidden = hidden;
}
