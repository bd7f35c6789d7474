// The API's page: search, and requests to this gateway. Without it, the page is read as it is.
(() => {
  const all = (s, within = document) => [...within.querySelectorAll(s)], one = (s, within = document) => within.querySelector(s);
  const make = (tag, fields, ...inside) => { const node = Object.assign(document.createElement(tag), fields); node.append(...inside); return node };
  const most = 200000, patience = 5000; // characters of an answer; milliseconds of a stream

  // Search: every word must be somewhere in the operation.
  const search = one("#search"), count = one("#found"), operations = all("details[data-method]");
  const texts = new Map(operations.map((each) => [each, each.textContent.toLowerCase()]));
  const find = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const each of operations) { each.hidden = !words.every((word) => texts.get(each).includes(word)); found += !each.hidden }
    for (const group of all("section[data-group]")) group.hidden = !one("details:not([hidden])", group);
    count.textContent = words.length ? `${found} of ${operations.length}` : "";
  };
  one(".tools").hidden = false;
  search.addEventListener("input", find);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input,textarea")) return;
    event.preventDefault(); search.focus();
  });

  // A link to a closed part opens it.
  const reveal = () => { const part = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1))); if (part?.tagName === "DETAILS") { part.open = true; part.scrollIntoView() } };
  addEventListener("hashchange", reveal); reveal();

  const read = async (answer, stop) => { // a stream has no end: what came so far is shown
    const reader = answer.body?.getReader(), decoder = new TextDecoder();
    let text = "";
    const timer = setTimeout(() => stop.abort(), patience);
    try { for (let part; reader && text.length < most && !(part = await reader.read()).done;) text += decoder.decode(part.value, { stream: true }) }
    catch { text += "\n… (stopped here)" } finally { clearTimeout(timer); stop.abort() }
    return text.slice(0, most);
  };
  const pretty = (text) => { try { return JSON.stringify(JSON.parse(text), null, 2) } catch { return text } };

  // Try it: made when an operation is opened, from what the page says of it.
  const form = (details) => {
    const { method, path, id } = details.dataset, parameters = all("tr[data-name]", details).map((row) => row.dataset), example = one(".body-example", details);
    const fields = make("div", { className: "fields" });
    for (const each of parameters) {
      const input = make("input", { name: each.name, required: each.in === "path", placeholder: each.shape, autocomplete: "off" });
      input.dataset.in = each.in;
      fields.append(make("label", {}, `${each.name} `, make("small", {}, each.in), input));
    }
    const body = example && make("textarea", { name: "body", rows: Math.min(14, example.textContent.split("\n").length + 1), value: example.textContent, spellcheck: false });
    const button = make("button", {}, `Send ${method}`), said = make("p", { role: "status" }), result = make("pre", { hidden: true, tabIndex: 0 });
    result.setAttribute("aria-label", "The answer");
    const made = make("form", { className: "try" }, make("h3", {}, "Try it"), fields, ...(body ? [make("label", {}, "Body", body)] : []), make("div", {}, button), said, result);
    made.setAttribute("aria-label", `Try ${method} ${path}`);
    made.addEventListener("submit", async (event) => {
      event.preventDefault();
      let url = path;
      const query = new URLSearchParams(), headers = {}, stop = new AbortController(), token = one("#token").value.trim();
      for (const input of all("input", made)) {
        const { in: where } = input.dataset, { name, value } = input;
        if (where === "path") url = url.replace(`{${name}}`, encodeURIComponent(value));
        else if (value && where === "query") query.append(name, value);
        else if (value && where === "header") headers[name] = value;
      }
      if (token) headers.Authorization = `Bearer ${token}`;
      if (body) headers["Content-Type"] = "application/json";
      button.disabled = true; said.className = ""; said.textContent = "Sending …"; result.hidden = true;
      const began = performance.now();
      try {
        const answer = await fetch(query.size ? `${url}?${query}` : url, { method, headers, body: body?.value || undefined, credentials: "omit", redirect: "error", signal: stop.signal });
        const taken = Math.round(performance.now() - began), text = await read(answer, stop);
        said.className = answer.ok ? "" : "bad";
        said.textContent = `${[answer.status, answer.statusText].filter(Boolean).join(" ")}, after ${taken} ms${token || answer.status !== 401 ? "" : ". Give a token at the top of the page."}`;
        result.textContent = pretty(text); result.hidden = !text;
      } catch (error) { said.className = "bad"; said.textContent = `No answer: ${error.message}` } finally { button.disabled = false }
    });
    return made;
  };
  for (const details of operations) details.addEventListener("toggle", () => { if (details.open && !one(".try", details)) one(".place", details).append(form(details)) });
  for (const details of operations) if (details.open) details.dispatchEvent(new Event("toggle"));
})();
