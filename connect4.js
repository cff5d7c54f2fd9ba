// The board: it draws checkers, lets them fall, and reports what somebody chooses. It
// knows no rules and no network. Columns are numbered 0 to 6 from the left, rows 0 to
// 5 from the bottom; players are "red" and "yellow".
//
// It tells what happens by events on its element:
//
//   drop    { column }                      somebody has chosen a column
//   fall    { player, column, row, delay }  a checker falls, and lands in so many s
//   light   { delays }                      the line lights up, cell after cell, in s
//   settle                                  all that is new stands there, and rests
//
// How things move, and how long, is said in the style sheet.

import { COLUMNS, PLAYER1, PLAYER2, ROWS } from "./page/rules.js";

const MIDDLE = (COLUMNS - 1) / 2;

// How many checkers rain on a winner.
const DROPS = 26;

// The animations for which the end waits, by their names in the style sheet.
const MOTIONS = ["fall", "bounce", "appear", "light", "sign", "leave"];

// A tap is followed by a click, which is no second choice. In milliseconds.
const TAP_TIME = 700;

const NO_END = { line: [], sign: null, celebrates: false };

// What each board shows, and where its hand is.
const views = new WeakMap();

// Build an empty board inside an element:
//
//   div.board[role=toolbar]
//     svg.back                         the rear plate, with the slot
//     div.rain                         checkers, while it rains
//     span.hand.checker.red.mine       who is to move, in the slot
//     button.column[data-column=0]     click, Enter, Space, ↓ or 1 to 7
//       span.cell.empty                row 0, at the bottom
//       span.cell.red.last.falling     row 1, where the last checker landed
//       span.cell.empty.landing        row 2, where the one in the hand would land
//       …
//     button.column[data-column=1]
//       span.cell.empty.ghost.ghost-red    sent, but not yet confirmed
//       …
//     div.leaving                      checkers that fall out of the bottom
//     svg.face                         the plate with the holes
//     span.foot
//     span.sign.red                    the result, plugged into the top
//
// Checkers are behind the face. When a line is lit, the board is .over and the cells
// are .line. A column in which one cannot play has aria-disabled="true".
export function createBoard(board) {
  board.setAttribute("role", "toolbar");
  board.setAttribute("aria-label", "Board");
  board.insertAdjacentHTML("beforeend", drawBack());
  append(board, "div", "rain");
  append(board, "span", "hand checker");
  for (let column = 0; column < COLUMNS; column++) {
    const columnElement = document.createElement("button");
    columnElement.type = "button";
    columnElement.className = "column";
    columnElement.dataset.column = column;
    columnElement.setAttribute("aria-disabled", true);
    for (let row = 0; row < ROWS; row++) {
      const cellElement = document.createElement("span");
      cellElement.className = "cell empty";
      cellElement.dataset.column = column;
      columnElement.append(cellElement);
    }
    board.append(columnElement);
    nameColumn(columnElement);
  }
  append(board, "div", "leaving");
  board.insertAdjacentHTML("beforeend", drawFace());
  append(board, "span", "foot");
  append(board, "span", "sign").hidden = true;
  views.set(board, {
    column: MIDDLE, // where my hand is
    hand: null,
    playable: [],
    end: NO_END,
    isDrawn: false,
    isSettled: true,
    run: 0, // how often something new was drawn
    thumb: null, // the pointer that slides
    lifted: -Infinity, // when it was lifted
  });
  setTabStop(board, MIDDLE);
  listen(board);
}

// Put a checker of a player ("red" or "yellow") in a cell of the board.
// Throw an error if there is no such player or cell, or if it isn't empty.
export function playMove(board, player, column, row) {
  if (player !== PLAYER1 && player !== PLAYER2) {
    throw new RangeError(`The player is ${PLAYER1} or ${PLAYER2}, not ${player}.`);
  }
  const cellElement = cellAt(board, { column, row });
  if (cellElement === undefined) {
    throw new RangeError(`There is no column ${column} with a row ${row}.`);
  }
  if (!cellElement.classList.replace("empty", player)) {
    throw new Error(`Row ${row} of column ${column} isn't empty.`);
  }
  nameColumn(cellElement.parentElement);
}

