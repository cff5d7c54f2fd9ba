// What the page knows of a game, and how it is told in words. Events go in,
// facts and sentences come out: no network here, and no elements of the page.

import { COLUMNS, PLAYER1, PLAYER2, ROWS } from "./connect4.js";

// The state of a page that has not heard from the server yet.
export const NEW_GAME = {
  status: "connecting", // of the connection: see connection.js
  player: null, // who plays here: "red", "yellow", or null for a spectator
  keys: null, // { join, watch, host } from the server, for a player
  first: PLAYER1, // who moves first
  moves: [], // [{ player, column, row }] in the order of play
  winner: null,
  drawn: false,
  rematch: [], // the players who asked for one
  players: [], // those who are here
  met: [], // those who have ever been here
  spectators: 0,
  upToDate: false, // whether the server has told all that happened before
  sent: false, // whether an event was sent that the server has not answered
  news: "", // what happened last, in a sentence
  note: "", // what went wrong, or right, apart from the game
  problem: null, // { message, watch }: why there is no game here
};

// Return the state after an event from the server.
export function update(game, event) {
  switch (event.type) {
    case "init": {
      const { player, join, watch, host } = event;
      return { ...game, player, keys: { join, watch, host } };
    }
    case "start":
      return {
        ...game,
        first: event.player,
        moves: [],
        winner: null,
        drawn: false,
        rematch: [],
        sent: false,
        news: game.upToDate ? "A new game begins." : "",
        note: "",
      };
    case "play": {
      const { player, column, row } = event;
      const moves = [...game.moves, { player, column, row }];
      // The server is about to say how the game ended. Until it does, nobody
      // must be told that it's their turn.
      const isWon = winningLine({ moves }).length > 0;
      return {
        ...game,
        moves,
        winner: isWon ? player : null,
        drawn: !isWon && moves.length === COLUMNS * ROWS,
        sent: false,
        news: `${subject(game, player)} played column ${column + 1}.`,
        note: "",
      };
    }
    case "win":
      return { ...game, winner: event.player };
    case "draw":
      return { ...game, drawn: true };
    case "rematch": {
      const rematch = [...game.rematch, event.player];
      const sent = game.sent && event.player !== game.player;
      return { ...game, rematch, sent };
    }
    case "presence": {
      const { players, spectators } = event;
      const newcomer = players.find((player) => !game.players.includes(player));
      const hasLeft = game.players.some((player) => !players.includes(player));
      let { news } = game;
      if (game.upToDate && newcomer) {
        const came = hasMet(game, newcomer) ? "is back" : "has joined";
        news = `${capitalize(newcomer)} ${came}.`;
      } else if (game.upToDate && hasLeft) {
        news = ""; // It's no news any more that they came.
      }
      const met = [...new Set([...game.met, ...players])];
      return { ...game, players, spectators, met, news, upToDate: true };
    }
    case "error": {
      // Before the game has begun here, an error means that it never will.
      const { message, watch } = event;
      return game.upToDate
        ? { ...game, sent: false, note: message }
        : { ...game, problem: { message, watch } };
    }
    default:
      return game;
  }
}

// Return the state after a change of the connection's status. Each connection
// begins with everything that the server has to tell, from "start" on.
export function updateStatus(game, status) {
  // When the server closes for good, an error has told why. When it doesn't, a
  // new connection may do better.
  const problem =
    status === "closed" ? (game.problem ?? { message: game.note }) : null;
  return {
    ...game,
    status,
    upToDate: false,
    sent: false,
    note: "",
    problem,
  };
}

export function isOver(game) {
  return game.winner !== null || game.drawn;
}

// Return whose turn it is.
export function turn(game) {
  return game.moves.length % 2 === 0 ? game.first : opponent(game.first);
}

// Tell whether the page shows a game as it is now.
export function isLive(game) {
  return game.problem === null && game.upToDate;
}

// Tell whether the server would accept a move of ours now.
export function canPlay(game) {
  return (
    isLive(game) && !game.sent && !isOver(game) && turn(game) === game.player
  );
}

// Return the columns in which we can play now.
export function playableColumns(game) {
  const height = (column) =>
    game.moves.filter((move) => move.column === column).length;
  const columns = Array.from({ length: COLUMNS }, (_, column) => column);
  return canPlay(game)
    ? columns.filter((column) => height(column) < ROWS)
    : [];
}

// Tell whether we may ask for a rematch, and have not done so.
export function canAskRematch(game) {
  const { player, rematch, sent } = game;
  return (
    isLive(game) &&
    isOver(game) &&
    !sent &&
    player !== null &&
    !rematch.includes(player)
  );
}

