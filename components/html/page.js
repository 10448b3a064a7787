"use strict";
// The theme button, and charts whose values can be read with the pointer or the arrow keys.
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  const button = document.getElementById("theme");
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : preferred.matches);
  const label = () => { button.textContent = isDark() ? "Light theme" : "Dark theme"; };
  button.hidden = false;
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; label(); });
  preferred.addEventListener("change", label);
  label();

  for (const plot of document.querySelectorAll(".plot")) {
    const bands = [...plot.querySelectorAll(".band")];
    if (!bands.length) continue;
    const readout = plot.parentElement.querySelector(".readout");
    let at = bands.length - 1;
    const show = (number) => {
      bands[at].classList.remove("active");
      at = Math.min(Math.max(number, 0), bands.length - 1);
      bands[at].classList.add("active");
      readout.textContent = bands[at].dataset.readout;
      plot.setAttribute("aria-valuenow", at + 1);
      plot.setAttribute("aria-valuetext", bands[at].dataset.readout);
    };
    // For assistive technology, a chart is a slider over its values.
    const drawing = plot.querySelector("svg");
    const described = { role: "slider", tabindex: 0, "aria-valuemin": 1, "aria-valuemax": bands.length };
    described["aria-label"] = `${plot.dataset.name}: ${drawing.getAttribute("aria-label")}`;
    for (const [name, value] of Object.entries(described)) plot.setAttribute(name, value);
    plot.setAttribute("aria-valuenow", at + 1);
    plot.setAttribute("aria-valuetext", bands[at].dataset.readout);
    drawing.setAttribute("aria-hidden", "true");
    for (const title of plot.querySelectorAll("title")) title.remove(); // the readout replaces it
    for (const event of ["pointerdown", "pointermove"]) {
      plot.addEventListener(event, (moved) => {
        const band = moved.target.closest(".band");
        if (band) show(bands.indexOf(band));
      });
    }
    plot.addEventListener("focus", () => { if (plot.matches(":focus-visible")) show(at); });
    plot.addEventListener("keydown", (pressed) => {
      const to = { ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1, Home: 0, End: bands.length };
      if (pressed.key in to && !pressed.ctrlKey && !pressed.metaKey && !pressed.altKey) {
        show(to[pressed.key]);
        pressed.preventDefault();
      }
    });
  }

  // Boxes that scroll must be reachable by keyboard; others should not take the focus.
  const boxes = document.querySelectorAll(".scroll");
  const makeFocusable = () => {
    for (const box of boxes) {
      const caption = box.querySelector("caption");
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
        if (caption) { box.setAttribute("role", "region"); box.setAttribute("aria-label", caption.textContent); }
      } else {
        box.removeAttribute("tabindex");
        box.removeAttribute("role");
        box.removeAttribute("aria-label");
      }
    }
  };
  addEventListener("resize", makeFocusable);
  document.addEventListener("toggle", makeFocusable, true);
  makeFocusable();
})();
