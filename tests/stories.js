// Stands in for main.js where a page is told stories, without a server: tell() begins
// one, go() goes on. The page draws itself as it does at any time (see stories.py).

import { createBoard, isSettled } from "./connect4.js";
import * as game from "./page/game.js";
import * as sound from "./page/sound.js";
import { offerInvitation } from "./page/invitation.js";
import { describe, render } from "./page/view.js";
import * as words from "./page/words.js";

const board = document.querySelector(".board");
let state;

function follow(step) {
  switch (Object.keys(step)[0]) {
    case "type":
      return game.update(state, step, 1000);
    case "connection":
      return game.updateConnection(state, step.connection);
    case "back":
      return game.lookBack(state, step.back);
    case "column":
      return game.sendMove(state, step.column);
    default:
      return { ...state, ...step };
  }
}

// Follow a story to its end without drawing it; return the state.
function imagine(steps) {
  state = { ...game.INITIAL_STATE, address: "10.0.0.1:8000" };
  for (const step of steps) {
    state = follow(step);
  }
  return state;
}

const draw = () => render(describe(state));

function tell(steps) {
  imagine(steps);
  draw();
}

function go(steps) {
  for (const step of steps) {
    const before = state;
    state = follow(step);
    draw();
    sound.tell(step, state, before);
  }
}

createBoard(board);
board.addEventListener("settle", draw);
offerInvitation((changes) => go([changes]));
sound.offerSound(board, () => state);
Object.assign(window, { board, describe, game, go, imagine, isSettled, tell, words });
