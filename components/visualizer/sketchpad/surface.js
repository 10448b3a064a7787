// The surface to draw on: by mouse, finger or pen, and by keyboard.

/** Share of the surface that an arrow key moves the cursor by. */
const STEP = 1 / 28;
const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

/**
 * Let somebody draw on the canvas in an element that can have the focus.
 *
 * @param brush width of a stroke, as a share of the surface.
 * @param changed called after each change.
 * @param say called with what somebody who does not see the surface needs to know.
 * @returns ink(), Float32Array [side * side] from 0 to 1; side; clear(); and draw(), to be called when colours change.
 */
function makeSurface(element, brush, { changed, say }) {
  const canvas = element.querySelector("canvas");
  const mark = element.querySelector(".pad-cursor");
  const side = canvas.width;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const strokes = []; // each a list of [x, y], as shares of the surface
  let pointer = null; // which one draws
  let cursor = [0.5, 0.3]; // of the keyboard
  let penDown = false;

  // All of it anew: pieces of a stroke drawn one by one would show where they meet.
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
      // A line of no length may draw nothing, but a touch leaves a dot.
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

  function goOn(points) {
    strokes.at(-1)?.push(...points);
    draw();
  }

  function place(event) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height];
  }

  function moveCursor(to) {
    cursor = to.map((share) => Math.min(Math.max(share, 0), 1));
    mark.style.left = `${100 * cursor[0]}%`;
    mark.style.top = `${100 * cursor[1]}%`;
  }

  function setPen(down) {
    penDown = down;
    element.classList.toggle("pad-pen-down", down);
  }

  element.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    element.setPointerCapture(pointer);
    element.classList.remove("pad-by-keyboard");
    setPen(false);
    begin(place(event));
  });
  element.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    // A browser reports a move once a frame, and keeps the places between.
    const between = event.getCoalescedEvents?.() ?? [];
    goOn((between.length ? between : [event]).map(place));
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
    event.preventDefault(); // the page is not to scroll
    element.classList.add("pad-by-keyboard");
    if (arrow) {
      moveCursor([cursor[0] + arrow[0] * STEP, cursor[1] + arrow[1] * STEP]);
      if (penDown) goOn([cursor]);
    } else if (!event.repeat) {
      setPen(!penDown);
      say(penDown ? "Pen down." : "Pen lifted.");
      if (penDown) begin(cursor);
      else draw(); // so that the answer is read out
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