// Draw the board, whatever it showed before. If one checker is new, it falls. If
// several are, they are the past, and stand there. If all are gone, they fall out.
//
//   moves       the checkers, as [{ player, column, row }] in the order of play
//   line        cells to light, one after the other, as [{ column, row }]
//   playable    the columns in which a click is a move, as [column]
//   hand        whose checker stands in the slot, or null; mine if I may play
//   ghost       a move that nobody has confirmed, { player, column, row }, or null
//   sign        the result, as { text, player }, or null; without a player, a draw
//   celebrates  whether it rains
export function renderBoard(board, description) {
  const { moves, line, playable, hand, ghost, sign, celebrates } = description;
  const view = views.get(board);
  const { added, removed } = placeCheckers(board, moves);
  for (const columnElement of columnsOf(board)) {
    const isPlayable = playable.includes(columnOf(columnElement));
    columnElement.setAttribute("aria-disabled", !isPlayable);
    nameColumn(columnElement);
  }
  markCell(board, "last", moves.at(-1));
  markCell(board, "ghost", ghost);
  for (const player of [PLAYER1, PLAYER2]) {
    markCell(board, `ghost-${player}`, ghost?.player === player ? ghost : null);
  }
  Object.assign(view, { playable, hand });
  renderHand(board);
  const end = { line, sign, celebrates };
  // It isn't another end because nobody celebrates any more.
  const isNewEnd = isOther(line, view.end.line) || isOther(sign, view.end.sign);
  const isStep = view.isDrawn && added.length <= 1 && removed.length === 0;
  Object.assign(view, { end, isDrawn: true });
  if (!isNewEnd && added.length + removed.length === 0) {
    return; // What moves goes on.
  }
  renderEnd(board, NO_END, false);
  if (moves.length === 0) {
    leave(board, removed);
  } else if (isStep && added.length === 1) {
    fall(board, added[0]);
  }
  finish(board, isStep);
}

function isOther(value, before) {
  return JSON.stringify(value) !== JSON.stringify(before);
}

// Return whether all that was drawn stands there, and rests.
export function isSettled(board) {
  return views.get(board).isSettled;
}

// What happens, one thing after the other

// Let a checker fall from the hand into its cell.
async function fall(board, { player, column, row }) {
  const cellElement = cellAt(board, { column, row });
  let delay = 0;
  if (canMove()) {
    cellElement.classList.add("falling");
    await drawn();
    const [animation] = animations(cellElement, "fall");
    delay = (animation?.effect.getComputedTiming().endTime ?? 0) / 1000;
  }
  report(board, "fall", { player, column, row, delay });
}

// Let checkers that are no longer in the game fall out of the bottom.
function leave(board, cells) {
  const checkers = cells.map(({ player, column, row }) => {
    const checker = document.createElement("span");
    checker.className = `checker ${player}`;
    checker.style.setProperty("--column", column);
    checker.style.setProperty("--row", row);
    return checker;
  });
  board.querySelector(".leaving").replaceChildren(...(canMove() ? checkers : []));
}

// When all checkers have landed, show the end, if it is one; and tell when it stands.
// Where nothing moves, all of this happens at once.
async function finish(board, isStep) {
  const view = views.get(board);
  const run = ++view.run;
  const isOutdated = () => view.run !== run;
  view.isSettled = false;
  if (canMove()) {
    await standStill(board);
    if (isOutdated()) {
      return; // Something newer is drawn, and goes on from here.
    }
  }
  beginEnd(board, isStep);
  if (canMove()) {
    await standStill(board);
    if (isOutdated()) {
      return;
    }
  }
  view.isSettled = true;
  for (const cellElement of board.querySelectorAll(".falling")) {
    cellElement.classList.remove("falling");
  }
  board.querySelector(".leaving").replaceChildren();
  queueMicrotask(() => isOutdated() || report(board, "settle"));
}

// Light the line, plug in the sign, and let it rain; at once if it is the past.
function beginEnd(board, isStep) {
  const { end } = views.get(board);
  renderEnd(board, end, end.sign !== null && isStep && canMove());
  if (isStep && end.line.length > 0) {
    const delays = end.line.map((cell) => {
      const [animation] = animations(cellAt(board, cell), "light");
      return (animation?.effect.getComputedTiming().delay ?? 0) / 1000;
    });
    report(board, "light", { delays });
  }
}

