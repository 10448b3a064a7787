// The drawing area, for mouse, finger, pen and keyboard.

/** How far an arrow key moves the cursor, as a share of the surface. */
const KEY_STEP = 1 / 28;
const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

/**
 * Make the canvas in a focusable element drawable.
 *
 * @param brush width of a stroke, as a share of the surface.
 * @param changed called after each change.
 * @param announce called with a sentence for screen readers.
 * @returns ink(), Float32Array [side * side] from 0 to 1; side; clear(); and draw(), which must be called after a change of colors.
 */
function createSurface(element, brush, { changed, announce }) {
  const canvas = element.querySelector("canvas");
  const cursorMark = element.querySelector(".sketchpad-cursor");
  const side = canvas.width;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const strokes = []; // each a list of [x, y], as shares of the surface
  let pointer = null; // the id of the pointer that draws
  let cursor = [0.5, 0.3]; // the position of the keyboard cursor
  let penDown = false;

  // Redraw everything: pieces of a stroke drawn one by one would have visible joints.
  function draw() {
    context.clearRect(0, 0, side, side);
    context.strokeStyle = context.fillStyle = getComputedStyle(element).color;
    context.lineWidth = brush * side;
    context.lineCap = context.lineJoin = "round";
    for (const [[x, y], ...others] of strokes) {
      context.beginPath();
      context.moveTo(x * side, y * side);
      for (const [toX, toY] of others) context.lineTo(toX * side, toY * side);
      context.stroke();
      // A line of length zero may be invisible; a tap should leave a dot.
      context.beginPath();
      context.arc(x * side, y * side, (brush * side) / 2, 0, 2 * Math.PI);
      context.fill();
    }
    changed();
  }

  function begin(point) {
    strokes.push([point]);
    draw();
  }

  function extend(points) {
    strokes.at(-1)?.push(...points);
    draw();
  }

  function position(event) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height];
  }

  function moveCursor(to) {
    cursor = to.map((share) => Math.min(Math.max(share, 0), 1));
    cursorMark.style.left = `${100 * cursor[0]}%`;
    cursorMark.style.top = `${100 * cursor[1]}%`;
  }

  function setPen(down) {
    penDown = down;
    element.classList.toggle("sketchpad-pen-down", down);
  }

  element.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    element.setPointerCapture(pointer);
    element.classList.remove("sketchpad-by-keyboard");
    setPen(false);
    begin(position(event));
  });
  element.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    // Browsers fire one event a frame, and keep the positions in between.
    const between = event.getCoalescedEvents?.() ?? [];
    extend((between.length ? between : [event]).map(position));
  });
  for (const name of ["pointerup", "pointercancel"]) {
    element.addEventListener(name, (event) => {
      if (event.pointerId === pointer) pointer = null;
    });
  }

  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const arrow = ARROWS[event.key];
    if (!arrow && event.key !== " ") return;
    event.preventDefault(); // keeps the page from scrolling
    element.classList.add("sketchpad-by-keyboard");
    if (arrow) {
      moveCursor([cursor[0] + arrow[0] * KEY_STEP, cursor[1] + arrow[1] * KEY_STEP]);
      if (penDown) extend([cursor]);
    } else if (!event.repeat) {
      setPen(!penDown);
      announce(penDown ? "Pen down." : "Pen up.");
      if (penDown) begin(cursor);
      else draw(); // announces the prediction again
    }
  });
  element.addEventListener("blur", () => setPen(false));
  moveCursor(cursor);

  return {
    side,
    ink() {
      const { data } = context.getImageData(0, 0, side, side);
      return Float32Array.from({ length: side * side }, (_, at) => data[4 * at + 3] / 255);
    },
    clear() {
      strokes.length = 0;
      setPen(false);
      draw();
    },
    draw,
  };
}
