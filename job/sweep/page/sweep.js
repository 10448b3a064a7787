"use strict";
// Tables that sort by a column, and a parallel-coordinates chart: filters on its axes, and lines that can be read with the
// pointer or the arrow keys.
(() => {
  const SVG = "http://www.w3.org/2000/svg";

  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      const keyed = (row) => {
        const text = row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
        return { row, text, number: Number(text) };
      };
      button.addEventListener("click", () => {
        const first = head.dataset.first ?? "ascending";
        const now = head.getAttribute("aria-sort");
        const next = !now ? first : now === "ascending" ? "descending" : "ascending";
        const direction = next === "ascending" ? 1 : -1;
        const compare = (a, b) => {
          if (!a.text || !b.text) return (a.text ? 0 : 1) - (b.text ? 0 : 1); // rows without a value are always last
          const texts = Number.isNaN(a.number) || Number.isNaN(b.number);
          return (texts ? a.text.localeCompare(b.text) : a.number - b.number) * direction;
        };
        for (const each of heads) each.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", next);
        body.append(...[...body.rows].map(keyed).sort(compare).map(({ row }) => row));
      });
    });
  }

  const chart = document.querySelector(".parallel");
  if (!chart) return;
  const svg = chart.querySelector("svg");
  const readout = chart.querySelector(".readout");
  const count = chart.querySelector(".count");
  const reset = chart.querySelector(".reset");
  const make = (name, attributes, parent) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.append(element);
    return element;
  };

  // The last line is the best trial, and is drawn on top.
  const lines = [...chart.querySelectorAll("polyline")].reverse().map((element) => ({
    element,
    key: element.dataset.key,
    at: element.dataset.at.split(" ").map(Number),
    text: element.querySelector("title").textContent,
  }));
  for (const { element } of lines) element.querySelector("title").remove(); // the readout replaces it
  const rows = [...document.querySelectorAll("tr[data-keys]")].map((row) => ({ row, keys: row.dataset.keys.split(" ") }));
  const axes = [...chart.querySelectorAll(".dimension")].map((group) => {
    const pixels = group.dataset.pixels.split(" ").map(Number);
    return {
      group, pixels, name: group.dataset.name, x: Number(group.dataset.x), texts: group.dataset.texts.split("\n"),
      low: 0, high: pixels.length - 1,
    };
  });

  const matches = (line) => axes.every((axis, number) => line.at[number] >= axis.low && line.at[number] <= axis.high);
  let shown = lines;
  const apply = () => {
    shown = lines.filter(matches);
    const keys = new Set(shown.map((line) => line.key));
    for (const line of lines) line.element.classList.toggle("off", !keys.has(line.key));
    for (const { row, keys: own } of rows) row.hidden = !own.some((key) => keys.has(key));
    const filtered = axes.some((axis) => axis.low > 0 || axis.high < axis.pixels.length - 1);
    reset.hidden = !filtered;
    count.textContent = filtered ? `${shown.length} of ${lines.length} trials` : "";
    for (const axis of axes) drawRange(axis);
    select(null);
  };

  let selected = null;
  const select = (line) => {
    selected?.element.classList.remove("on");
    selected = line;
    if (line) {
      line.element.classList.add("on");
      line.element.parentNode.append(line.element);
    }
    for (const { row, keys } of rows) row.classList.toggle("on", Boolean(line) && keys.includes(line.key));
    readout.textContent = line ? line.text : "";
    const place = line ? shown.indexOf(line) + 1 : 0;
    trials.setAttribute("aria-valuemax", shown.length);
    trials.setAttribute("aria-valuenow", place);
    trials.setAttribute("aria-valuetext", line ? line.text : "no trial selected");
  };

  // For assistive technology, the lines are a slider over the trials that are shown, the best first.
  const trials = chart.querySelector(".trials");
  const described = { role: "slider", tabindex: 0, "aria-label": "Trials, the best first", "aria-valuemin": 0 };
  for (const [name, value] of Object.entries(described)) trials.setAttribute(name, value);
  trials.addEventListener("focus", () => { if (trials.matches(":focus-visible") && !selected) select(shown[0] ?? null); });
  trials.addEventListener("keydown", (pressed) => {
    const at = shown.indexOf(selected);
    const last = shown.length - 1;
    const to = { ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1, Home: 0, End: last }[pressed.key];
    if (to === undefined || last < 0 || pressed.ctrlKey || pressed.metaKey || pressed.altKey) return;
    select(shown[Math.min(Math.max(to, 0), last)]);
    pressed.preventDefault();
  });

  const place = (event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  const nearest = (axis, y) => {
    const distances = axis.pixels.map((pixel) => Math.abs(pixel - y));
    return distances.indexOf(Math.min(...distances));
  };
  const nearestLine = ({ x, y }) => {
    const after = axes.findIndex((axis) => axis.x >= x);
    if (after < 0 || x < axes[0].x) return null;
    const [a, b] = [axes[Math.max(after - 1, 0)], axes[after]];
    const share = b.x > a.x ? (x - a.x) / (b.x - a.x) : 0;
    let best = null;
    let distance = 14;
    for (const line of shown) {
      const [from, to] = [a.pixels[line.at[Math.max(after - 1, 0)]], b.pixels[line.at[after]]];
      const away = Math.abs(from + share * (to - from) - y);
      if (away < distance) [best, distance] = [line, away];
    }
    return best;
  };
  svg.addEventListener("pointermove", (event) => { if (!event.buttons) select(nearestLine(place(event))); });
  svg.addEventListener("click", (event) => { if (!event.target.closest(".brush, .handle")) select(nearestLine(place(event))); });
  svg.addEventListener("pointerleave", () => { if (document.activeElement !== trials) select(null); });
  for (const { row, keys } of rows) {
    // Not `pointerenter`, which is also sent if the page scrolls below a resting pointer.
    row.addEventListener("pointermove", () => select(shown.find((line) => keys.includes(line.key)) ?? null));
  }

  // A filter is a range of values of an axis. Dragging along the axis sets it, a click removes it, and each end is a slider.
  const drawRange = (axis) => {
    const [bottom, top] = [axis.pixels[axis.low], axis.pixels[axis.high]];
    axis.range.setAttribute("y", top - 5);
    axis.range.setAttribute("height", bottom - top + 10);
    axis.group.classList.toggle("filtered", axis.low > 0 || axis.high < axis.pixels.length - 1);
    for (const end of ["low", "high"]) {
      const handle = axis.handles[end];
      const shift = end === "low" ? 5 : -5;
      handle.setAttribute("transform", `translate(${axis.x} ${axis.pixels[axis[end]] + shift})`);
      handle.setAttribute("aria-valuenow", axis[end]);
      handle.setAttribute("aria-valuetext", axis.texts[axis[end]]);
    }
  };
  const drag = (element, start, move, finish) => {
    element.addEventListener("pointerdown", (event) => {
      element.setPointerCapture(event.pointerId);
      start(place(event).y);
      const onMove = (moved) => { move(place(moved).y); apply(); };
      const onEnd = (ended) => {
        element.removeEventListener("pointermove", onMove);
        element.removeEventListener("pointerup", onEnd);
        element.removeEventListener("pointercancel", onEnd);
        finish(place(ended).y);
        apply();
      };
      element.addEventListener("pointermove", onMove);
      element.addEventListener("pointerup", onEnd);
      element.addEventListener("pointercancel", onEnd);
      event.stopPropagation();
    });
  };
  for (const axis of axes) {
    const last = axis.pixels.length - 1;
    const [bottom, top] = [axis.pixels[0], axis.pixels[last]];
    const area = { class: "brush", x: axis.x - 12, y: top - 12, width: 24, height: bottom - top + 24 };
    const brush = make("rect", area, axis.group);
    axis.range = make("rect", { class: "range", x: axis.x - 5, width: 10, y: top, height: 0 }, axis.group);
    let from = 0;
    drag(
      brush,
      (y) => { from = y; },
      (y) => {
        const ends = [nearest(axis, from), nearest(axis, y)].sort((a, b) => a - b);
        if (Math.abs(y - from) >= 4) [axis.low, axis.high] = ends;
      },
      (y) => { if (Math.abs(y - from) < 4) [axis.low, axis.high] = [0, last]; },
    );
    axis.handles = {};
    for (const end of ["low", "high"]) {
      const set = (to) => {
        const [least, most] = end === "low" ? [0, axis.high] : [axis.low, last];
        axis[end] = Math.min(Math.max(to, least), most);
      };
      const handle = make("g", { class: "handle", role: "slider", tabindex: 0, "aria-orientation": "vertical" }, axis.group);
      handle.setAttribute("aria-label", `${axis.name}: ${end === "low" ? "lowest" : "highest"} value shown`);
      handle.setAttribute("aria-valuemin", 0);
      handle.setAttribute("aria-valuemax", last);
      make("path", { d: end === "low" ? "M-8 0H8L0 8Z" : "M-8 0H8L0-8Z" }, handle);
      drag(handle, () => {}, (y) => set(nearest(axis, y)), () => {});
      handle.addEventListener("keydown", (pressed) => {
        const at = axis[end];
        const to = {
          ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageDown: at - 10, PageUp: at + 10,
          Home: 0, End: last,
        }[pressed.key];
        if (to === undefined || pressed.ctrlKey || pressed.metaKey || pressed.altKey) return;
        set(to);
        apply();
        pressed.preventDefault();
      });
      axis.handles[end] = handle;
    }
  }
  const clear = () => {
    for (const axis of axes) [axis.low, axis.high] = [0, axis.pixels.length - 1];
    apply();
  };
  reset.addEventListener("click", () => { clear(); trials.focus(); });
  chart.addEventListener("keydown", (pressed) => { if (pressed.key === "Escape") clear(); });
  apply();
})();
