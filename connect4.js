// The board: it draws checkers and reports clicks. It knows no rules and no
// network. Columns are numbered 0 to 6 from the left, rows 0 to 5 from the
// bottom; players are "red" and "yellow".

import { COLUMNS, PLAYER1, PLAYER2, ROWS } from "./page/rules.js";

export const isSettled = () => true;

// Build an empty board inside an element:
//
//   div.board[role=toolbar]
//     button.column[data-column=0]     click, Enter, Space, ↓ or 1 to 7
//       span.cell.empty                row 0, at the bottom
//       span.cell.red.last.falling     row 1, where the last checker landed
//       …
//     button.column[data-column=1]
//       …
//
// A column in which one cannot play has aria-disabled="true". Cells have
// data-column as well, so that the target of a click tells the column.
export function createBoard(board) {
  board.setAttribute("role", "toolbar");
  board.setAttribute("aria-label", "Board");
  for (let column = 0; column < COLUMNS; column++) {
    const columnElement = document.createElement("button");
    columnElement.type = "button";
    columnElement.className = "column";
    columnElement.dataset.column = column;
    for (let row = 0; row < ROWS; row++) {
      const cellElement = document.createElement("span");
      cellElement.className = "cell empty";
      cellElement.dataset.column = column;
      columnElement.append(cellElement);
    }
    board.append(columnElement);
    nameColumn(columnElement);
  }
  setTabStop(board, (COLUMNS - 1) / 2);
  board.addEventListener("focusin", ({ target }) => {
    setTabStop(board, Number(target.dataset.column));
  });
  document.addEventListener("keydown", (event) => handleKey(board, event));
  board.addEventListener("click", ({ target }) => {
    const column = Number(target.dataset.column);
    board.dispatchEvent(new CustomEvent("drop", { detail: { column } }));
  });
}

// Put a checker of a player ("red" or "yellow") in a cell of the board.
// Throw an error if there is no such player or cell, or if it isn't empty.
export function playMove(board, player, column, row) {
  if (player !== PLAYER1 && player !== PLAYER2) {
    throw new RangeError(`The player is ${PLAYER1} or ${PLAYER2}, not ${player}.`);
  }
  const columnElement = board.querySelectorAll(".column")[column];
  const cellElement = columnElement?.querySelectorAll(".cell")[row];
  if (cellElement === undefined) {
    throw new RangeError(`There is no column ${column} with a row ${row}.`);
  }
  if (!cellElement.classList.replace("empty", player)) {
    throw new Error(`Row ${row} of column ${column} isn't empty.`);
  }
  nameColumn(columnElement);
}

// Draw the board, whatever it showed before. If one checker is new, it falls. If
// several are, they are the past, and stand there.
//
//   moves      the checkers, as [{ player, column, row }] in the order of play
//   line       cells to highlight, one after the other, as [{ column, row }]
//   playable   the columns in which a click is a move, as [column]
//   player     whose checker to show above a playable column, or null
export function renderBoard(board, { moves, line, playable, hand, ghost }) {
  const last = moves.at(-1);
  const newCells = [];
  for (const columnElement of board.querySelectorAll(".column")) {
    const column = Number(columnElement.dataset.column);
    columnElement.querySelectorAll(".cell").forEach((cellElement, row) => {
      const here = (cell) => cell?.column === column && cell?.row === row;
      const move = moves.find(here);
      const checker = move === undefined ? "empty" : move.player;
      if (!cellElement.classList.contains(checker)) {
        cellElement.className = "cell empty";
      }
      if (move !== undefined && cellElement.classList.contains("empty")) {
        playMove(board, move.player, column, row);
        newCells.push(cellElement);
      }
      cellElement.classList.toggle("last", here(last));
      cellElement.classList.toggle("line", line.some(here));
      cellElement.style.setProperty("--order", line.findIndex(here));
    });
    columnElement.setAttribute("aria-disabled", !playable.includes(column));
    nameColumn(columnElement);
  }
  for (const cellElement of newCells) {
    board.querySelector(".falling")?.classList.remove("falling");
    cellElement.classList.toggle("falling", newCells.length === 1);
  }
  board.dataset.player = hand ?? "";
  for (const e of board.querySelectorAll(".ghost")) e.classList.remove("ghost");
  if (ghost) board.querySelectorAll(".column")[ghost.column].querySelectorAll(".cell")[ghost.row].classList.add("ghost");
}

// Return how long a checker falls into a row, in seconds, as in the style sheet.
export function fallTime(row) {
  return (ROWS + 0.4 - row) * 0.07;
}

// Say what a column holds, from the bottom: "Column 4: red, yellow, 4 free".
function nameColumn(columnElement) {
  const cells = Array.from(columnElement.querySelectorAll(".cell"));
  const players = [PLAYER1, PLAYER2];
  const checkers = cells.flatMap(({ classList }) =>
    players.filter((player) => classList.contains(player)),
  );
  const free = ROWS - checkers.length;
  checkers.push(free === 0 ? "full" : `${free} free`);
  const number = Number(columnElement.dataset.column) + 1;
  columnElement.setAttribute("aria-label", `Column ${number}: ${checkers.join(", ")}`);
}

// Make a column the one that Tab reaches.
function setTabStop(board, column) {
  for (const columnElement of board.querySelectorAll(".column")) {
    const isTabStop = Number(columnElement.dataset.column) === column;
    columnElement.tabIndex = isTabStop ? 0 : -1;
  }
}

// Move between columns, or click one: a key is as good as a pointer.
function handleKey(board, event) {
  const { key, target } = event;
  const columns = board.querySelectorAll(".column");
  const isInside = board.contains(target);
  // Elsewhere the keys belong to what has the focus (WCAG 2.1.4).
  const isOurs = isInside || target === document.body;
  if (!isOurs || event.altKey || event.ctrlKey || event.metaKey) {
    return;
  }
  if (/^[1-7]$/.test(key)) {
    dropIn(columns[Number(key) - 1]);
    return;
  }
  if (!isInside) {
    return;
  }
  const column = Number(target.dataset.column);
  switch (key) {
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
      dropIn(target);
      break;
    default:
      return;
  }
  event.preventDefault();

  function dropIn(columnElement) {
    // A key that is held down is one move.
    if (!event.repeat) {
      columnElement.click();
    }
  }
}
