// The posterior in numbers, a page of parameters at a time.

import { ask } from "./api.js";
import { el, isolated, setChildren, setText } from "./dom.js";
import { count, fixed, short, value } from "./words.js";

const ROWS = 50;
const INTERVAL = 5000; // ms

const byId = (id) => document.getElementById(id);

export class Table {
  constructor(base, picker) {
    this.base = base;
    this.picker = picker;
    this.first = 0;
    this.asked = -Infinity;
    this.draws = null;
    byId("row-filter").addEventListener("input", () => this.turn(0));
    byId("rows-before").addEventListener("click", () => this.turn(Math.max(0, this.first - ROWS)));
    byId("rows-after").addEventListener("click", () => this.turn(this.first + ROWS));
  }

  // The numbers of the parameters that are shown.
  indices() {
    return this.picker.matching(byId("row-filter").value).slice(this.first, this.first + ROWS);
  }

  turn(first) {
    this.first = first;
    this.load().catch(() => {});
  }

  update(run, isVisible) {
    this.run = run;
    const isDue = performance.now() - this.asked >= INTERVAL;
    const state = JSON.stringify([run.draws, run.worst, run.signature]);
    if (!isVisible || !isDue || state === this.state) return;
    this.state = state;
    this.load().catch((error) => setText(byId("table-notes"), `It cannot be read: ${error.message}`));
  }

  async load() {
    this.asked = performance.now();
    const all = this.picker.matching(byId("row-filter").value);
    const indices = this.indices();
    byId("paging").hidden = this.picker.names.length <= ROWS;
    byId("rows-before").disabled = this.first === 0;
    byId("rows-after").disabled = this.first + ROWS >= all.length;
    setText(byId("rows-shown"), all.length === 0 ? "none is called so" : `${this.first + 1}–${this.first + indices.length} of ${count(all.length)}`);
    const asked = this.asked;
    const found = await ask(`${this.base}/table`, indices.map((i) => ["parameter", i]));
    if (asked !== this.asked) return;
    const chains = this.run.layout !== "ensemble";
    const heads = ["mean", "sd", "MCSE", ...found.levels.map((level) => `${level * 100} %`), "ESS", ...(chains ? ["R̂"] : []), "τ"];
    setChildren(byId("table-head"), el("tr", {}, el("th", { scope: "col" }, "parameter"), ...heads.map((head) => el("th", { scope: "col", class: "number" }, head))));
    setChildren(byId("table-rows"), ...found.rows.map((row) => {
      const cells = [value(row.mean, row.mcse), value(row.sd, row.mcse), short(row.mcse),
        ...row.quantiles.map((x) => value(x, row.mcse)), short(row.ess), ...(chains ? [fixed(row.rhat, 3)] : []), short(row.tau)];
      const isBad = chains && row.rhat !== null && row.rhat >= 1.01;
      const name = this.picker.names[row.index];
      return el("tr", {}, el("td", { title: name }, isolated(name)), ...cells.map((text, i) =>
        el("td", { class: `number${isBad && heads[i] === "R̂" ? " bad" : ""}` }, text)));
    }));
    const isPart = found.n_read < found.n_draws;
    setText(byId("table-notes"), found.n_draws === 0 ? "No draw counts yet."
      : isPart ? `Means, sd and quantiles are of ${count(found.n_read)} of ${count(found.n_draws)} draws, evenly spread; ESS, R̂ and τ are of all.`
        : `Of all ${count(found.n_draws)} draws.`);
  }
}
