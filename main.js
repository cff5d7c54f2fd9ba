// The page: it joins the board, the game, the seat and the connection. Events come in,
// clicks go out, and what one sees is a function of the state alone.

import { createBoard } from "./connect4.js";
import { connect } from "./page/connection.js";
import {
  INITIAL_STATE,
  canAskRematch,
  canLookBack,
  isCurrent,
  isFull,
  isNotFound,
  isPlaying,
  isShared,
  lookBack,
  playableColumns,
  sendMove,
  shownMoves,
  update,
  updateConnection,
} from "./page/game.js";
import { offerCopying } from "./page/invitation.js";
import { PLAYERS, opponent } from "./page/rules.js";
import {
  CODE_LENGTH,
  findWays,
  forgetPlace,
  forgetSeat,
  joinBy,
  readAddress,
  rememberSeat,
  showPlace,
  storedSeats,
  watchBy,
  waysBack,
} from "./page/seat.js";
import { describe, offerFocus, render } from "./page/view.js";
import { askAboutSeat, describeRefusal } from "./page/words.js";

// How often we look whether a seat is free that another tab has, in milliseconds.
const RETRY_INTERVAL = 5000;

// How long we ask before somebody's seat is given away who has just left.
const PATIENCE = 60_000;

// How to get to a match: the first of these, and if that leads to none, the next.
const address = readAddress(window.location);
let ways = findWays(address, history.state, storedSeats());

let state = {
  ...INITIAL_STATE,
  address: window.location.host,
  // An address that isn't understood must not begin another game in silence.
  problem: ways.length > 0 ? null : { message: "This address leads to no game." },
  typed: address.key?.length === CODE_LENGTH ? address.key : "",
  hasSeat: storedSeats().length > 0,
};

let sound = null;

window.addEventListener("DOMContentLoaded", async () => {
  createBoard(document.querySelector(".board"));
  const begun = untilVisible().then(begin);
  await null; // The page is drawn while the connection is on its way.
  draw();
  offerCodes();
  offerInvitation();
  offerLookingBack();
  offerNewGame();
  offerSound();
  const connection = await begun;
  offerMoves(connection);
  offerActs(connection);
});

function begin() {
  if (ways.length === 0) {
    return { send() {}, reopen() {} };
  }
  const connection = connect({
    url: getWebSocketServer(),
    subprotocol: "connect4.v2",
    getInit: () => ways[0].event,
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
  if (isPlaying(state) && !isPlaying(before)) {
    offerFocus();
  }
  keepSeat();
}

// A connection has told all that there is to know of a match.
function arrive({ send }) {
  const { player, keys, sent } = state;
  ways = player === null ? [watchBy(keys.watch)] : waysBack({ ...keys, key: keys.rejoin });
  showPlace({ ...keys, player });
  if (sent !== null) {
    // The connection was lost before the server has told our move.
    send({ type: "play", column: sent.column });
  }
}

function handleConnection(name, connection) {
  const newState = updateConnection(state, name);
  if (name === "closed") {
    const left = waysLeft(newState);
    if (left.length > 0) {
      ways = left;
      connection.reopen();
      return;
    }
    newState.isOurs = ways[0].isOurs === true;
    newState.hasSeat = storedSeats().length > 0;
    if (isTaken(newState)) {
      setTimeout(() => retry(connection), RETRY_INTERVAL);
    } else {
      forgetPlace();
    }
  }
  change(newState);
}

// Return the ways that are left when the first has led to no match.
function waysLeft(newState) {
  const [{ event, code, isOurs }, ...others] = ways;
  if (isNotFound(newState)) {
    forgetSeat(event.join);
    return code ? [joinBy(code), ...others] : others;
  }
  return isTaken(newState) && !isOurs ? others : [];
}

function isTaken({ problem }) {
  return problem?.watch !== undefined;
}

// Look whether a seat that was taken is free now.
function retry({ reopen }) {
  if (isTaken(state)) {
    reopen();
  }
}

let kept = "";

// Store the seat, once more when somebody else has come.
function keepSeat() {
  const { player, keys } = state;
  if (isCurrent(state) && player !== null && keys.code !== null) {
    const seat = { code: keys.code, key: keys.rejoin, isShared: isShared(state) };
    if (kept !== JSON.stringify(seat)) {
      kept = JSON.stringify(seat);
      rememberSeat(seat);
    }
  }
}

function change(newState) {
  state = newState;
  draw();
}

function draw() {
  render(describe(state));
}

// Send a move when a column is chosen, or say why it can't be.
function offerMoves({ send }) {
  const board = document.querySelector(".board");
  board.addEventListener("settle", draw);
  board.addEventListener("drop", ({ detail: { column } }) => {
    if (playableColumns(state).includes(column)) {
      send({ type: "play", column });
      change(sendMove(state, column));
    } else {
      const hint = describeRefusal(state, isFull(state, column), column);
      change({ ...state, hint });
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
    button.addEventListener("click", () => openOwnSeat(connection));
  }
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") {
      retry(connection);
    }
  });
}

function go({ reopen }, way) {
  ways = [way];
  reopen();
}

// Make room for somebody else, and watch.
function openOwnSeat({ send }) {
  const { player, keys } = state;
  if (isCurrent(state) && player !== null) {
    forgetSeat(keys.rejoin);
    kept = "";
    send({ type: "open", player });
  }
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

function offerInvitation() {
  const set = (changes) => change({ ...state, ...changes });
  offerCopying((note) => set({ note }));
  for (const button of document.querySelectorAll(".quiet .invite, .invitation .invite")) {
    button.addEventListener("click", () => set({ isInviting: true }));
  }
  const card = document.querySelector(".invitation");
  card.querySelector(".turn").addEventListener("click", () => {
    set({ side: state.side === "join" ? "watch" : "join" });
  });
  const close = () => set({ isInviting: false, side: "join" });
  card.querySelector(".close").addEventListener("click", close);
  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && state.isInviting) {
      close();
    }
  });
}

// Go to the match whose code somebody types, or pastes with all that is around it.
function offerCodes() {
  const form = document.querySelector(".typed");
  const input = form.querySelector("input");
  const follow = () => {
    const { name, key } = readTyped(input.value);
    if (key !== undefined) {
      window.location.assign(name === "join" ? `./${key}` : `./?watch=${key}`);
    }
    return key !== undefined;
  };
  input.addEventListener("input", () => {
    input.setCustomValidity("");
    follow();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!follow()) {
      input.setCustomValidity("A code has six letters and digits.");
      input.reportValidity();
    }
  });
  window.addEventListener("hashchange", () => window.location.reload());
}

// Return what a code, or a link to a match, asks for.
function readTyped(text) {
  try {
    return readAddress(new URL(text.trim().replace(/[/]+$/, ""), window.location.href));
  } catch {
    return {}; // That is no address.
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
