// The page of all runs.

import { ask } from "./api.js";
import { el, isolated, setChildren, setText } from "./dom.js";
import { poll } from "./poll.js";
import { spark } from "./spark.js";
import { badge, bar } from "./state.js";
import { count, fixed, rate, seconds, share, short } from "./words.js";

const rows = new Map();
const body = document.getElementById("rows");
const filter = document.getElementById("filter");
let last = null;

class Row {
  constructor(run) {
    this.link = el("a", { href: `/run/${run.key}` });
    this.store = el("span", { class: "store faint small" });
    this.cells = {
      state: el("td", { class: "state-cell" }),
      verdict: el("td", { class: "verdict" }),
      draws: el("td", { class: "number", "data-label": "Draws" }),
      rhat: el("td", { class: "number", "data-label": "Worst R̂" }),
      ess: el("td", { class: "number", "data-label": "Least ESS" }),
      age: el("td", { class: "number", "data-label": "Last draw" }),
      spark: el("td", { class: "spark-cell" }),
    };
    const name = el("td", { class: "name" }, this.link, this.store);
    const { state, ...others } = this.cells;
    this.element = el("tr", {}, name, state, ...Object.values(others));
  }

  show(run) {
    const { state, verdict, draws, rhat, ess, age, spark: curve } = this.cells;
    setChildren(this.link, isolated(run.rid || (run.error ? "a store" : "(no name)")));
    if (run.state === "damaged" && !run.rid) this.link.removeAttribute("href");
    setChildren(this.store, isolated(run.where));
    this.store.title = run.where;
    this.element.classList.toggle("troubled", run.is_troubled);
    setChildren(state, badge(run.state));
    setChildren(verdict, ...answered(run));
    const chains = run.walkers ? `${count(run.walkers)} walkers` : run.n_chains > 1 ? `${run.n_chains} chains` : "";
    setChildren(draws, el("b", {}, count(run.draws)),
      el("span", {}, [run.is_over ? "" : rate(run.rate), chains].filter((x) => x && x !== "–").join(" · ")));
    setChildren(rhat, number(run.worst?.rhat, (x) => fixed(x, 3)));
    setChildren(ess, number(run.worst?.ess, short));
    setChildren(age, run.age === null ? "–" : seconds(run.age));
    const path = spark(run.curve);
    setChildren(curve, ...(path ? [path] : []));
  }
}

function number(x, text) {
  return x === null || x === undefined ? "–" : text(x);
}

function answered(run) {
  const { level, word, share: far } = run.answer;
  const parts = [el("div", { class: "word" }, el("b", { class: level }, word), el("span", { class: "faint numbers" }, progress(level, far)))];
  if (far !== null) parts.push(bar(far, level));
  const [first, ...others] = run.troubles;
  if (first !== undefined) {
    const more = others.length ? ` (and ${others.length} more)` : "";
    parts.push(el("span", { class: `trouble ${first.level}` }, first.text + more));
  }
  return parts;
}

// Who is long enough may still not have converged.
function progress(level, far) {
  if (far === null || level === "good") return "";
  return far >= 1 ? "long enough" : share(far);
}

function show() {
  if (last === null) return;
  const wanted = filter.value.toLowerCase();
  const shown = last.runs.filter((run) =>
    `${run.rid}\n${run.where}\n${run.state}\n${run.answer.word}`.toLowerCase().includes(wanted));
  const keys = new Set(last.runs.map((run) => run.key));
  for (const key of rows.keys()) if (!keys.has(key)) rows.delete(key);
  const elements = shown.map((run) => {
    if (!rows.has(run.key)) rows.set(run.key, new Row(run));
    const row = rows.get(run.key);
    row.show(run);
    return row.element;
  });
  if (elements.length !== body.children.length || elements.some((e, i) => e !== body.children[i])) {
    const focused = document.activeElement;
    body.replaceChildren(...elements);
    if (focused !== document.activeElement && document.contains(focused)) focused.focus();
  }
  setText(document.getElementById("counts"), counts(last.runs, shown.length));
  document.getElementById("table").hidden = shown.length === 0;
  message(last, shown.length);
}

function counts(runs, nShown) {
  if (runs.length === 0) return "";
  const of = (test) => runs.filter(test).length;
  const parts = [
    [of((run) => run.state === "running"), "running"],
    [of((run) => run.is_troubled), "in trouble"],
    [of((run) => run.answer.word === "converged"), "converged"],
  ];
  const said = parts.filter(([n]) => n).map(([n, what]) => `${count(n)} ${what}`);
  const all = nShown === runs.length ? count(runs.length) : `${count(nShown)} of ${count(runs.length)}`;
  return [`${all} ${runs.length === 1 ? "run" : "runs"}`, ...said].join(" · ");
}

function message({ trouble, is_waiting: isWaiting, where, runs }, nShown) {
  const box = document.getElementById("message");
  box.hidden = nShown > 0;
  if (isWaiting) {
    setChildren(box, el("h2", {}, "Waiting for the first run"),
      el("p", { class: "faint" }, "There is nothing yet at ", el("code", {}, where), "; it is shown here as soon as a sampler begins."));
  } else if (trouble) {
    setChildren(box, el("h2", { class: "bad" }, "Nothing can be read"), el("p", {}, trouble));
  } else if (runs.length === 0) {
    setChildren(box, el("h2", {}, "No runs yet"),
      el("p", { class: "faint" }, "The store ", el("code", {}, where), " is empty; a run is shown here as soon as a sampler begins one."));
  } else if (nShown === 0) {
    setChildren(box, el("h2", {}, "No run is called so"), el("p", { class: "faint" }, "Change what is asked for above."));
  }
}

async function look() {
  last = await ask("/api/runs");
  setText(document.getElementById("where"), last.where);
  show();
}

filter.addEventListener("input", show);
poll(look);
