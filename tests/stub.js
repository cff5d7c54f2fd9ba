// Stands in for main.js where only the look of the page is tested: show(name) draws one
// of the states of a game, without a server. It is served in the place of main.js.

import { createBoard, isSettled, renderBoard } from "./connect4.js";
import { renderQRCode } from "./page/qrcode.js";
import { renderSentence } from "./page/view.js";

const $ = (selector) => document.querySelector(selector);
const board = $(".board");

// "r" and "y" for checkers, from the left and from above
function read(...rows) {
  const cells = rows.flatMap((text, i) =>
    [...text].map((letter, column) => ({ letter, column, row: rows.length - 1 - i })),
  );
  const of = (letter, player) =>
    cells
      .filter((cell) => cell.letter === letter)
      .map(({ column, row }) => ({ player, column, row }));
  return [...of("r", "red"), ...of("y", "yellow")];
}

const MIDDLE = read("...y...", "..ryr..", "..yrry.");
const WON = read("....y..", ".....y.", ".ry.yr.", "ry.yry.").concat(
  [2, 3, 4, 5].map((column) => ({ player: "red", column, row: column - 2 })),
);
const LINE = WON.slice(-4);
const FULL = read(..."yyyryyy rrryrrr yyyryyy rrryrrr yyyryyy rrryrrr".split(" "));
const ALL = [0, 1, 2, 3, 4, 5, 6];

const BASE = {
  player: "red",
  winner: "",
  card: "small",
  asked: "",
  names: ["You", "Yellow"],
  scores: ["1", "0"],
  plates: ["you", ""],
  sentence: "",
  act: null,
  watchers: 2,
  quiet: ["invite", "new"],
  review: false,
  lobby: [],
  moves: MIDDLE,
  line: [],
  playable: [],
  hand: null,
  ghost: null,
  sign: null,
  celebrates: false,
};
const WAITING = {
  phase: "waiting",
  card: "large",
  scores: ["0", ""],
  plates: ["you", "nobody"],
  quiet: [],
  watchers: 0,
  moves: [],
};
const AGAIN = ["Play again", "#again", "key"];
const OVER = {
  winner: "red",
  scores: ["2", "0"],
  plates: ["winner you", ""],
  sentence: "Four in a row!",
  act: AGAIN,
  quiet: ["invite", "room", "new"],
  review: true,
  moves: WON,
  line: LINE,
  sign: { text: "You win!", player: "red" },
};
const WATCHING = {
  player: "",
  names: ["Red", "Yellow"],
  quiet: ["invite", "new"],
  watchers: "You + 24",
};
const NOWHERE = { card: "none", moves: [], scores: ["", ""], quiet: [], watchers: 0 };

