// A connection to the server that mends itself. It knows nothing of the game.

// All times are in milliseconds. Silence is noticed after PING_INTERVAL +
// PONG_TIMEOUT. After a failure the next attempt waits for about DELAY, and
// then for twice as long each time, up to MAX_DELAY.
const PING_INTERVAL = 3000;
const PONG_TIMEOUT = 3000;
const OPEN_TIMEOUT = 4000;
const DELAY = 500;
const MAX_DELAY = 3000;

// Connect to a WebSocket server, again and again until the server says that
// there is no point in it, by closing with 1000, 1008 or 1009.
//
//   url, subprotocol      as for WebSocket()
//   introduce()           returns the first event to send on each connection
//   handleEvent(event)    gets each event from the server
//   handleStatus(status)  gets the status when it changes from "connecting": to
//                         "open", "reconnecting" (the network is gone),
//                         "stopped" (the server is) or "closed" (for good)
//
// Return a function that sends an event. It does nothing unless the status is
// "open": nothing is kept to be sent later, when it might be out of date.
export function connect({
  url,
  subprotocol,
  introduce,
  handleEvent,
  handleStatus,
}) {
  let websocket = null; // null while waiting for the next attempt
  let status = "connecting";
  let failures = 0;
  let retry, pinging, silence; // timers

  function open() {
    clearTimeout(retry);
    const attempt = new WebSocket(url, subprotocol);
    websocket = attempt;
    // Left alone, a browser waits for minutes.
    expectMessage(OPEN_TIMEOUT);
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

  function handleOpen() {
    expectMessage(OPEN_TIMEOUT);
    websocket.send(JSON.stringify(introduce()));
  }

  function handleMessage({ data }) {
    clearTimeout(silence);
    clearTimeout(pinging);
    pinging = setTimeout(ping, PING_INTERVAL);
    failures = 0;
    setStatus("open");
    const event = JSON.parse(data);
    if (event.type !== "pong") {
      handleEvent(event);
    }
  }

  function handleClose({ code }) {
    websocket = null;
    clearTimeout(silence);
    clearTimeout(pinging);
    if ([1000, 1008, 1009].includes(code)) {
      setStatus("closed");
      return;
    }
    setStatus(code === 1001 || status === "stopped" ? "stopped" : "reconnecting");
    // Vary the delay: when a server comes back, not all should come at once.
    const delay = Math.min(DELAY * 2 ** failures, MAX_DELAY);
    retry = setTimeout(open, delay * (0.5 + Math.random() / 2));
    failures += 1;
  }

  function ping() {
    clearTimeout(pinging);
    websocket.send(JSON.stringify({ type: "ping" }));
    expectMessage(PONG_TIMEOUT);
  }

  function expectMessage(timeout) {
    clearTimeout(silence);
    silence = setTimeout(() => {
      // The browser itself would notice much later that it's cut off: 1006.
      const dead = websocket;
      handleClose({ code: 1006 });
      dead.close();
    }, timeout);
  }

  // The network may be back, or the device awake: find out, now.
  function check() {
    if (status === "open") {
      ping();
    } else if (status === "reconnecting" || status === "stopped") {
      // An attempt from before may wait for an answer that never comes.
      const old = websocket;
      open();
      old?.close();
    }
  }

  function setStatus(newStatus) {
    if (status !== newStatus) {
      status = newStatus;
      handleStatus(status);
    }
  }

  function send(event) {
    if (status === "open") {
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
  return send;
}