// Nothing moves if somebody doesn't want it, or can't see it.
export function canMove() {
  const isReduced = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  return !isReduced && !document.hidden;
}

// Wait until all else that is new on the page is drawn, too. Whoever asks for animations
// before that makes the browser work out its styles twice.
function drawn() {
  return Promise.resolve();
}

// Return the animations of these names in an element.
function animations(element, ...names) {
  return element
    .getAnimations({ subtree: true })
    .filter(({ animationName }) => names.includes(animationName));
}

// Wait until nothing moves on the board.
async function standStill(board) {
  await drawn();
  await rest(animations(board, ...MOTIONS));
}

// Wait until animations have ended. Those that are cancelled have, and a browser that
// doesn't tell isn't waited for.
async function rest(moving) {
  if (moving.length === 0) {
    return;
  }
  const ends = moving.map(({ effect }) => effect.getComputedTiming().endTime);
  await Promise.race([
    Promise.allSettled(moving.map(({ finished }) => finished)),
    new Promise((resolve) => setTimeout(resolve, Math.max(...ends) + 500)),
  ]);
}

function report(board, type, detail = null) {
  board.dispatchEvent(new CustomEvent(type, { detail }));
}

// What one sees

// Put checkers where they belong. Return those that came, and those that went.
function placeCheckers(board, moves) {
  const added = [];
  const removed = [];
  for (const columnElement of columnsOf(board)) {
    const column = columnOf(columnElement);
    cellsOf(columnElement).forEach((cellElement, row) => {
      const move = moves.find((each) => each.column === column && each.row === row);
      const player = playerIn(cellElement);
      if (player === move?.player) {
        return;
      }
      if (player !== undefined) {
        cellElement.className = "cell empty";
        removed.push({ player, column, row });
      }
      if (move !== undefined) {
        playMove(board, move.player, column, row);
        added.push(move);
      }
    });
  }
  return { added, removed };
}

// Show the result, or none.
function renderEnd(board, { line, sign, celebrates }, isLively) {
  board.classList.toggle("over", line.length > 0);
  board.classList.toggle("lively", isLively);
  for (const cellElement of board.querySelectorAll(".line")) {
    cellElement.classList.remove("line");
  }
  line.forEach((cell, order) => {
    const cellElement = cellAt(board, cell);
    cellElement.style.setProperty("--order", order);
    cellElement.classList.add("line");
  });
  const signElement = board.querySelector(".sign");
  signElement.hidden = sign === null;
  signElement.className = `sign ${sign?.player ?? "draw"}`;
  signElement.replaceChildren();
  if (sign !== null) {
    append(signElement, "span", `checker ${sign.player ?? PLAYER1}`);
    append(signElement, "span", "text").textContent = sign.text;
    if (sign.player === null) {
      append(signElement, "span", `checker ${PLAYER2}`);
    }
  }
  board.querySelector(".rain").replaceChildren();
  if (celebrates && isLively && sign?.player) {
    rain(board, sign.player);
  }
}

// Let it rain checkers, spread over the board, in sizes, turns and times of their own.
async function rain(board, player) {
  const rainElement = board.querySelector(".rain");
  const checkers = Array.from({ length: DROPS }, (_, i) => {
    const checker = append(rainElement, "span", `checker ${player}`);
    checker.style.setProperty("--place", (i * 0.618) % 1);
    checker.style.setProperty("--large", (i * 0.387) % 1);
    checker.style.setProperty("--late", (i * 0.271) % 1);
    return checker;
  });
  await rest(animations(rainElement, "rain"));
  checkers.forEach((checker) => checker.remove());
}

// Show whose checker is in the hand, and where it would land.
function renderHand(board) {
  const { column, hand, playable } = views.get(board);
  const isMine = playable.length > 0;
  let handElement = board.querySelector(".hand");
  const className = hand === null ? "hand" : `hand checker ${hand}`;
  const wanted = isMine && hand !== null ? `${className} mine` : className;
  if (handElement.className !== wanted) {
    // Another hand comes, and doesn't slide from where the last one was.
    const newElement = handElement.cloneNode();
    newElement.className = wanted;
    handElement.replaceWith(newElement);
    handElement = newElement;
  }
  handElement.style.setProperty("--column", isMine ? column : MIDDLE);
  const row = firstEmptyRow(columnsOf(board)[column]);
  const isShown = hand !== null && playable.includes(column) && row >= 0;
  markCell(board, "landing", isShown ? { column, row } : null);
}

