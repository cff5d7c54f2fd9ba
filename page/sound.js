// What the toy sounds like. Nothing is heard before somebody has touched the page:
// browsers don't want that, nor do people; and nothing that was to be heard before is
// heard later, all at once.

const VOLUME = 0.25;
const PULSE = 30; // milliseconds

// Under which name the browser stores that the page is silent.
const SOUND = "sound";

let context = null;
let heard = null; // the last event that was heard on the board
let isSilent = false;

// Start the sound when somebody touches the page, and let the board be heard; getState()
// returns the state of the game. (On an iPhone a finger that comes down is no reason to
// start, but when it's lifted it is.)
export function offerSound(board, getState) {
  for (const type of ["pointerdown", "pointerup", "click", "keydown"]) {
    document.addEventListener(type, () => {
      context ??= window.AudioContext && new AudioContext();
      context?.resume();
    });
  }
  board.addEventListener("fall", ({ detail }) => knock(detail, getState()));
  board.addEventListener("light", ({ detail }) => cheer(detail, getState()));
  offerSilence(document.querySelector(".sound"));
}

function offerSilence(button) {
  const render = () => button.setAttribute("aria-pressed", !isSilent);
  try {
    isSilent = window.localStorage.getItem(SOUND) === "off";
  } catch {
    // The player forbids it, and may choose again.
  }
  button.hidden = false;
  button.addEventListener("click", () => {
    isSilent = !isSilent;
    try {
      window.localStorage.setItem(SOUND, isSilent ? "off" : "on");
    } catch {
      // It's silent until the page is loaded again.
    }
    render();
  });
  render();
}

// Let an event be heard that has just come: somebody comes or wants to play again, the
// board is emptied, or full.
export function tell({ type, player }, state, before) {
  if (type === "presence" && state.players.some((each) => !before.players.includes(each))) {
    tone({ frequency: 180, length: 0.06 });
    tone({ frequency: 180, length: 0.06, delay: 0.13 });
  } else if (type === "draw") {
    tone({ frequency: 392, length: 0.2 });
    tone({ frequency: 294, length: 0.2, delay: 0.2 });
  } else if (type === "rematch" && player !== state.player) {
    tone({ frequency: 330, length: 0.15 });
  } else if (type === "start" && before.moves.length > 0) {
    [0, 0.05, 0.1, 0.15, 0.2].forEach((delay) => noise({ length: 0.015, delay }));
  }
}

// A checker lands after a delay in seconds, and bounces.
// Where sound is off, one feels what somebody else has played.
function knock({ player, row, delay }, state) {
  if (!isNews("play", state)) {
    return;
  }
  const pitch = 1.03 ** row;
  hit(delay, 1, pitch);
  hit(delay + 0.11, 0.3, pitch);
  if (isSilent && player !== state.player) {
    navigator.vibrate?.(PULSE);
  }
}

// Four light up, after delays in seconds. Who has lost is told by the knock alone.
function cheer({ delays }, state) {
  const { player, winner } = state;
  if (!isNews("win", state)) {
    return;
  }
  if (player === null || player === winner) {
    const volume = player === null ? 0.5 : 1;
    const type = "triangle";
    const [first, second] = delays;
    tone({ type, frequency: 523, length: 0.22, delay: first, volume });
    tone({ type, frequency: 659, length: 0.22, delay: second, volume });
    tone({ type, frequency: 784, length: 0.5, delay: delays.at(-1), volume });
  }
}

// Return whether what the board shows has just happened. Who looks back sees it again.
function isNews(type, { event, shown }) {
  const isNew = event?.type === type && event !== heard && shown === null;
  heard = event;
  return isNew;
}

function hit(delay, volume, pitch) {
  noise({ length: 0.002, delay, volume });
  tone({ frequency: 420 * pitch, to: 260 * pitch, length: 0.07, delay, volume });
  tone({ frequency: 1180 * pitch, length: 0.03, delay, volume: volume / 3 });
}

function isHeard() {
  return !isSilent && context?.state === "running";
}

function tone({ type = "sine", frequency, to, length, delay = 0, volume = 1 }) {
  if (isHeard()) {
    const oscillator = new OscillatorNode(context, { type, frequency });
    const begin = context.currentTime + delay;
    if (to !== undefined) {
      oscillator.frequency.setValueAtTime(frequency, begin);
      oscillator.frequency.exponentialRampToValueAtTime(to, begin + length);
    }
    play(oscillator, begin, length, volume);
  }
}

function noise({ length, delay = 0, volume = 1 }) {
  if (isHeard()) {
    const { sampleRate } = context;
    const samples = Math.ceil(length * sampleRate);
    const buffer = new AudioBuffer({ length: samples, sampleRate });
    buffer.getChannelData(0).forEach((_, index, data) => {
      data[index] = Math.random() * 2 - 1;
    });
    const source = new AudioBufferSourceNode(context, { buffer });
    play(source, context.currentTime + delay, length, volume / 2);
  }
}

// The clock of the sound runs in the background, too, where timers are late.
function play(source, begin, length, volume) {
  const gain = new GainNode(context, { gain: VOLUME * volume });
  gain.gain.setValueAtTime(VOLUME * volume, begin);
  gain.gain.exponentialRampToValueAtTime(0.001, begin + length);
  source.connect(gain).connect(context.destination);
  source.start(begin);
  source.stop(begin + length);
}
