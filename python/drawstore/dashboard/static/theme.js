// Light or dark: as the system has it, or as was chosen before. Runs before anything is painted.
"use strict";

(() => {
  const KEY = "drawstore-theme";
  const NEXT = { auto: "light", light: "dark", dark: "auto" };
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      const value = localStorage.getItem(KEY);
      return value in NEXT ? value : "auto";
    } catch {
      return root.dataset.theme ?? "auto"; // where nothing may be kept
    }
  }

  function apply(choice) {
    if (choice === "auto") delete root.dataset.theme;
    else root.dataset.theme = choice;
  }

  function tell() {
    const isDark = (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
    dispatchEvent(new CustomEvent("theme", { detail: isDark ? "dark" : "light" }));
  }

  apply(chosen());
  system.addEventListener("change", tell);

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (button === null) return;
    const name = () => { button.textContent = `Theme: ${root.dataset.theme ?? "auto"}`; };
    name();
    button.addEventListener("click", () => {
      const choice = NEXT[root.dataset.theme ?? "auto"];
      try { localStorage.setItem(KEY, choice); } catch { /* it is forgotten with the page */ }
      apply(choice);
      name();
      tell();
    });
  });
})();
