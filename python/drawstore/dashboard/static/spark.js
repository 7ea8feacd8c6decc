// A curve as small as a word.

import { drawn } from "./dom.js";

const WIDTH = 110;
const HEIGHT = 30;

export function spark([at, values]) {
  const known = values.filter((value) => value !== null);
  if (known.length < 2) return null;
  const low = Math.min(...known);
  const span = Math.max(...known) - low;
  const first = at[0];
  const length = at[at.length - 1] - first;
  let path = "";
  let pen = "M";
  values.forEach((value, i) => {
    if (value === null) {
      pen = "M"; // a gap
      return;
    }
    const x = (at[i] - first) / length * WIDTH;
    const y = span > 0 && Number.isFinite(span) ? 2 + (1 - (value - low) / span) * (HEIGHT - 4) : HEIGHT / 2;
    path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
  });
  return drawn("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    drawn("path", { d: path, fill: "none", stroke: "currentColor", "stroke-width": 1.3, "stroke-linejoin": "round", "vector-effect": "non-scaling-stroke" }));
}
