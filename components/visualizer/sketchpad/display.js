// Shows a prediction: the class, the probabilities, the network's input, and the first feature maps.

/** With more classes, only the most probable ones are shown. */
const MAX_BARS = 10;
/** Longer class names are shown in a smaller font. */
const MAX_SHORT_NAME = 3;
const MAX_MAPS = 64;

function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}

function createElement(name, className, parent) {
  const element = document.createElement(name);
  element.className = className;
  parent.append(element);
  return element;
}

const swatch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/** Return the color of an element as [red, green, blue], for any notation in its style. */
function colorOf(element) {
  swatch.fillStyle = getComputedStyle(element).color;
  swatch.fillRect(0, 0, 1, 1);
  return swatch.getImageData(0, 0, 1, 1).data.slice(0, 3);
}

/** Fill a canvas with one color; opacityAt returns the opacity of each pixel, from 0 to 1. */
function paint(canvas, [red, green, blue], opacityAt) {
  const context = canvas.getContext("2d");
  const picture = context.createImageData(canvas.width, canvas.height);
  const { data } = picture; // clamps numbers to 0 to 255
  for (let at = 0; 4 * at < data.length; at++) {
    data[4 * at] = red;
    data[4 * at + 1] = green;
    data[4 * at + 2] = blue;
    data[4 * at + 3] = 255 * opacityAt(at);
  }
  context.putImageData(picture, 0, 0);
}

/**
 * @param background the value of pixels without ink: the input is shown with the ink as it was drawn.
 * @returns show(prediction, image), which takes the result of forward, with null as its probabilities if nothing is
 *   drawn, and returns the prediction as a sentence; and announce(text) for screen readers.
 */
function createDisplay(section, network, background) {
  const find = (name) => section.querySelector(`.sketchpad-${name}`);
  const [height, width] = network.input;
  const classes = network.classes;
  const rows = Array.from({ length: Math.min(classes.length, MAX_BARS) }, () => {
    const row = createElement("li", "", find("bars"));
    return {
      row,
      name: createElement("span", "sketchpad-class", row),
      bar: createElement("span", "", createElement("span", "sketchpad-track", row)),
      value: createElement("span", "sketchpad-value", row),
    };
  });
  const input = find("input");
  [input.width, input.height] = [width, height];
  const maps = [];
  section.classList.toggle("sketchpad-long-names", classes.some((name) => name.length > MAX_SHORT_NAME));

  function showProbabilities(probabilities) {
    const labels = classes.map((_, label) => label);
    if (labels.length > rows.length) {
      labels.sort((one, other) => probabilities[other] - probabilities[one] || one - other);
    }
    const best = probabilities.indexOf(Math.max(...probabilities));
    const drawn = probabilities[best] > 0;
    rows.forEach(({ row, name, bar, value }, at) => {
      const label = labels[at];
      row.classList.toggle("sketchpad-best", drawn && label === best);
      name.textContent = classes[label];
      bar.style.transform = `scaleX(${probabilities[label]})`;
      value.textContent = drawn ? percent(probabilities[label]) : "–";
    });
    section.classList.toggle("sketchpad-empty", !drawn);
    find("prediction").textContent = drawn ? classes[best] : "–";
    find("probability").textContent = drawn ? `${percent(probabilities[best])} probability` : "nothing drawn yet";
    return drawn
      ? `Prediction: ${classes[best]}, ${percent(probabilities[best])} probability.`
      : "The sketchpad is empty.";
  }

  function showMaps({ height, width, channels, values }) {
    if (!maps.length) {
      find("features").hidden = false;
      const shown = Math.min(channels, MAX_MAPS);
      find("features-count").textContent = shown < channels ? `${shown} of ${channels} filters` : `${channels} filters`;
      for (let at = 0; at < shown; at++) {
        const canvas = createElement("canvas", "", find("maps"));
        [canvas.width, canvas.height] = [width, height];
        maps.push(canvas);
      }
    }
    const most = values.reduce((one, other) => Math.max(one, other), 0) || 1;
    const color = colorOf(find("maps"));
    maps.forEach((canvas, filter) => paint(canvas, color, (at) => values[at * channels + filter] / most));
  }

  return {
    show(prediction, image) {
      paint(input, colorOf(input), (at) => Math.abs(background - image[at]));
      if (prediction.maps) showMaps(prediction.maps);
      return showProbabilities(prediction.probabilities ?? new Float32Array(classes.length));
    },
    announce(text) {
      if (find("announcement").textContent !== text) find("announcement").textContent = text;
    },
  };
}
