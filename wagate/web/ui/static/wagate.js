// wagate's dashboard: what a script adds. Every page works without it.
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

  // The server's time, as far as the page knows it.
  const loaded = performance.now();
  const now = () => Number(document.body.dataset.now) * 1000 + performance.now() - loaded;
  const lasting = (s) => s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min`
    : `${Math.floor(s / 3600)} h` + (s % 3600 < 60 ? "" : ` ${Math.floor(s % 3600 / 60)} min`);

  // Read aloud is only that something is newer or needs somebody, at most each 30 s; figures never are.
  const told = one("[data-told]");
  let toldAt = -Infinity;
  const tell = () => {
    const text = one("#more")?.textContent ?? "";
    if (!told || told.textContent === text || text && performance.now() - toldAt < 30000) return;
    if (text) toldAt = performance.now();
    told.textContent = text;
  };

  // One timer for all countdowns and ages. Nothing moves while the page is hidden.
  const began = new WeakMap();
  setInterval(() => {
    if (document.hidden) return;
    tell();
    for (const node of all("time")) {
      const gone = Math.max(0, Math.floor((now() - Date.parse(node.dateTime)) / 1000)), ago = node.textContent.endsWith(" ago");
      if (gone < 21600 && (ago || "age" in node.dataset)) node.textContent = lasting(gone) + (ago ? " ago" : "");
    }
    for (const node of all("[data-count],[data-bar]")) {
      if (!began.has(node)) began.set(node, performance.now());
      const gone = Math.floor((performance.now() - began.get(node)) / 1000);
      if (node.dataset.bar) { node.value = Math.max(0, node.dataset.bar - gone); continue }
      const left = Math.max(0, node.dataset.count - gone);
      if (!left && node.closest("#scan")) one("#scan .qr")?.remove(); // a lapsed code is none: the phone would blame its internet
      node.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    }
  }, 1000);

  // Live: one stream a tab, closed while the tab is hidden. Patches are whole leaves; rows, lists, forms and buttons stay.
  const live = one("[data-live]");
  let source, paused = false, seen = "", late;
  const say = (text) => { if (live.type) live.textContent = text; // a page to scan shows its state itself
    document.body.classList.toggle("stale", text !== "Live") };
  const back = () => { clearTimeout(late); late = undefined; seen = new Date().toLocaleTimeString(); say("Live") };
  const patch = (event) => {
    back();
    for (const fresh of new DOMParser().parseFromString(event.data, "text/html").body.children) {
      const old = document.getElementById(fresh.id);
      if (!old || old.innerHTML === fresh.innerHTML) continue;
      const row = old.querySelector(".st") && old.textContent !== fresh.textContent && old.closest("tr");
      old.replaceChildren(...fresh.childNodes);
      if (row) { row.classList.remove("moved"); void row.offsetWidth; row.classList.add("moved") }
    }
    tell();
  };
  const close = () => { source?.close(); source = undefined };
  const open = () => {
    if (paused || source || document.hidden) return;
    source = new EventSource(live.dataset.live);
    source.onopen = back;
    source.addEventListener("patch", patch);
    source.addEventListener("end", (event) => { paused = true; close(); say(event.data) });
    source.addEventListener("over", () => { // nothing moves any more: what could stop it goes
      const stop = one("[data-stop]"), next = one("[data-next]"), had = stop?.contains(document.activeElement);
      paused = live.hidden = true; close(); stop?.remove(); next.hidden = false; had && next.focus();
    });
    source.onerror = () => {
      late ??= setTimeout(() => say(`Not live${seen && ", last at " + seen}`), 5000);
      if (source?.readyState === EventSource.CLOSED) { close(); setTimeout(open, 15000) }
    };
  };
  const pause = () => { if (!live.type) return; paused = !paused; close(); clearTimeout(late); late = undefined; paused ? say("Paused") : open() };
  if (live) {
    live.hidden = false;
    live.addEventListener("click", pause);
    document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    open();
  }

  // A pressed button says so, and is not pressed twice: the answer is a new page. Back shows it as it was.
  const busy = new Map();
  document.addEventListener("submit", (event) => {
    const form = event.target, button = event.submitter ?? form.querySelector("button");
    if (form.getAttribute("method") !== "post") return;
    if (busy.has(form)) return event.preventDefault();
    busy.set(form, [button, [...button.childNodes]]);
    button.ariaBusy = "true";
    if (/[/](probe|mend|test)$/.test(form.getAttribute("action"))) button.replaceChildren("Trying …", ...[...button.querySelectorAll(".vh")].map((node) => node.cloneNode(true)));
    setTimeout(() => { button.disabled = busy.has(form) }); // once the form is read: a button that is disabled sends no value
  });
  addEventListener("pageshow", () => {
    for (const [button, nodes] of busy.values()) { button.ariaBusy = null; button.disabled = false; button.replaceChildren(...nodes) }
    busy.clear();
  });

  // What is newer was asked for: the page comes anew, and the focus goes to the first of it.
  document.addEventListener("click", (event) => { if (event.target.closest(".more a")) sessionStorage.setItem("newer", "1") });
  if (sessionStorage.getItem("newer")) {
    sessionStorage.removeItem("newer");
    (one("tbody [name=id]") ?? one("tbody a") ?? one("#main"))?.focus();
  }

  // Picks.
  const picks = () => all("tbody [name=id]");
  const count = () => {
    const said = one("[data-picked]");
    if (!said) return;
    const n = [...picks()].filter((box) => box.checked).length;
    said.textContent = n ? `${n} selected` : "none selected";
    for (const button of all("button[name=do]")) button.disabled = !n;
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-all]")) for (const box of picks()) box.checked = event.target.checked;
    count();
  });
  document.addEventListener("DOMContentLoaded", count);

  // Keys: off in fields, with Ctrl, Alt or Meta, while a dialog is open, and when somebody switched them off.
  const dialog = one("#keys"), on = one("[data-keys]");
  const used = () => localStorage.getItem("keys") !== "off";
  const line = (row) => row?.querySelector("[name=id]") ?? row?.querySelector("a");
  const again = (within) => within?.querySelector(':is(form[action$="/retry"],form[action$="/probe"]) button');
  const walk = (at, step) => {
    const rows = [...all(".need li,main tbody tr,.chats li")].filter(line), to = rows[rows.indexOf(at) + step];
    if (at || step > 0) line(to)?.focus();
  };
  const retry = (row) => {
    const button = one("button[name=do][value=retry]"), box = row?.querySelector("[name=id]");
    if (!button) return (again(row) ?? again(one(".head")))?.click();
    if (box && ![...picks()].some((each) => each.checked)) box.click();
    button.click(); // disabled as long as none is picked
  };
  const keys = {
    "?": () => dialog?.showPopover(),
    "/": () => one("#q")?.focus(),
    p: () => live && pause(),
    t: () => one('form[action$="/theme"]')?.requestSubmit(),
    j: (row) => walk(row, 1),
    k: (row) => walk(row, -1),
    x: (row) => row?.querySelector("[name=id]")?.click(),
    r: retry,
  };
  let begun = -Infinity; // when g was pressed
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !used() || one("dialog:popover-open")) return;
    if (event.target.matches("input:not([type=checkbox]),select,textarea")) return;
    if (event.repeat && !"jk".includes(event.key)) return;
    const row = document.activeElement.closest(".need li,main tbody tr,.chats li"), led = event.timeStamp - begun < 1500;
    begun = event.key === "g" ? event.timeStamp : -Infinity;
    if (event.key === "Enter" && event.target.matches("[name=id]")) {
      event.preventDefault(); // it would press the form's first button
      row.querySelector("td a").click();
    } else if (led) one(`[data-go="${CSS.escape(event.key)}"]`)?.click();
    else if (Object.hasOwn(keys, event.key)) { event.preventDefault(); keys[event.key](row) }
  });
  if (on) {
    one("[popovertarget=keys]").hidden = false;
    on.checked = used();
    on.addEventListener("change", () => localStorage.setItem("keys", on.checked ? "on" : "off"));
  }
})();