export const STATES = {
  connecting: { ...NOWHERE, phase: "connecting", sentence: "Connecting…" },
  unreachable: { ...NOWHERE, phase: "unreachable", sentence: "Can’t reach the games at 192.168.1.5:8000. A firewall may be why." },
  waiting: { ...WAITING, lobby: ["rule", "typed", "watch"] },
  somebody: { ...WAITING, lobby: ["somebody", "typed", "watch"] },
  turn: { phase: "turn", sentence: "Your turn", plates: ["you turn", ""], hand: "red", playable: ALL },
  theirs: { phase: "theirs", sentence: "Yellow’s turn", plates: ["you", "turn"], hand: "yellow" },
  open: { phase: "theirs", card: "open", sentence: "Yellow’s turn", plates: ["you", "turn"], hand: "yellow" },
  won: { ...OVER, phase: "won", celebrates: true },
  pressed: { ...OVER, phase: "won", asked: "red", act: ["Waiting for yellow…", "#dots", "pressed"] },
  lost: { ...OVER, phase: "lost", player: "yellow", names: ["Red", "You"], plates: ["winner", "you"], sign: { text: "Red wins!", player: "red" } },
  asked: { ...OVER, phase: "lost", player: "yellow", names: ["Red", "You"], plates: ["winner", "you"], sign: { text: "Red wins!", player: "red" }, asked: "red", sentence: "Red wants to play again.", act: ["Play again", "#again", "red"] },
  drawn: { ...OVER, phase: "drawn", winner: "", plates: ["you", ""], moves: FULL, line: [], sentence: "The board is full.", sign: { text: "A draw", player: null } },
  away: { phase: "away", plates: ["you turn", "away"], sentence: "Yellow is away.", act: ["Let somebody play", "#room", "key"] },
  watching: { ...WATCHING, phase: "watching", sentence: "Red’s turn", plates: ["turn", ""], scores: ["2", "1"], hand: "red", review: true },
  over: { ...OVER, ...WATCHING, phase: "over", act: null, plates: ["winner", ""], sign: { text: "Red wins!", player: "red" } },
  free: { ...WATCHING, phase: "watching", plates: ["turn", "nobody"], scores: ["1", ""], sentence: "Yellow’s seat is free.", act: ["Play", "#arrow", "yellow"], review: true },
  empty: { phase: "free", plates: ["you turn", "nobody"], scores: ["1", ""], sentence: "Yellow’s seat is free.", act: ["Invite", "#invite", "key"], quiet: ["new"] },
  reconnecting: { phase: "reconnecting", plates: ["you turn", ""], sentence: "The connection is lost. Reconnecting…" },
  gone: { phase: "gone", card: "none", sentence: "This game is gone.", act: ["New game", "#new", "key"], quiet: [], lobby: ["typed"] },
  unknown: { ...NOWHERE, phase: "gone", sentence: "No game has the code k7qx2m.", act: ["Back to your game", "#arrow", "key"], quiet: ["new"], lobby: ["typed"] },
  taken: { ...NOWHERE, phase: "taken", sentence: "You are playing this in another tab. When that is closed, it goes on here." },
};

createBoard(board);
$(".loading")?.remove();
$(".sound").hidden = false;

export function show(name, changes = {}) {
  const state = { ...BASE, ...STATES[name], ...changes };
  const { player, winner, card, asked, phase, act } = state;
  Object.assign(document.body.dataset, { player, winner, card, asked, phase });
  ["red", "yellow"].forEach((colour, i) => {
    $(`.plate.${colour}`).className = `plate ${colour} ${state.plates[i]}`;
    $(`.plate.${colour} .name`).textContent = state.names[i];
    $(`.plate.${colour} .score`).textContent = state.scores[i];
  });
  $(".watchers").hidden = state.watchers === 0;
  $(".count").textContent = state.watchers;
  renderSentence(state.sentence);
  $(".act").hidden = act === null;
  if (act !== null) {
    $(".act .label").textContent = act[0];
    $(".act use").setAttribute("href", act[1]);
    $(".act").dataset.look = act[2];
    $(".act").disabled = act[2] === "pressed";
    $(".act .checker").className = `checker ${act[2] === asked ? asked : ""}`;
  }
  $(".review").hidden = !state.review;
  $(".move").max = state.moves.length;
  $(".move").value = state.moves.length;
  $(".invitation").hidden = card === "none";
  $(".invitation h2").textContent = "Invite a friend";
  $(".invitation .address").textContent = "192.168.1.5:8000/";
  $(".invitation .code").textContent = "k7qx2m";
  $(".invitation .turn").textContent = "Link to watch";
  $(".invitation .share").hidden = false;
  $(".invitation .close").hidden = card !== "open";
  $(".qrcode").removeAttribute("hidden");
  renderQRCode($(".qrcode"), "http://192.168.1.5:8000/k7qx2m");
  $(".lobby").hidden = state.lobby.length === 0;
  for (const part of ["rule", "somebody", "typed", "watch"]) {
    $(`.lobby .${part}`).hidden = !state.lobby.includes(part);
  }
  $(".somebody .code").textContent = "q4m8tz";
  $(".quiet").hidden = state.quiet.length === 0;
  for (const part of ["invite", "room", "new"]) {
    $(`.quiet .${part}`).hidden = !state.quiet.includes(part);
  }
  renderBoard(board, state);
}

Object.assign(window, { STATES, show, renderBoard, isSettled });
show("connecting");
