// The sketchpad: predicts the class of a drawing while it is drawn.

/** After this pause, the prediction is averaged over all shifts and announced to screen readers. */
const PAUSE_MILLISECONDS = 300;

function startSketchpad(section, network, layout) {
  const display = createDisplay(section, network, layout.background);
  const [height, width] = network.input;
  const surface = createSurface(section.querySelector(".sketchpad-surface"), layout.brush, {
    changed,
    announce: display.announce,
  });
  // Blank maps reserve their space, so that the page does not move at the first stroke.
  const emptyImage = new Float32Array(height * width).fill(layout.background);
  const { maps } = forward(network, emptyImage);
  const blankMaps = maps && { ...maps, values: new Float32Array(maps.values.length) };
  const nothing = { probabilities: null, maps: blankMaps };
  let frame = 0, pause = 0;

  function showPrediction(predict) {
    const image = normalize(surface.ink(), surface.side, [height, width], layout);
    if (image === null) return display.show(nothing, emptyImage);
    return display.show(predict(network, toInput(network, image)), image);
  }

  // At most one prediction a frame. A single image is fast enough to follow the stroke; its shifts may not be.
  function changed() {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      showPrediction(forward);
    });
    clearTimeout(pause);
    pause = setTimeout(() => {
      cancelAnimationFrame(frame);
      frame = 0;
      display.announce(showPrediction(forwardOverShifts));
    }, PAUSE_MILLISECONDS);
  }

  section.querySelector(".sketchpad-clear").addEventListener("click", surface.clear);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", surface.draw);
  new MutationObserver(surface.draw).observe(document.documentElement, { attributes: true });
  display.show(nothing, emptyImage);
  section.querySelector(".sketchpad-without-script").hidden = true;
  section.querySelector(".sketchpad-board").hidden = false;
}
