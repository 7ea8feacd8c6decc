// A figure on the page: a model of Bokeh, and its data, which are asked for again and again.

import { ask } from "./api.js";
import { columns } from "./decode.js";

export class Plot {
  constructor(base, name, target) {
    this.base = base;
    this.name = name;
    this.target = target;
    this.view = null;
  }

  // Makes it anew, for other parameters or another theme.
  async embed(parameters, theme) {
    const query = [["theme", theme], ...parameters.map((i) => ["parameter", i])];
    const { item } = await ask(`${this.base}/figure/${this.name}`, query);
    this.target.replaceChildren();
    const views = await Bokeh.embed.embed_item(item, this.target);
    this.document = views.roots[0].model.document;
    this.parameters = parameters;
    await this.refresh();
  }

  async refresh() {
    const width = Math.max(1, Math.round(this.target.clientWidth * devicePixelRatio));
    const query = [["width", width], ...this.parameters.map((i) => ["parameter", i])];
    const answer = await ask(`${this.base}/data/${this.name}`, query);
    for (const [name, source] of Object.entries(answer.sources)) {
      const model = this.document.get_model_by_name(name);
      if (model !== null) model.data = columns(source);
    }
  }
}
