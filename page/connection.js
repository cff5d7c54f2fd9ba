// A connection to the server that mends itself. It knows nothing of the game.

// All times are in milliseconds. A connection that is cut off is noticed after
// PING_INTERVAL + PONG_TIMEOUT. After a failure the next attempt waits for about
// DELAY, and may take OPEN_TIMEOUT; both double with each failure, up to a limit.
// An attempt is stale after STALE_TIME if there is a reason to try again.
const PING_INTERVAL = 3000;
const PONG_TIMEOUT = 3000;
const DELAY = 500;
const MAX_DELAY = 3000;
const OPEN_TIMEOUT = 4000;
const MAX_OPEN_TIMEOUT = 32000;

const STALE_TIME = 1000;

// The server closes with these codes (RFC 6455, section 7.4.1) when it has said in an
// event why there is no game here, when it stops, when it doesn't understand us, and
// when a key is so long that there can't be a game.
const NORMAL_CLOSURE = 1000;
const GOING_AWAY = 1001;
const POLICY_VIOLATION = 1008;
const MESSAGE_TOO_BIG = 1009;
const FINAL = [NORMAL_CLOSURE, POLICY_VIOLATION, MESSAGE_TOO_BIG];

// Connect to a WebSocket server, again and again until it closes for good.
//
//   url, subprotocol      as for WebSocket()
//   getInit()             returns the first event to send on each connection
//   handleEvent(event)    gets each event from the server
//   handleState(state)    gets the state when it changes from "connecting": to
//                         "open", "reconnecting" (the network is gone),
//                         "stopped" (the server is) or "closed" (for good)
//
// Return two functions. send(event) does nothing unless the state is "open": nothing
// is kept to be sent later, when it might be out of date. reopen() connects again
// from the beginning, also after the server has closed for good.
export function connect({ url, subprotocol, getInit, handleEvent, handleState }) {
  let websocket = null; // null while waiting for the next attempt
  let state = "connecting";
  let failures = 0;
  let attemptTime = 0; // when the last attempt began
  let retryTimer, pingTimer, deadlineTimer;

  function open() {
    clearTimeout(retryTimer);
    clearTimeout(pingTimer);
    const attempt = new WebSocket(url, subprotocol);
    websocket = attempt;
    attemptTime = Date.now();
    // Left alone, a browser waits for minutes.
    setDeadline(openTimeout());
    // An attempt that was given up may still come to something. Ignore it.
    const listen = (type, handle) =>
      attempt.addEventListener(type, (event) => {
        if (attempt === websocket) {
          handle(event);
        }
      });
    listen("open", handleOpen);
    listen("message", handleMessage);
    listen("close", handleClose);
  }

  // A link may be so slow that the first attempts can't succeed.
  function openTimeout() {
    return Math.min(OPEN_TIMEOUT * 2 ** failures, MAX_OPEN_TIMEOUT);
  }

  function handleOpen() {
    setDeadline(openTimeout());
    websocket.send(JSON.stringify(getInit()));
  }

  function handleMessage({ data }) {
    clearTimeout(deadlineTimer);
    clearTimeout(pingTimer);
    pingTimer = setTimeout(ping, PING_INTERVAL);
    setState("open");
    const event = JSON.parse(data);
    // An error may be all that comes before the server closes.
    if (event.type !== "error") {
      failures = 0;
    }
    if (event.type !== "pong") {
      handleEvent(event);
    }
  }

  function handleClose({ code }) {
    websocket = null;
    clearTimeout(deadlineTimer);
    clearTimeout(pingTimer);
    if (FINAL.includes(code)) {
      setState("closed");
      return;
    }
    const isStopped = code === GOING_AWAY || state === "stopped";
    setState(isStopped ? "stopped" : "reconnecting");
    // Vary the delay: when a server comes back, not all should come at once.
    const delay = Math.min(DELAY * 2 ** failures, MAX_DELAY);
    retryTimer = setTimeout(open, delay * (0.5 + Math.random() / 2));
    failures += 1;
  }

  function ping() {
    clearTimeout(pingTimer);
    websocket.send(JSON.stringify({ type: "ping" }));
    setDeadline(PONG_TIMEOUT);
  }

  // Give up the connection unless a message comes in time.
  function setDeadline(timeout) {
    clearTimeout(deadlineTimer);
    deadlineTimer = setTimeout(() => {
      // The browser itself would notice much later that it's cut off: 1006.
      const dead = websocket;
      handleClose({ code: 1006 });
      dead.close();
    }, timeout);
  }

  // The network may be back, or the device awake: find out, now. Several events
  // may tell of the same thing, and one attempt at a time is enough.
  function check() {
    if (state === "open") {
      ping();
    } else if (state !== "closed" && (websocket === null || isStale())) {
      const old = websocket;
      open();
      old?.close();
    }
  }

  // Return whether an attempt from before may wait for an answer that never comes.
  // Once it has sent its first event, the server may have started a game for it.
  function isStale() {
    const isOld = Date.now() - attemptTime > STALE_TIME;
    return isOld && websocket.readyState === WebSocket.CONNECTING;
  }

  function reopen() {
    const old = websocket;
    state = "connecting";
    open();
    old?.close();
  }

  function setState(newState) {
    if (state !== newState) {
      state = newState;
      handleState(state);
    }
  }

  function send(event) {
    if (state === "open") {
      websocket.send(JSON.stringify(event));
    }
  }

  open();
  window.addEventListener("online", check);
  window.addEventListener("pageshow", check);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") {
      check();
    }
  });
  return { send, reopen };
}
