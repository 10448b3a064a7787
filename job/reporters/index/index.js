"use strict";
// The table of runs: sorted, filtered, or with the differences only. Scrolling adds rows.
(() => {
  const BATCH = 100;
  const MAX_KEYS = 40;
  const data = JSON.parse(document.getElementById("runs").textContent);
  const runs = data.runs; // the newest last
  const element = (id) => document.getElementById(id);
  const make = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const percent = (share) => (share === undefined ? "" : `${(share * 100).toFixed(2)}\u00a0%`);
  const number = (value, digits = 0) =>
    value === undefined ? "" : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const link = (run, text) => (run.report ? make("a", { href: `runs/${run.id}/report.html`, textContent: text }) : text);

  // Values of the configuration and the packages by key, each with one value per run; made on first use.
  let columns = null;
  const values = () => {
    if (columns) return columns;
    columns = new Map();
    const current = new Map();
    runs.forEach((run, at) => {
      for (const key of run.unset ?? []) current.delete(key);
      for (const [key, value] of Object.entries(run.set ?? {})) current.set(key, value);
      for (const [key, value] of current) {
        if (!columns.has(key)) columns.set(key, new Array(runs.length));
        columns.get(key)[at] = value;
      }
    });
    return columns;
  };
  const shown = (value) => (value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value));

  const curve = (run) => {
    if (!run.curve) return "";
    // On a scale of the error, from 100 % to 0.1 %, the curves of good models differ too.
    const y = (accuracy) => 19 - 18 * Math.min(1, -Math.log10(Math.max(1 - accuracy / 1e4, 1e-3)) / 3);
    const x = (at) => (run.curve.length > 1 ? 1 + (58 * at) / (run.curve.length - 1) : 30);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 60 20");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    const [first, last] = [run.curve[0], run.curve.at(-1)].map((pair) => percent(pair[1] / 1e4));
    const text = `Validation accuracy from ${first} to ${last}, epochs: ${run.epochs}`;
    svg.setAttribute("aria-label", text);
    const title = document.createElementNS(svg.namespaceURI, "title");
    title.textContent = text;
    svg.append(title);
    for (const series of [0, 1]) {
      const line = document.createElementNS(svg.namespaceURI, "polyline");
      const points = run.curve.map((pair, at) => `${x(at).toFixed(1)},${y(pair[series]).toFixed(1)}`);
      line.setAttribute("points", points.length > 1 ? points.join(" ") : `${points[0]} 59,${y(run.curve[0][series]).toFixed(1)}`);
      line.setAttribute("class", `line s${series + 1}`);
      svg.append(line);
    }
    return svg;
  };

  const name = (run) => {
    const id = run.name ? make("small", { textContent: run.id }) : "";
    const cell = make("th", { scope: "row" }, run.name ? make("b", {}, link(run, run.name)) : link(run, run.id));
    for (const tag of run.tags ?? []) cell.append(make("span", { className: "tag", textContent: tag }));
    cell.append(id);
    if (run.sweep) {
      const page = make("a", { href: `sweeps/${run.sweep[0]}/index.html`, textContent: `sweep ${run.sweep[0]}` });
      cell.append(make("small", {}, page, `, trial ${run.sweep[1]}`));
    }
    if (run.note) cell.append(make("small", { className: "note", textContent: run.note }));
    return cell;
  };
  const when = (run) => {
    const [day, time] = run.started.split(" ").map((part) => make("span", { textContent: part }));
    return cell("when", day, " ", time);
  };
  const steps = (run) => {
    const list = make("ul");
    for (const [producer, names] of Object.entries(run.reused ?? {})) {
      const from = producer ? make("a", { href: `#${producer}`, textContent: producer }) : "a deleted run";
      list.append(make("li", {}, `${names.length === run.steps ? "all" : names.join(", ")} from `, from));
    }
    return list;
  };
  const verdict = (run) => {
    const style = { BLESSED: "good", "NOT BLESSED": "warn", failed: "bad", killed: "bad", damaged: "bad" }[run.verdict];
    const cell = make("td", { className: `verdict ${style ?? ""}`, textContent: run.verdict });
    if (run.failure) cell.append(make("small", { textContent: run.failure }));
    return cell;
  };
  // Long keys may break after their dots.
  const breakable = (text) => text.split(/(?<=\.)(?=[a-z_])/).flatMap((part, at) => (at ? [make("wbr"), part] : [part]));
  const cell = (className, ...content) => make("td", { className }, ...content);
  const plain = [
    { title: "Run", value: (run) => run.name ?? run.id, cell: name },
    { title: "Started, UTC", value: (run) => run.id, cell: when },
    { title: "Data set", value: (run) => run.data_set, cell: (run) => cell("data-set", run.data_set ?? "") },
    { title: "Learning curve", cell: (run) => cell("curve", curve(run)) },
    { title: "Validation accuracy", value: (run) => run.validation, cell: (run) => cell("number", percent(run.validation)), falls: true },
    {
      title: "Test accuracy", value: (run) => run.test, falls: true,
      cell: (run) => Object.assign(cell("number", percent(run.test)), {
        title: run.interval ? `95 % interval: ${run.interval.map(percent).join(" to ")}` : "",
      }),
    },
    { title: "Parameters", value: (run) => run.parameters, cell: (run) => cell("number", number(run.parameters)) },
    { title: "CPU-seconds", value: (run) => run.cpu, cell: (run) => cell("number", number(run.cpu, 1)) },
    { title: "Verdict", value: (run) => run.verdict, cell: verdict },
    {
      title: "Changes since the run before",
      cell: (run) => cell("changes", make("ul", {}, ...(run.changes ?? []).map((text) => make("li", {}, ...breakable(text))))),
    },
    { title: "Reused steps", cell: (run) => cell("steps", steps(run)) },
  ];

  const search = element("search");
  const dataSet = element("data-set");
  const verdictFilter = element("verdict-filter");
  const onlyDifferences = element("differences");
  const [head, body] = [document.querySelector("#table thead"), document.querySelector("#table tbody")];
  let sorted = { title: "Started, UTC", falls: true };
  let listed = [];
  let layout = plain;

  const text = (run) =>
    (run.text ??= [run.id, run.name, run.note, run.data_set, run.verdict, run.failure, run.sweep && `sweep ${run.sweep[0]}`, ...(run.tags ?? []), ...(run.changes ?? [])]
      .join("\n").toLowerCase());
  const matches = (term) => {
    const [key, value] = [term.slice(0, term.indexOf("=")), term.slice(term.indexOf("=") + 1)];
    const column = term.includes("=") ? values().get(key) : undefined;
    if (column) return (run) => shown(column[run.at]) === value;
    const lower = term.toLowerCase();
    return (run) => text(run).includes(lower);
  };
  const chosen = () => {
    const tests = search.value.split(/\s+/).filter(Boolean).map(matches);
    if (dataSet.value) tests.push((run) => run.data_set === dataSet.value);
    if (verdictFilter.value) tests.push((run) => run.verdict === verdictFilter.value);
    return runs.filter((run) => tests.every((test) => test(run)));
  };
  const differing = (selected) => {
    const keys = new Map(); // by the values: of keys with the same values, such as seeds, only the shortest is shown
    for (const [key, column] of values()) {
      const first = shown(column[selected[0]?.at]);
      if (!selected.some((run) => shown(column[run.at]) !== first)) continue;
      const all = JSON.stringify(selected.map((run) => column[run.at] ?? null));
      const other = keys.get(all);
      if (!other || key.length < other.length) keys.set(all, key);
    }
    return [...keys.values()].sort();
  };
  const compare = (value, falls) => (one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined) || other.at - one.at;
    const order = typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
    return (falls ? -order : order) || other.at - one.at;
  };

  const showMore = (count = BATCH) => {
    const from = body.rows.length;
    for (const run of listed.slice(from, from + count)) {
      body.append(make("tr", { id: run.id }, ...layout.map((column) => column.cell(run))));
    }
    element("more").hidden = body.rows.length >= listed.length;
  };
  const update = () => {
    const selected = chosen();
    const keys = onlyDifferences.checked ? differing(selected) : [];
    layout = plain;
    if (onlyDifferences.checked) {
      const kept = plain.filter((column) => ["Run", "Validation accuracy", "Test accuracy", "Verdict"].includes(column.title));
      layout = [...kept, ...keys.slice(0, MAX_KEYS).map((key) => ({
        title: key,
        value: (run) => values().get(key)[run.at],
        cell: (run) => cell("value", shown(values().get(key)[run.at])),
      }))];
    }
    const by = layout.find((column) => column.title === sorted.title) ?? plain[1];
    listed = selected.sort(compare(by.value, by === plain[1] ? sorted.falls ?? true : sorted.falls));
    head.replaceChildren(make("tr", {}, ...layout.map((column) => {
      const cell = make("th", { scope: "col", className: /accuracy|Parameters|CPU/.test(column.title) ? "number" : "" });
      if (!column.value) {
        cell.textContent = column.title;
        return cell;
      }
      cell.append(make("button", { type: "button" }, ...breakable(column.title)));
      if (column.title === by.title) cell.setAttribute("aria-sort", sorted.falls ? "descending" : "ascending");
      return cell;
    })));
    body.replaceChildren();
    showMore();
    const count = listed.length === runs.length ? `${number(runs.length)} run${runs.length === 1 ? "" : "s"}` : `${number(listed.length)} of ${number(runs.length)} runs`;
    element("legend").hidden = onlyDifferences.checked;
    const more = keys.length > MAX_KEYS ? `, the first ${MAX_KEYS} of ${keys.length} keys that differ` : "";
    element("status").textContent = `${count}${onlyDifferences.checked && !keys.length ? ", no differences" : more}, as of ${data.updated} UTC`;
    dispatchEvent(new Event("resize")); // the box may scroll now
  };

  head.addEventListener("click", (clicked) => {
    const title = clicked.target.closest("button")?.textContent;
    if (!title) return;
    const column = layout.find((each) => each.title === title);
    sorted = { title, falls: sorted.title === title ? !sorted.falls : Boolean(column.falls) };
    update();
    [...head.querySelectorAll("button")].find((button) => button.textContent === title).focus();
  });
  let waiting = 0;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(update, 80); });
  for (const control of [dataSet, verdictFilter, onlyDifferences]) control.addEventListener("change", update);
  element("filters").addEventListener("submit", (submitted) => submitted.preventDefault());
  element("more").addEventListener("click", () => showMore());
  new IntersectionObserver((seen) => { if (seen[0].isIntersecting) showMore(); }, { rootMargin: "600px" }).observe(element("more"));

  const goTo = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    if (!runs.some((run) => run.id === id)) return;
    if (!listed.some((run) => run.id === id)) {
      [search.value, dataSet.value, verdictFilter.value] = ["", "", ""];
      update();
    }
    showMore(Math.max(0, listed.findIndex((run) => run.id === id) + 1 - body.rows.length));
    for (const row of body.querySelectorAll(".found")) row.classList.remove("found");
    element(id).classList.add("found");
    element(id).scrollIntoView({ block: "center" });
  };
  addEventListener("hashchange", goTo);

  runs.forEach((run, at) => { run.at = at; });
  for (const [control, values] of [[dataSet, runs.map((run) => run.data_set)], [verdictFilter, runs.map((run) => run.verdict)]]) {
    for (const value of [...new Set(values)].filter(Boolean).sort()) control.append(make("option", { value, textContent: value }));
  }
  for (const id of ["filters", "box"]) element(id).hidden = false;
  update();
  goTo();
})();
