// The pad: what is drawn is read while it is drawn.

/** Milliseconds without a change after which a drawing rests: then it is read with all shifts, and read out. */
const RESTS_AFTER = 300;

function startPad(section, network, convention) {
  const display = makeDisplay(section, network, convention.background);
  const [height, width] = network.input;
  const surface = makeSurface(section.querySelector(".pad-surface"), convention.brush, { changed, say: display.say });
  // An empty pad shows maps without an answer: they have their place, and nothing jumps at the first stroke.
  const empty = new Float32Array(height * width).fill(convention.background);
  const { maps } = forward(network, empty);
  const nothing = { probabilities: null, maps: maps && { ...maps, values: new Float32Array(maps.values.length) } };
  let frame = 0, rest = 0;

  function read(answer) {
    const image = normalize(surface.ink(), surface.side, [height, width], convention);
    return image === null ? display.show(nothing, empty) : display.show(answer(network, image), image);
  }

  // One answer a frame, however many changes there were; one image is quick enough to follow the stroke, its shifts
  // may not be.
  function changed() {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      read(forward);
    });
    clearTimeout(rest);
    rest = setTimeout(() => {
      cancelAnimationFrame(frame);
      frame = 0;
      display.say(read(forwardOverShifts));
    }, RESTS_AFTER);
  }

  section.querySelector(".pad-clear").addEventListener("click", surface.clear);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", surface.draw);
  new MutationObserver(surface.draw).observe(document.documentElement, { attributes: true });
  display.show(nothing, empty);
  section.querySelector(".pad-without-script").hidden = true;
  section.querySelector(".pad-board").hidden = false;
}