// Give a class to one cell only, or to none.
function markCell(board, name, cell) {
  const cellElement = cell ? cellAt(board, cell) : null;
  for (const each of board.querySelectorAll(`.${name}`)) {
    each.classList.toggle(name, each === cellElement);
  }
  cellElement?.classList.add(name);
}

// Say what a column holds, from the bottom, and where a checker would land in it:
// "Column 4: red, yellow, 4 free, lands in row 3".
function nameColumn(columnElement) {
  const parts = cellsOf(columnElement).map(playerIn).filter(Boolean);
  const row = firstEmptyRow(columnElement);
  parts.push(row < 0 ? "full" : `${ROWS - row} free`);
  if (columnElement.getAttribute("aria-disabled") === "false" && row >= 0) {
    parts.push(`lands in row ${row + 1}`);
  }
  const name = `Column ${columnOf(columnElement) + 1}: ${parts.join(", ")}`;
  if (columnElement.getAttribute("aria-label") !== name) {
    columnElement.setAttribute("aria-label", name);
  }
}

// Make a column the one that Tab reaches.
function setTabStop(board, column) {
  for (const columnElement of columnsOf(board)) {
    columnElement.tabIndex = columnOf(columnElement) === column ? 0 : -1;
  }
}

function columnsOf(board) {
  return Array.from(board.querySelectorAll(".column"));
}

function columnOf(element) {
  return Number(element.dataset.column);
}

function cellsOf(columnElement) {
  return Array.from(columnElement.children);
}

function cellAt(board, { column, row }) {
  return columnsOf(board)[column]?.children[row];
}

function playerIn({ classList }) {
  return [PLAYER1, PLAYER2].find((player) => classList.contains(player));
}

function firstEmptyRow(columnElement) {
  return cellsOf(columnElement).findIndex((cell) => playerIn(cell) === undefined);
}

// Append what is only looked at.
function append(parent, name, className) {
  const element = document.createElement(name);
  element.className = className;
  element.setAttribute("aria-hidden", true);
  parent.append(element);
  return element;
}

// What people do

function listen(board) {
  const view = views.get(board);
  board.addEventListener("focusin", ({ target }) => {
    setTabStop(board, columnOf(target));
    aim(board, columnOf(target));
  });
  board.addEventListener("keydown", (event) => handleKey(board, event));
  board.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse") {
      // A second finger is no choice: it zooms.
      view.thumb = event.isPrimary ? event.pointerId : null;
      aim(board, columnUnder(board, event));
    }
  });
  board.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" || event.pointerId === view.thumb) {
      aim(board, columnUnder(board, event));
    }
  });
  board.addEventListener("pointerup", (event) => {
    if (event.pointerId === view.thumb) {
      view.thumb = null;
      view.lifted = event.timeStamp;
      drop(board, columnUnder(board, event));
    }
  });
  board.addEventListener("pointercancel", () => {
    view.thumb = null;
  });
  board.addEventListener("click", (event) => {
    const columnElement = event.target.closest(".column");
    const isTap = event.detail > 0 && event.timeStamp - view.lifted < TAP_TIME;
    if (columnElement !== null && !isTap) {
      drop(board, columnOf(columnElement));
    }
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      // Nobody sees it, and a hidden page may wait for long.
      for (const animation of animations(board, ...MOTIONS, "rain")) {
        animation.finish();
      }
    }
  });
}

// Hold the hand over a column. Where there is none, it stays where it is.
function aim(board, column) {
  const view = views.get(board);
  if (column !== null && column !== view.column) {
    view.column = column;
    renderHand(board);
  }
}

// Choose a column.
function drop(board, column) {
  aim(board, column);
  if (column !== null) {
    report(board, "drop", { column });
  }
}

// Return the column under a pointer, or null outside of the board.
function columnUnder(board, { clientX, clientY }) {
  const { left, right, top, bottom } = board.getBoundingClientRect();
  if (clientX < left || clientX > right || clientY < top || clientY > bottom) {
    return null;
  }
  const column = Math.floor(((clientX - left) / (right - left)) * COLUMNS);
  return Math.min(column, COLUMNS - 1);
}

