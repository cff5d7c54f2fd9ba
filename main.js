// The page: it joins the board, the game, the seat and the connection. Events come in,
// clicks go out, and what one sees is a function of the state alone.

import { createBoard } from "./connect4.js";
import { connect } from "./page/connection.js";
import {
  INITIAL_STATE,
  canAskRematch,
  lookBack,
  sendMove,
  update,
  updateConnection,
} from "./page/game.js";
import { offerCodes, offerInvitation } from "./page/invitation.js";
import { PLAYERS, opponent } from "./page/rules.js";
import { createRoute, joinBy, watchBy } from "./page/seat.js";
import { describe, render } from "./page/view.js";
import { askAboutSeat, describeRefusal } from "./page/words.js";

// How often we look whether a seat is free that another tab has, in milliseconds.
const RETRY_INTERVAL = 5000;

// How long we ask before somebody's seat is given away who has just left.
const PATIENCE = 60_000;

const route = createRoute();

let state = { ...INITIAL_STATE, ...route.describe(), address: window.location.host };
let shown; // what there is to see: see describe() in page/view.js

let retryTimer;
let sound = null;

window.addEventListener("DOMContentLoaded", async () => {
  createBoard(document.querySelector(".board"));
  const begun = untilVisible().then(begin);
  await null; // The page is drawn while the connection is on its way.
  draw();
  offerCodes();
  offerInvitation((changes) => change({ ...state, ...changes }));
  offerLookingBack();
  offerNewGame();
  offerSound();
  const connection = await begun;
  offerMoves(connection);
  offerActs(connection);
});

function begin() {
  if (state.problem !== null) {
    // An address that isn't understood must not begin another game in silence.
    return { send() {}, reopen() {} };
  }
  const connection = connect({
    url: getWebSocketServer(),
    subprotocol: "connect4.v2",
    getInit: route.getInit,
    handleEvent: (event) => handleEvent(event, connection),
    handleState: (name) => handleConnection(name, connection),
  });
  return connection;
}

// Browsers load pages that nobody may ever look at. No match begins for them.
function untilVisible() {
  return new Promise((resolve) => {
    const check = () => {
      if (document.visibilityState === "visible" && !document.prerendering) {
        resolve();
      }
    };
    document.addEventListener("visibilitychange", check);
    document.addEventListener("prerenderingchange", check);
    check();
  });
}

// Return the address of the WebSocket server: the one from which the page came.
function getWebSocketServer() {
  const url = new URL("./", window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

function handleEvent(event, connection) {
  const before = state;
  state = update(state, event);
  if (state.past !== null) {
    return; // What is shown stays until all is told.
  }
  draw();
  if (before.past !== null) {
    arrive(connection);
  } else if (before.connection === "open") {
    sound?.tell(event, state, before);
  }
  route.keepSeat(state);
}

// A connection has told all that there is to know of a match.
function arrive({ send }) {
  const { sent } = state;
  route.arrive(state);
  if (sent !== null) {
    // The connection was lost before the server has told our move.
    send({ type: "play", column: sent.column });
  }
}

function handleConnection(name, connection) {
  const newState = updateConnection(state, name);
  if (name !== "closed") {
    change(newState);
  } else if (route.turn(newState)) {
    connection.reopen();
  } else {
    change({ ...newState, ...route.describe() });
    clearTimeout(retryTimer);
    retryTimer = setTimeout(() => retry(connection), RETRY_INTERVAL);
  }
}

// Look whether a seat that was taken is free now.
function retry({ reopen }) {
  if (shown.phase === "taken") {
    reopen();
  }
}

function change(newState) {
  state = newState;
  draw();
}

function draw() {
  shown = describe(state);
  render(shown);
}

// Send a move when a column is chosen, or say why it can't be.
function offerMoves({ send }) {
  const board = document.querySelector(".board");
  board.addEventListener("settle", draw);
  board.addEventListener("drop", ({ detail: { column } }) => {
    if (shown.board.playable.includes(column)) {
      send({ type: "play", column });
      change(sendMove(state, column));
    } else {
      change({ ...state, hint: describeRefusal(state, column) });
    }
  });
}

// Do what the buttons say.
function offerActs(connection) {
  const acts = {
    new: () => window.location.assign("./?new"),
    back: () => window.location.assign("./"),
    invite: () => change({ ...state, isInviting: true }),
    meet: () => window.location.assign(`./${state.partner}`),
    present: () => change(lookBack(state, Infinity)),
    room: () => openOtherSeat(connection),
    sit: () => go(connection, joinBy(state.keys.code)),
    watch: () => go(connection, watchBy(state.problem.watch)),
    rematch: () => {
      if (canAskRematch(state)) {
        connection.send({ type: "rematch" });
        change({ ...state, isAsking: true });
      }
    },
  };
  const act = document.querySelector(".act");
  act.addEventListener("click", () => acts[act.dataset.name]());
  for (const button of document.querySelectorAll(".quiet .room, .lobby .watch")) {
    button.addEventListener("click", ({ detail }) => {
      // Who clicks twice would open it once more, as a spectator who may not.
      if (detail < 2) {
        openOwnSeat(connection);
      }
    });
  }
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") {
      retry(connection);
    }
  });
}

function go({ reopen }, way) {
  route.go(way);
  reopen();
}

// Make room for somebody else, and watch.
function openOwnSeat({ send }) {
  send({ type: "open", player: state.player });
}

// Let somebody else have the seat of who is away; of both, if we only watch.
function openOtherSeat({ send }) {
  const { player, left } = state;
  const seats = player === null ? PLAYERS : [opponent(player)];
  const open = () => seats.forEach((seat) => send({ type: "open", player: seat }));
  const justLeft = seats.find((seat) => Date.now() - left[seat] < PATIENCE);
  if (justLeft === undefined) {
    open();
    return;
  }
  const dialog = document.querySelector(".ask");
  dialog.querySelector("p").textContent = askAboutSeat(justLeft);
  dialog.querySelector(".yes").onclick = () => {
    dialog.close();
    open();
  };
  dialog.querySelector(".no").onclick = () => dialog.close();
  dialog.showModal();
}

// Show an earlier move, by buttons, slider or arrows.
function offerLookingBack() {
  const show = (number) => {
    if (shown.review !== null) {
      change(lookBack(state, number));
    }
  };
  const step = (way) => show(shown.board.moves.length + way);
  const review = document.querySelector(".review");
  const slider = review.querySelector(".move");
  slider.addEventListener("input", () => show(slider.valueAsNumber));
  review.querySelector(".previous").addEventListener("click", () => step(-1));
  review.querySelector(".following").addEventListener("click", () => step(1));
  document.addEventListener("keydown", (event) => {
    const { key, target, altKey, ctrlKey, metaKey } = event;
    // In the board and in fields the arrows have their own meaning.
    const isElsewhere = !target.closest(".board, input");
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

// The game goes on in silence if the module doesn't come.
async function offerSound() {
  try {
    sound = await import("./page/sound.js");
    sound.offerSound(document.querySelector(".board"), () => state);
  } catch (error) {
    console.info(`There is no sound: ${error.message}`);
  }
}
