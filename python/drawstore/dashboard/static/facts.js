// What a run is made of.

import { ask } from "./api.js";
import { el, isolated, setChildren } from "./dom.js";
import { count, moment, size } from "./words.js";

const LISTED = 100;

export class Facts {
  constructor(base) {
    this.base = base;
    this.state = null;
  }

  update(run, isVisible) {
    const state = `${run.signature} ${run.state}`;
    if (!isVisible || state === this.state) return;
    this.state = state;
    this.load().catch(() => { this.state = null; });
  }

  async load() {
    const facts = await ask(`${this.base}/facts`);
    const given = [["Kept in", facts.kind], ["Size", size(facts.size)], ["Made", moment(facts.made)], ["Last written", moment(facts.written)]];
    if (facts.writers.length) given.push(["Written by", facts.writers.join("\n")]);
    if (facts.waiting) given.push(["Waiting in journals", `${count(facts.waiting)}, of processes that died: drawstore recover delivers them`]);
    for (const [name, variables] of [["Variables", facts.variables], ["Sampler stats", facts.stats], ["Data", facts.data]]) {
      if (variables.length) given.push([name, listed(variables.map(variable))]);
    }
    const coords = Object.entries(facts.coords).map(([name, n]) => `${name}: ${count(n)}`);
    if (coords.length) given.push(["Labels of dimensions", listed(coords)]);
    if (facts.groups.length) given.push(["Added after sampling", facts.groups.join(", ")]);
    for (const [name, text] of Object.entries(facts.attributes)) given.push([name, text]);
    setChildren(document.getElementById("facts"), ...given.flatMap(([name, text]) =>
      [el("dt", {}, isolated(name)), el("dd", {}, isolated(text))]));
  }
}

function variable({ name, dtype, shape, dims }) {
  const of = shape === null ? " of any shape" : shape.length ? ` (${shape.map((n, i) => dims[i] ? `${dims[i]}: ${n}` : n).join(", ")})` : "";
  return `${name}: ${dtype}${of}`;
}

function listed(lines) {
  const more = lines.length > LISTED ? `\nand ${lines.length - LISTED} more` : "";
  return lines.slice(0, LISTED).join("\n") + more;
}
