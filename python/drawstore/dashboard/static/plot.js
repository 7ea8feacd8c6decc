// A figure on the page: models of Bokeh, and their data, which are asked for again and again.

import { ask } from "./api.js";
import { columns } from "./decode.js";

const DEBOUNCE = 60; // ms from the last move to the question
const RANGE = "draws"; // the name of the model of what can be moved

export class Plot {
  constructor(base, name, target, onNotes) {
    this.base = base;
    this.name = name;
    this.target = target;
    this.onNotes = onNotes;
    this.views = null;
    this.window = null; // the draws that somebody chose to see; null follows the run
    this.made = null; // from what it was made
    this.asking = null;
    this.timer = null;
    this.isSetting = false;
    this.answered = "";
  }

  // Makes it anew, for other parameters, another theme or another run.
  async embed(parameters, theme, made) {
    const query = [["theme", theme], ...parameters.map((i) => ["parameter", i])];
    const { item } = await ask(`${this.base}/figure/${this.name}`, query);
    Bokeh.set_log_level("error"); // it warns of each figure that has no data yet
    const place = document.createElement("div");
    this.target.append(place);
    const views = await Bokeh.embed.embed_item(item, place);
    if (this.views !== null) remove(this.views);
    for (const child of [...this.target.children]) if (child !== place) child.remove();
    this.views = views;
    this.document = views.roots[0].model.document;
    this.parameters = parameters;
    this.made = made;
    this.answered = "";
    this.range = this.document.get_model_by_name(RANGE);
    if (this.range !== null) this.watch();
    this.target.classList.add("is-there");
    await this.refresh();
  }

  watch() {
    this.range.change.connect(() => {
      if (this.isSetting) return;
      this.window = [this.range.start, this.range.end];
      this.soon();
    });
    for (const model of this.document._all_models.values()) {
      if (model.type !== "Figure") continue;
      model.on_event("reset", () => {
        this.window = null;
        this.soon();
      });
    }
    if (this.window !== null) this.setRange(...this.window);
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh().catch(() => {}), DEBOUNCE);
  }

  // Asks for the data as of now; of several questions the last one counts.
  async refresh() {
    this.asking?.abort();
    const asking = this.asking = new AbortController();
    const query = [["width", Math.max(1, Math.round(this.target.clientWidth))]];
    if (this.window !== null) {
      query.push(["start", Math.max(0, Math.floor(this.window[0]))], ["stop", Math.max(0, Math.ceil(this.window[1]) + 1)]);
    }
    query.push(...this.parameters.map((i) => ["parameter", i]));
    let answer;
    try {
      answer = await ask(`${this.base}/data/${this.name}`, query, asking.signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      throw error;
    }
    if (asking !== this.asking) return;
    const text = JSON.stringify(answer);
    this.isSettled = text === this.answered;
    if (this.isSettled) return;
    this.answered = text;
    for (const [name, source] of Object.entries(answer.sources)) {
      const model = this.document.get_model_by_name(name);
      if (model !== null) model.data = columns(source);
    }
    if (this.range !== null && this.window === null) this.setRange(0, Math.max(1, answer.draws));
    this.target.dataset.draws = answer.draws;
    this.onNotes(answer.notes);
  }

  setRange(start, end) {
    this.isSetting = true;
    this.range.setv({ start, end });
    if (this.window === null) this.range.setv({ reset_start: start, reset_end: end });
    this.isSetting = false;
  }
}

function remove(views) {
  for (const view of [...views.roots]) {
    const { document: of } = view.model;
    view.remove();
    of?.clear();
    const at = Bokeh.documents.indexOf(of);
    if (at >= 0) Bokeh.documents.splice(at, 1);
  }
}
