// wagate's dashboard, what htmx does not do. Every page works without it.
(() => {
  const all = (s) => document.querySelectorAll(s), one = (s) => document.querySelector(s);

  // Copy: the button itself says that it has worked.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const before = [...button.childNodes];
    try { await navigator.clipboard.writeText(button.dataset.copy); button.textContent = "Copied" } catch { button.textContent = "Press Ctrl C" }
    setTimeout(() => button.replaceChildren(...before), 1500);
  });

  // One timer for all countdowns. Nothing moves while the page is hidden.
  const began = new WeakMap();
  setInterval(() => {
    if (document.hidden) return;
    for (const node of all("[data-count],[data-bar]")) {
      if (!began.has(node)) began.set(node, performance.now());
      const gone = Math.floor((performance.now() - began.get(node)) / 1000);
      if (node.dataset.bar) { node.value = Math.max(0, node.dataset.bar - gone); continue }
      const left = Math.max(0, node.dataset.count - gone);
      node.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    }
  }, 1000);

  // Picks.
  const picks = () => all("tbody [name=id]");
  const count = () => {
    const said = one("[data-picked]");
    if (!said) return;
    const n = [...picks()].filter((box) => box.checked).length;
    said.textContent = n ? `${n} picked` : "none picked";
    for (const button of all("button[name=do]")) button.disabled = !n;
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-all]")) for (const box of picks()) box.checked = event.target.checked;
    count();
  });
  document.addEventListener("DOMContentLoaded", count);

  // Keys. Never while something is typed, never with Ctrl, Alt or Meta.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input:not([type=checkbox]),select,textarea")) return;
    const rows = [...picks()], at = rows.indexOf(document.activeElement);
    if (event.key === "/") { event.preventDefault(); one("#q")?.focus() }
    else if (event.key === "j" && rows.length) rows[Math.min(at + 1, rows.length - 1)].focus();
    else if (event.key === "k" && at > 0) rows[at - 1].focus();
    else if (event.key === "x" && at >= 0) { rows[at].click() }
    else if (event.key === "Enter" && at >= 0) {
      event.preventDefault(); // it would press the form's first button
      rows[at].closest("tr").querySelector("td a").click();
    }
  });
})();
