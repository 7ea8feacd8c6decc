// The state of a run, as a colour, a word and a shape.

import { drawn, el } from "./dom.js";

const SHAPES = {
  running: "M3 1.5v9l7.5-4.5z",
  ended: "M2 2h8v8h-8z",
  left: "M6 .8l5.2 5.2-5.2 5.2-5.2-5.2z",
  stalled: "M2 1.5h3v9h-3zM7 1.5h3v9h-3z",
  damaged: "M2.8 1l3.2 3.2 3.2-3.2 1.8 1.8-3.2 3.2 3.2 3.2-1.8 1.8-3.2-3.2-3.2 3.2-1.8-1.8 3.2-3.2-3.2-3.2z",
  unknown: "M6 1a5 5 0 1 0 0 10a5 5 0 0 0 0-10zM6 3a3 3 0 1 1 0 6a3 3 0 0 1 0-6z",
};

const ABOUT = {
  running: "a process writes it",
  ended: "nobody writes it, and all is where it belongs",
  left: "the process that wrote it died",
  stalled: "no draw came for much longer than one used to take",
  damaged: "it cannot be read",
  unknown: "whoever writes it leaves no mark that is seen from here",
};

export function badge(state) {
  const known = state in SHAPES ? state : "unknown";
  const shape = drawn("svg", { width: 11, height: 11, viewBox: "0 0 12 12", "aria-hidden": "true" },
    drawn("path", { d: SHAPES[known], fill: "currentColor" }));
  return el("span", { class: `state ${known}`, title: ABOUT[known] }, shape, state);
}

// How far something is, from 0 to 1.
export function bar(share, level) {
  const filled = el("span");
  filled.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return el("div", { class: `bar ${level}`, "aria-hidden": "true" }, filled);
}
