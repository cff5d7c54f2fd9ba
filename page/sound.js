// The knock of a checker that lands, or a short pulse where sound is off. Nothing is
// heard before somebody has touched the page: browsers don't want that, nor do people.

const VOLUME = 0.2;
const PITCH = 190; // Hz, falling to a third of it
const LENGTH = 0.09; // seconds
const PULSE = 30; // milliseconds

let context = null;

for (const type of ["pointerdown", "keydown"]) {
  document.addEventListener(type, () => {
    context ??= window.AudioContext && new AudioContext();
    context?.resume();
  });
}

// Knock after a delay in seconds.
export function knock(delay) {
  if (context === null) {
    return;
  }
  // The clock of the sound runs in the background, too, where timers are late.
  const begin = context.currentTime + delay;
  const tone = new OscillatorNode(context, { type: "triangle", frequency: PITCH });
  const gain = new GainNode(context, { gain: VOLUME });
  tone.frequency.setValueAtTime(PITCH, begin);
  tone.frequency.exponentialRampToValueAtTime(PITCH / 3, begin + LENGTH);
  gain.gain.setValueAtTime(VOLUME, begin);
  gain.gain.exponentialRampToValueAtTime(0.001, begin + LENGTH);
  tone.connect(gain).connect(context.destination);
  tone.start(begin);
  tone.stop(begin + LENGTH);
}

// Pulse once, where a device can.
export function pulse() {
  navigator.vibrate?.(PULSE);
}
