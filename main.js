// The page: it joins the board, the game and the connection. What it shows is a
// function of the game alone, and is drawn again after each event.

import { PLAYER1, PLAYER2, createBoard, renderBoard } from "./connect4.js";
import { connect } from "./connection.js";
import {
  NEW_GAME,
  canAskRematch,
  canPlay,
  hasMet,
  isLive,
  isOver,
  nameState,
  playableColumns,
  sentences,
  tellSpectators,
  title,
  turn,
  update,
  updateStatus,
  winningLine,
} from "./game.js";

// How long the page says that it has copied a link, in milliseconds.
const COPIED_TIME = 5000;

let game = NEW_GAME;

window.addEventListener("DOMContentLoaded", () => {
  createBoard(document.querySelector(".board"));
  render();
  const send = connect({
    url: getWebSocketServer(),
    subprotocol: "connect4.v2",
    introduce: initEvent,
    handleEvent: receiveEvent,
    handleStatus: (status) => change(updateStatus(game, status)),
  });
  sendMoves(send);
  sendRematch(send);
  offerLinks();
});

// Return the address of the WebSocket server: the port after the page's, or
// behind a proxy that adds TLS, where there is only one port, the page's own.
function getWebSocketServer() {
  const { protocol, hostname, port, host } = window.location;
  return protocol === "https:"
    ? `wss://${host}/`
    : `ws://${hostname}:${Number(port || 80) + 1}/`;
}

// Return the "init" event, according to who is connecting.
function initEvent() {
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

function receiveEvent(event) {
  if (event.type === "init" && event.player === PLAYER1) {
    rememberSeat(event.rejoin);
  }
  change(update(game, event));
  if (nameState(game) === "gone") {
    forgetSeat();
  }
}

function change(newGame) {
  game = newGame;
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

function forgetSeat() {
  // With a key in the address it's another game that is gone, not the tab's.
  if (initEvent().join === recallSeat()) {
    tabStorage()?.removeItem("rejoin");
    history.replaceState(null, "");
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
    if (playableColumns(game).includes(column)) {
      send({ type: "play", column });
      // Nothing is shown before the server says so; but one click is one move.
      change({ ...game, sent: true });
    }
  });
}

function sendRematch(send) {
  document.querySelector(".rematch").addEventListener("click", () => {
    if (canAskRematch(game)) {
      send({ type: "rematch" });
      change({ ...game, sent: true });
    }
  });
}

// Make the buttons beside the links copy and share them.
function offerLinks() {
  for (const invitation of document.querySelectorAll(".invitation")) {
    const link = invitation.querySelector("a");
    const copy = invitation.querySelector(".copy");
    const share = invitation.querySelector(".share");
    copy.addEventListener("click", async () => {
      const copied = await copyLink(link);
      const note = copied
        ? "The link is copied."
        : "The link is selected. Copy it with your keyboard or menu.";
      change({ ...game, note });
      copy.textContent = copied ? "Copied" : "Copy";
      setTimeout(() => {
        copy.textContent = "Copy";
        if (game.note === note) {
          change({ ...game, note: "" });
        }
      }, COPIED_TIME);
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

// Copy the address of a link, and tell whether that worked.
async function copyLink(link) {
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

// Return the address of the page for somebody who opens it with a key, also on
// another machine, where "localhost" would be that machine.
function linkTo(name, key) {
  const url = new URL(window.location.pathname, window.location.href);
  const isHere = /^(localhost|127\..*|\[::1\])$/.test(url.hostname);
  const host = game.keys?.host;
  if (isHere && host) {
    url.hostname = host.includes(":") ? `[${host}]` : host;
  }
  url.searchParams.set(name, key);
  return url.href;
}

// Show the game, whatever the page showed before.
function render() {
  document.title = title(game);
  document.body.dataset.state = nameState(game);
  renderStatus();
  renderPlayers();
  renderBoard(document.querySelector(".board"), {
    moves: game.moves,
    line: game.winner === null ? [] : winningLine(game),
    playable: playableColumns(game),
    player: canPlay(game) ? game.player : null,
  });
  renderInvitations();
  renderActions();
}

function renderStatus() {
  for (const [name, text] of Object.entries(sentences(game))) {
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
    element.classList.toggle("you", player === game.player);
    element.classList.toggle("away", isLive(game) && !game.players.includes(player));
    element.classList.toggle(
      "turn",
      isLive(game) && !isOver(game) && turn(game) === player,
    );
    element.classList.toggle("winner", game.winner === player);
  }
  document.querySelector(".spectators").textContent = tellSpectators(game);
}

function renderInvitations() {
  const { keys, problem } = game;
  const isPlaying = keys !== null && isLive(game);
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
  const isFree = isPlaying && !game.players.includes(PLAYER2);
  setHidden(join.parentElement, !isFree);
  setHidden(watch.parentElement, !isPlaying && !isOffered);
  const isAway = hasMet(game, PLAYER2);
  join.parentElement.querySelector("h2").textContent = isAway
    ? "The way back for yellow"
    : "Play with a friend";
  join.parentElement.querySelector("p").textContent = isAway
    ? "Yellow can come back with this link, on any device."
    : "Send this link. Whoever opens it plays against you.";
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
  setHidden(document.querySelector(".rematch"), !canAskRematch(game));
  // Without a server there is nothing to start a game with.
  const isCutOff = ["reconnecting", "stopped"].includes(nameState(game));
  setHidden(document.querySelector(".new"), isCutOff);
}

// Hide or show an element. A focus inside goes to the board and isn't lost.
function setHidden(element, hidden) {
  if (hidden && element.contains(document.activeElement)) {
    document.querySelector(".board [tabindex='0']").focus();
  }
  element.hidden = hidden;
}
