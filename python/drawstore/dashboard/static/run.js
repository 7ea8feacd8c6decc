// The page of a run.

import { ask } from "./api.js";
import { el, isolated, setChildren, setText } from "./dom.js";
import { Facts } from "./facts.js";
import { Picker } from "./picker.js";
import { Plot } from "./plot.js";
import { poll } from "./poll.js";
import { badge, bar } from "./state.js";
import { Table } from "./table.js";
import { count, fixed, moment, rate, seconds, share, short } from "./words.js";

const SETTLED = 10; // looks after which a figure is asked for again, although nothing has changed
const MARKS = { good: "✓", doubtful: "!", bad: "✕", neutral: "◐" };

const byId = (id) => document.getElementById(id);
const base = `/api/run/${byId("answer").dataset.key}`;
const sections = new Map();
const visible = new Set();
const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) visible.add(target.id);
    else visible.delete(target.id);
  }
  markCurrent();
  if (run !== null) bringUpToDate();
}, { rootMargin: "150px 0px" });

let theme = document.documentElement.dataset.theme
  ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
let run = null;
let looks = 0;

const picker = new Picker(base, bringUpToDate);
const table = new Table(base, picker);
const facts = new Facts(base);
addEventListener("theme", (event) => {
  theme = event.detail;
  if (run !== null) bringUpToDate();
});

class Section {
  constructor({ name, title, about }) {
    this.canvas = el("div", { class: "canvas", role: "img", "aria-label": `${title}. ${about}` });
    this.notes = el("p", { class: "notes" });
    this.element = el("section", { class: "card figure", id: name },
      el("h2", {}, title), el("p", { class: "about" }, about), this.canvas, this.notes);
    this.plot = new Plot(base, name, this.canvas, (notes) => setText(this.notes, notes.join(" ")));
    this.draws = null; // of the run, when it was last up to date
    this.isBusy = false;
  }

  // Brings the figure up to date, unless that is being done.
  async update() {
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      await this.draw();
    } finally {
      this.isBusy = false;
    }
  }

  async draw() {
    const made = JSON.stringify([run.signature, picker.chosen, theme]);
    try {
      if (this.plot.made !== made) {
        await this.plot.embed(picker.chosen, theme, made);
      } else if (this.draws !== run.draws || !this.plot.isSettled || looks % SETTLED === 0) {
        await this.plot.refresh();
      }
      this.draws = run.draws;
      this.notes.classList.remove("failed");
    } catch (error) {
      if (error.status === 0) return; // the page says so
      if (error.status === undefined) console.error(error);
      this.notes.classList.add("failed");
      setText(this.notes, `This figure cannot be shown: ${error.message}`);
    }
  }
}

async function look() {
  looks += 1;
  try {
    run = await ask(base, table.indices().map((i) => ["parameter", i]));
  } catch (error) {
    if (error.status !== 404) throw error;
    missing();
    return;
  }
  head();
  await picker.update(run);
  layOut();
  bringUpToDate();
}

function missing() {
  for (const id of ["answer", "tools", "summary", "about"]) byId(id).hidden = true;
  byId("figures").replaceChildren();
  sections.clear();
  byId("message").hidden = false;
  setChildren(byId("message"), el("h2", {}, "This run is not there"),
    el("p", { class: "faint" }, "It was deleted or moved; or it is not there yet."), el("p", {}, el("a", { href: "/" }, "All runs")));
}

function head() {
  document.title = `${run.rid || "(no name)"}: ${run.answer.word || run.state} – drawstore`;
  setChildren(byId("store"), isolated(run.where));
  setText(byId("where"), run.where);
  setChildren(byId("rid"), isolated(run.rid || "(no name)"));
  setChildren(byId("state"), badge(run.state));
  const { level, sentence, share: far, expected } = run.answer;
  byId("answer").hidden = false;
  byId("answer").className = `card answer ${level}`;
  const left = expected === null ? 0 : (new Date(expected) - Date.now()) / 1000;
  const when = left > 0 ? ` Expected at ${moment(expected)}, in ${seconds(Math.max(2, left))}.` : "";
  setChildren(byId("sentence"), el("span", { class: "mark", "aria-hidden": "true" }, MARKS[level]), sentence + when);
  setChildren(byId("progress"), ...(far === null ? [] : [bar(far, level)]));
  setChildren(byId("facts-short"), ...shortFacts().flatMap(([name, text, more]) => [
    el("div", {}, el("dt", {}, name), el("dd", {}, text, more ? el("span", {}, ` ${more}`) : null)),
  ]));
  const said = run.troubles.filter((trouble) => trouble.text !== run.answer.sentence);
  setChildren(byId("troubles"), ...said.map((trouble) =>
    el("li", { class: trouble.level }, el("span", { class: trouble.level, "aria-hidden": "true" }, trouble.level === "bad" ? "▲" : "●"), el("span", {}, trouble.text))));
  const isEmpty = run.figures.length === 0 && run.state !== "damaged"; // which is said already
  byId("message").hidden = !isEmpty;
  if (isEmpty) {
    setChildren(byId("message"), el("h2", {}, run.draws ? "There is nothing to draw" : "No draws yet"),
      el("p", { class: "faint" }, run.error || "Figures come with the first draws."));
  }
}

function shortFacts() {
  const { worst } = run;
  const unit = run.layout === "ensemble" ? "Steps" : "Draws";
  const of = run.walkers ? `× ${count(run.walkers)} walkers` : run.n_chains > 1 ? `in ${run.n_chains} chains` : "";
  const known = [[unit, count(run.draws), of]];
  if (run.left_out) known.push(["Warm-up", count(run.left_out)]);
  if (!run.is_over) known.push(["Rate", rate(run.rate)]);
  known.push(["Last draw", seconds(run.age), run.age !== null && run.age >= 2 ? "ago" : ""]);
  if (worst) {
    known.push(["Longest τ", short(worst.tau)], ["Least ESS", short(worst.ess)]);
    if (run.layout !== "ensemble") known.push(["Worst R̂", fixed(worst.rhat, 3)]);
  }
  if (run.acceptance !== null) known.push(["Acceptance", share(run.acceptance)]);
  return known;
}

// Makes the sections that the run has by now.
function layOut() {
  const names = run.figures.map((figure) => figure.name);
  if (names.join() !== [...sections.keys()].join()) {
    for (const [name, section] of sections) if (!names.includes(name)) section.element.remove();
    const before = new Map(sections);
    sections.clear();
    for (const figure of run.figures) {
      const section = before.get(figure.name) ?? new Section(figure);
      sections.set(figure.name, section);
      byId("figures").append(section.element);
      observer.observe(section.element);
    }
    const links = [...run.figures.map(({ name, title }) => [name, title]), ["summary", "Summary"], ["about", "About"]];
    byId("nav").replaceChildren(...links.map(([name, title]) => el("a", { href: `#${name}` }, title)));
  }
  const hasFigures = names.length > 0;
  byId("tools").hidden = !hasFigures;
  byId("summary").hidden = !hasFigures;
  byId("about").hidden = run.state === "damaged";
  observer.observe(byId("summary"));
  observer.observe(byId("about"));
}

// Brings those sections up to date that are seen; what takes its time holds up nothing else.
function bringUpToDate() {
  for (const [name, section] of sections) if (visible.has(name)) section.update();
  table.update(run, visible.has("summary"));
  facts.update(run, visible.has("about"));
}

function markCurrent() {
  const first = [...sections.keys(), "summary", "about"].find((name) => visible.has(name));
  for (const link of byId("nav").children) {
    if (link.hash === `#${first}`) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

poll(look);
