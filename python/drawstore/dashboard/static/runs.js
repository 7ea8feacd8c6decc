import { ask } from "./api.js";

async function look() {
  const { runs } = await ask("/api/runs");
  const list = document.getElementById("runs");
  list.replaceChildren(...runs.map((run) => {
    const link = document.createElement("a");
    link.href = `/run/${run.key}`;
    link.textContent = `${run.rid} ${run.state} ${run.draws}`;
    const item = document.createElement("p");
    item.append(link);
    return item;
  }));
  setTimeout(look, 1000);
}
look();
