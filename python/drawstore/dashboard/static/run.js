import { ask } from "./api.js";
import { Plot } from "./plot.js";

const base = `/api/run/${document.getElementById("main").dataset.key}`;
const plots = new Map();

async function look() {
  const run = await ask(base);
  document.getElementById("rid").textContent = run.rid;
  document.getElementById("state").textContent = `${run.state}, ${run.draws} draws`;
  for (const { name, title } of run.figures) {
    if (!plots.has(name)) {
      const section = document.createElement("section");
      const head = document.createElement("h2");
      head.textContent = title;
      const target = document.createElement("div");
      section.append(head, target);
      document.getElementById("figures").append(section);
      const plot = new Plot(base, name, target);
      plots.set(name, plot);
      await plot.embed([0, 1, 2, 3], "light");
    } else {
      await plots.get(name).refresh();
    }
  }
  setTimeout(look, 1000);
}
look();