// Return the cells of the four or more in line with the last move, or none.
export function winningLine(game) {
  const last = game.moves.at(-1);
  const moveAt = (column, row) =>
    game.moves.find((move) => move.column === column && move.row === row);
  const cells = [];
  for (const [right, up] of [[1, 0], [0, 1], [1, 1], [1, -1]]) {
    const arms = [-1, 1].map((way) => {
      const arm = [];
      for (let i = way; ; i += way) {
        const move = moveAt(last.column + i * right, last.row + i * up);
        if (move?.player !== last.player) {
          return arm;
        }
        arm.push(move);
      }
    });
    const line = [last, ...arms.flat()];
    if (line.length >= 4) {
      cells.push(...line);
    }
  }
  return cells;
}

// Return what is going on, in groups of sentences, any of which may be "": who
// you are, what happened, whose turn it is or how the game ended, who is away or
// wants a rematch, and what else there is to say. A screen reader says those that
// change.
export function sentences(game) {
  const { player, status, problem, note } = game;
  const groups = { you: "", news: "", turn: "", more: "", note: "" };
  if (problem !== null) {
    return { ...groups, news: tellProblem(problem) };
  }
  const you = player === null ? "You are watching." : `You are ${player}.`;
  if (status === "stopped") {
    const news = "The server has stopped, and this game is gone.";
    return { ...groups, news, more: "Waiting for the server…" };
  }
  if (status === "reconnecting") {
    return { ...groups, news: "The connection is lost. Reconnecting…" };
  }
  if (!game.upToDate) {
    return { ...groups, news: "Connecting…" };
  }
  return {
    you,
    news: game.news,
    turn: tellTurnOrEnd(game),
    more: [tellAbsence(game), tellRematch(game)].filter(Boolean).join(" "),
    note,
  };
}

// Return the state of the page in one word, to style it. A page is in one only.
export function nameState(game) {
  const { problem, upToDate, status, player, winner } = game;
  if (problem !== null) {
    return problem.watch === undefined ? "gone" : "taken";
  }
  if (!upToDate) {
    return status === "open" ? "connecting" : status;
  }
  if (isOver(game)) {
    const outcome = winner === player ? "won" : "lost";
    return game.drawn ? "drawn" : player === null ? "over" : outcome;
  }
  if (player === null) {
    return "watching";
  }
  if (!game.players.includes(opponent(player))) {
    return hasMet(game, opponent(player)) ? "away" : "waiting";
  }
  return turn(game) === player ? "ours" : "theirs";
}

// Return how many look on, in a sentence, or "".
export function tellSpectators(game) {
  const { player, spectators } = game;
  const others = player === null ? spectators - 1 : spectators;
  if (!isLive(game) || others === 0) {
    return "";
  }
  if (player === null) {
    return `You and ${others === 1 ? "1 other" : `${others} others`} are watching.`;
  }
  return others === 1 ? "1 person is watching." : `${others} people are watching.`;
}

// Return the title of the page, which one sees when it is in the background.
export function title(game) {
  const name = "Connect Four";
  if (!isLive(game)) {
    return name;
  }
  const isOurs = turn(game) === game.player;
  return isOurs || isOver(game)
    ? `${tellTurnOrEnd(game).replace(/[.!]$/, "")} – ${name}`
    : name;
}

function tellProblem({ message, watch }) {
  if (watch !== undefined) {
    return "Both seats are taken, perhaps by you in another tab. You can watch.";
  }
  return message === "Game not found." || message === ""
    ? "This game is gone. You can start a new one."
    : `${message} You can start a new one.`;
}

function tellAbsence(game) {
  const absent = [PLAYER1, PLAYER2].filter(
    (player) => !game.players.includes(player),
  );
  return absent
    .map((player) =>
      hasMet(game, player)
        ? `${capitalize(player)} has left and may come back.`
        : `Waiting for ${player} to join.`,
    )
    .join(" ");
}

function tellTurnOrEnd(game) {
  if (game.drawn) {
    return "It's a draw.";
  }
  if (game.winner !== null) {
    const wins = game.winner === game.player ? "win!" : "wins!";
    return `${subject(game, game.winner)} ${wins}`;
  }
  if (turn(game) === game.player) {
    return "Your turn.";
  }
  // There is no point in saying that it's the turn of somebody who isn't here.
  return game.players.includes(turn(game))
    ? `${capitalize(turn(game))}'s turn.`
    : "";
}

function tellRematch({ player, rematch }) {
  // When both want one, it begins at once.
  if (rematch.length !== 1) {
    return "";
  }
  return rematch.includes(player)
    ? "You asked for a rematch."
    : `${capitalize(rematch[0])} wants a rematch.`;
}

// Tell whether a player has ever been here. After a reload, moves are the proof.
export function hasMet(game, player) {
  const moved = game.moves.some((move) => move.player === player);
  // Red has started the game.
  return player === PLAYER1 || moved || game.met.includes(player);
}

function opponent(player) {
  return player === PLAYER1 ? PLAYER2 : PLAYER1;
}

function subject(game, player) {
  return player === game.player ? "You" : capitalize(player);
}

function capitalize(word) {
  return word[0].toUpperCase() + word.slice(1);
}