// Move between columns, or choose one: a key is as good as a pointer. Digits are where
// they are on the keyboard, whatever is printed on them. Elsewhere than in the board
// keys belong to what has the focus (WCAG 2.1.4).
function handleKey(board, event) {
  if (event.altKey || event.ctrlKey || event.metaKey) {
    return;
  }
  const columns = columnsOf(board);
  const column = columnOf(event.target);
  const [, digit] = /^(?:Digit|Numpad)([1-7])$/.exec(event.code) ?? [];
  if (digit !== undefined) {
    choose(Number(digit) - 1);
  } else {
    switch (event.key) {
      case "ArrowLeft":
        columns[(column + COLUMNS - 1) % COLUMNS].focus();
        break;
      case "ArrowRight":
        columns[(column + 1) % COLUMNS].focus();
        break;
      case "Home":
        columns[0].focus();
        break;
      case "End":
        columns[COLUMNS - 1].focus();
        break;
      case "ArrowDown":
        choose(column);
        break;
      default:
        // Enter and Space click. A key that is held down clicks once.
        if (event.key !== "Enter" || !event.repeat) {
          return;
        }
    }
  }
  event.preventDefault();

  function choose(column) {
    if (!event.repeat) {
      drop(board, column);
    }
  }
}

// The drawings, in cells: the corner of the cell on the top left is the origin.

const BOX = "-.13 -.16 7.26 6.29";

function drawBack() {
  const plate = rectangle(-0.08, -0.26, 7.08, 6, 0.3) + holes(0.345, 0.012);
  return `
    <svg class="back" viewBox="${BOX}" aria-hidden="true">
      <path class="panel" d="${plate}" fill-rule="evenodd" />
      <path class="slot" d="M.18-.238H6.82" />
    </svg>`;
}

function drawFace() {
  const plate = rectangle(-0.13, -0.16, 7.13, 6.13, 0.32, 0.1) + holes(0.408);
  const edge = rectangle(-0.108, -0.138, 7.108, 6.108, 0.298, 0.078);
  const rims = centres().map(([x, y]) => `<circle cx="${x}" cy="${y}" r=".433" />`);
  return `
    <svg class="face" viewBox="${BOX}" aria-hidden="true">
      <linearGradient id="face-fill" x2="0" y2="1">
        <stop class="face-1" />
        <stop class="face-2" offset=".5" />
        <stop class="face-3" offset="1" />
      </linearGradient>
      <linearGradient id="face-edge" x2="0" y2="1">
        <stop class="lit" />
        <stop class="lit" offset=".06" stop-opacity=".12" />
        <stop class="lit" offset=".94" stop-opacity=".12" />
        <stop class="dark" offset="1" />
      </linearGradient>
      <linearGradient id="hole-rim" x2="0" y2="1">
        <stop class="dark" />
        <stop class="lit" offset=".55" stop-opacity=".08" />
        <stop class="lit" offset=".8" stop-opacity=".3" />
        <stop class="lit" offset="1" stop-opacity=".85" />
      </linearGradient>
      <path class="panel" d="${plate}" fill-rule="evenodd" />
      <path class="edge" d="${edge}" />
      <g class="rims">${rims.join("")}</g>
    </svg>`;
}

function centres() {
  return Array.from({ length: COLUMNS * ROWS }, (_, i) => [
    (i % COLUMNS) + 0.5,
    Math.floor(i / COLUMNS) + 0.5,
  ]);
}

function holes(r, down = 0) {
  const [to, from] = [`a${r} ${r} 0 1 0 ${2 * r} 0`, `a${r} ${r} 0 1 0 ${-2 * r} 0z`];
  return centres()
    .map(([x, y]) => `M${x - r} ${y + down}${to}${from}`)
    .join("");
}

// A rectangle with round corners, others below than above if it is told.
function rectangle(left, top, right, bottom, above, below = above) {
  const turn = (r, x, y) => `a${r} ${r} 0 0 1 ${x * r} ${y * r}`;
  return (
    `M${left} ${top + above}${turn(above, 1, -1)}H${right - above}${turn(above, 1, 1)}` +
    `V${bottom - below}${turn(below, -1, 1)}H${left + below}${turn(below, -1, -1)}z`
  );
}
