// What the address and the browser know of seats, so that whoever opens anything ends
// up where they wanted to be.
//
// A seat is { code, key, isShared }: the code of its match, the key that takes it again,
// and whether somebody else has been at that match. The browser stores the last ten, the
// newest first, and in the entry of the tab's history the one that it shows, where a
// reload and "Back" find it. No key stands in the address, which people send to others.

import { isCurrent, isNotFound, isShared, isTaken } from "./game.js";

const MOST_SEATS = 10;

const CODE = /^[^\w]*([a-z0-9]{6})[^a-z0-9]*$/i;
const PAIR = /^[^\w]*(join|watch)[^\w-]+([\w-]+)[^\w-]*$/i;

// Each server has seats of its own, and so has each folder of a server behind a proxy.
export const FOLDER = new URL("./", window.location.href).pathname;
const SEATS = `seats at ${FOLDER}`;

// Return what an address asks for: { name: "join" or "watch", key }, { name: "new" },
// { name: "nothing" }, or { name: "unknown" }. It may be typed, in capitals, or copied
// with the full stop behind it.
export function readAddress({ pathname, search, hash }) {
  const file = pathname.slice(pathname.lastIndexOf("/") + 1);
  const parts = [file, ...search.slice(1).split("&"), hash.slice(1)].map(decode);
  for (const part of parts) {
    const pair = PAIR.exec(part);
    const code = CODE.exec(pair === null ? part : pair[2]);
    if (pair !== null || code !== null) {
      const name = pair === null ? "join" : pair[1].toLowerCase();
      return { name, key: code === null ? pair[2] : code[1].toLowerCase() };
    }
  }
  if (parts.includes("new")) {
    return { name: "new" };
  }
  return { name: parts.some(Boolean) ? "unknown" : "nothing" };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // There is a percent sign in it that means nothing.
  }
}

// Return the route of this page to a match: it begins where the address, the history and
// the browser lead, and tries one way after the other. It keeps the seat to which it led.
//
//   describe()        returns what the state has to know of it
//   getInit()         returns the first event on a connection
//   turn(state)       takes the next way after one that led nowhere, if there is one
//   go(way)           goes somewhere else
//   arrive(state)     notes where we are
//   keepSeat(state)   stores the seat, once more when somebody else has come
export function createRoute() {
  const address = readAddress(window.location);
  let ways = findWays(address, history.state, storedSeats());
  let kept = "";

  function describe() {
    return {
      ...(ways.length === 0 && { problem: { message: "This address leads to no game." } }),
      typed: CODE.test(address.key) ? address.key : "",
      hasSeat: storedSeats().length > 0,
      isOurs: ways[0]?.isOurs === true,
    };
  }

  function getInit() {
    return ways[0].event;
  }

  function go(way) {
    ways = [way];
  }

  function turn(state) {
    const left = waysLeft(state);
    if (left.length > 0) {
      ways = left;
    } else if (!isTaken(state)) {
      forgetPlace();
    }
    return left.length > 0;
  }

  // Return the ways that are left when the first has led to no match.
  function waysLeft(state) {
    const [{ event, code, isOurs }, ...others] = ways;
    if (isNotFound(state)) {
      forgetSeat(event.join);
      return code ? [joinBy(code), ...others] : others;
    }
    return isTaken(state) && !isOurs ? others : [];
  }

  function arrive({ player, keys }) {
    const { code, rejoin, watch } = keys;
    if (player === null && ways[0].isOurs) {
      forgetSeat(ways[0].event.join); // We have made room for somebody else.
    }
    ways = player === null ? [watchBy(watch)] : waysBack({ code, key: rejoin });
    showPlace({ ...keys, player });
  }

  function keepSeat(state) {
    const { player, keys } = state;
    if (isCurrent(state) && player !== null && keys.code !== null) {
      const seat = { code: keys.code, key: keys.rejoin, isShared: isShared(state) };
      if (kept !== JSON.stringify(seat)) {
        kept = JSON.stringify(seat);
        rememberSeat(seat);
      }
    }
  }

  return { describe, getInit, turn, go, arrive, keepSeat };
}

// Return the ways to try, one after the other until one leads to a match. A way is
//
//   event   the first event
//   code    where to go if its key is unknown, because somebody has opened the seat
//   isOurs  whether we know to have that seat, so that nobody but another tab can sit
//           there
export function findWays(address, entry, seats) {
  if (entry?.key) {
    return waysBack(entry);
  }
  if (entry?.watch) {
    return [watchBy(entry.watch)];
  }
  const event = { type: "init" };
  switch (address.name) {
    case "unknown":
      return [];
    case "nothing": {
      const shared = seats.filter(({ isShared }) => isShared);
      const others = seats.filter(({ isShared }) => !isShared);
      return [...shared.map(takeAgain), ...others.map(takeAgain), { event }];
    }
    case "new":
      return [{ event }];
    default: {
      const { name, key } = address;
      const ours = seats.filter(({ code }) => name === "join" && code === key);
      return [...ours.map(takeAgain), name === "join" ? joinBy(key) : watchBy(key)];
    }
  }
}

// Return the way that takes a seat again. Who has given it to somebody else, at a match
// that goes on, is led there; a lonely match isn't worth that.
function takeAgain({ code, key, isShared }) {
  return { ...joinBy(key), code: isShared ? code : null };
}

// Return the ways to come back to the seat that the page shows.
function waysBack({ code, key }) {
  return [{ ...joinBy(key), code, isOurs: true }];
}

export function joinBy(key) {
  return { event: { type: "init", join: key } };
}

export function watchBy(key) {
  return { event: { type: "init", watch: key } };
}

// Return the seats that the browser has stored.
export function storedSeats() {
  try {
    const seats = JSON.parse(window.localStorage.getItem(SEATS));
    return Array.isArray(seats) ? seats.filter((seat) => seat?.code && seat.key) : [];
  } catch {
    return []; // The player forbids it, or has written something else.
  }
}

function storeSeats(seats) {
  try {
    const text = JSON.stringify(seats.slice(0, MOST_SEATS));
    window.localStorage.setItem(SEATS, text);
  } catch {
    // The player forbids it. A reload is remembered anyway.
  }
}

// Store a seat; a new one before the others, one that is stored in its place.
export function rememberSeat(seat) {
  const seats = storedSeats();
  const number = seats.findIndex(({ code }) => code === seat.code);
  if (number === -1) {
    seats.unshift(seat);
  } else {
    seats[number] = seat;
  }
  storeSeats(seats);
}

// Forget the seat that a key takes.
export function forgetSeat(key) {
  storeSeats(storedSeats().filter((seat) => seat.key !== key));
}

// Show in the address where we are, so that it can be sent to others, and keep in the
// entry of the history how to come back.
export function showPlace({ player, code, rejoin, watch }) {
  const isPlaying = player !== null;
  const entry = isPlaying ? { code, key: rejoin } : { watch };
  const isLinkToWatch = readAddress(window.location).name === "watch";
  if (code !== null) {
    const path = isLinkToWatch && !isPlaying ? `?watch=${code}` : code;
    history.replaceState(entry, "", FOLDER + path);
  } else {
    // A client of the base protocol has started it: there is nothing but keys.
    history.replaceState(entry, "", isPlaying ? FOLDER : "");
  }
}

// Forget how to come back, so that a reload does what the address says.
export function forgetPlace() {
  history.replaceState(null, "");
}
