// Choosing the parameters that figures show.

import { ask } from "./api.js";
import { el, isolated, setText } from "./dom.js";

const FIRST = 4; // parameters that are shown at first
const MOST = 12;
const LISTED = 50;
const IN_ADDRESS = /^#p=(\d+(?:,\d+)*)$/;

const byId = (id) => document.getElementById(id);

export class Picker {
  constructor(base, onChange) {
    this.base = base;
    this.onChange = onChange;
    this.names = [];
    this.chosen = [];
    this.signature = null;
    byId("wanted").addEventListener("input", () => this.list());
    byId("picker").addEventListener("toggle", () => { if (byId("picker").open) byId("wanted").focus(); });
    byId("picker").addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      byId("picker").open = false;
      byId("picked").focus();
    });
    document.addEventListener("click", (event) => {
      if (!byId("picker").contains(event.target)) byId("picker").open = false;
    });
  }

  // Learns the names, where they may be others than before.
  async update(run) {
    if (run.signature === this.signature) return;
    if (run.n_parameters === 0) {
      this.names = [];
    } else {
      ({ names: this.names } = await ask(`${this.base}/names`));
    }
    this.signature = run.signature;
    const before = this.chosen.length ? this.chosen : this.fromAddress();
    const kept = before.filter((i) => i < this.names.length);
    this.chosen = kept.length ? kept : this.names.slice(0, FIRST).map((_, i) => i);
    this.list();
    this.say();
  }

  // Gives the numbers of the parameters whose names hold a text.
  matching(text) {
    const wanted = text.toLowerCase();
    return this.names.map((_, i) => i).filter((i) => this.names[i].toLowerCase().includes(wanted));
  }

  fromAddress() {
    const match = IN_ADDRESS.exec(location.hash);
    return match === null ? [] : match[1].split(",").map(Number).slice(0, MOST);
  }

  list() {
    const found = this.matching(byId("wanted").value);
    const order = [...found.filter((i) => this.chosen.includes(i)), ...found.filter((i) => !this.chosen.includes(i))];
    byId("found").replaceChildren(...order.slice(0, LISTED).map((i) => {
      const box = el("input", { type: "checkbox", change: () => this.choose(i, box) });
      box.checked = this.chosen.includes(i);
      return el("label", {}, box, el("span", {}, isolated(this.names[i])));
    }));
    setText(byId("found-more"), found.length > LISTED
      ? `and ${found.length - LISTED} more; type to find them` : found.length ? "" : "none is called so");
  }

  choose(i, box) {
    const chosen = box.checked ? [...this.chosen, i] : this.chosen.filter((j) => j !== i);
    if (chosen.length === 0 || chosen.length > MOST) {
      box.checked = !box.checked;
      setText(byId("found-more"), chosen.length ? `${MOST} can be shown at once` : "one is shown at least");
      return;
    }
    this.chosen = chosen.sort((a, b) => a - b);
    history.replaceState(null, "", `#p=${this.chosen.join(",")}`);
    this.say();
    this.onChange();
  }

  say() {
    const names = this.chosen.slice(0, 3).map((i) => this.names[i].slice(0, 24));
    const more = this.chosen.length > 3 ? ", …" : "";
    setText(byId("picked"), `${this.chosen.length} of ${this.names.length}: ${names.join(", ")}${more}`);
  }
}
