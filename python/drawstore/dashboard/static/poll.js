// Looking again and again, while the page is seen.

import { setText } from "./dom.js";

// ms: what is saved is to be seen within 2 s, and each look takes time from whoever samples on the same machine.
const INTERVAL = 1400;

// Calls `look` at once and then again and again, or after as long as it takes; shows where the server does not answer.
export function poll(look) {
  const banner = document.getElementById("gone");
  const live = document.getElementById("live");
  let timer = null;
  let isLooking = false;

  async function tick() {
    timer = null;
    if (document.hidden || isLooking) return;
    isLooking = true;
    const began = performance.now();
    try {
      await look();
      banner.hidden = true;
      document.body.classList.remove("is-stale");
      setText(live, new Date().toLocaleTimeString("en-GB"));
    } catch (error) {
      if (error.status === undefined) console.error(error);
      const isRefused = error.status === 401 || error.status === 403;
      setText(banner, isRefused ? `The server refuses: ${error.message}.`
        : error.status === 0 ? "The server does not answer; this page goes on when it does."
          : `Something went wrong: ${error.message}.`);
      banner.hidden = false;
      document.body.classList.add("is-stale");
    }
    isLooking = false;
    const took = performance.now() - began;
    timer = setTimeout(tick, Math.max(INTERVAL - took, took));
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden || isLooking) return;
    clearTimeout(timer);
    tick();
  });
  tick();
}
