// Numbers and times for people.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function count(n) {
  return n === null || n === undefined ? "–" : whole.format(n);
}

// Three or four digits.
export function short(x) {
  if (x === null || x === undefined) return "–";
  const size = Math.abs(x);
  if (size >= 1e6) return x.toExponential(2).replace("e+", "e");
  if (size >= 100) return whole.format(x);
  return String(Number(x.toPrecision(3)));
}

// As many digits as the value is known to.
export function value(x, error = null) {
  if (x === null || x === undefined) return "–";
  if (error === null || !(error > 0)) return String(Number(x.toPrecision(4)));
  const digits = Math.min(8, Math.max(0, 1 - Math.floor(Math.log10(error))));
  const size = Math.abs(x);
  return size >= 1e7 || (size < 1e-4 && size > 0) ? x.toExponential(3) : x.toFixed(digits);
}

export function fixed(x, digits) {
  return x === null || x === undefined ? "–" : x.toFixed(digits);
}

export function share(x) {
  return x === null || x === undefined ? "–" : `${Math.floor(x * 100)} %`;
}

export function rate(x) {
  return x === null || x === undefined ? "–" : `${short(x)}/s`;
}

export function seconds(s) {
  if (s === null || s === undefined) return "–";
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (s >= size) return `${Number((s / size).toPrecision(2))} ${unit}`;
  }
  return s < 2 ? "now" : `${Math.round(s)} s`;
}

export function size(bytes) {
  for (const [unit, of] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (bytes >= of) return `${(bytes / of).toPrecision(3)} ${unit}`;
  }
  return `${bytes} bytes`;
}

// A time as it is here, with the day where that is another one.
export function moment(text) {
  if (text === null || text === undefined) return "–";
  const when = new Date(text);
  const time = when.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (when.toDateString() === new Date().toDateString()) return time;
  return `${when.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" })}, ${time}`;
}
