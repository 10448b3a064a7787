// What the network answers, shown: the class, the probabilities, what it sees, and its first feature maps.

/** The probabilities that have room; where there are more classes, these are the most probable. */
const MOST_BARS = 10;
/** Names of more letters are words, and shown smaller. */
const LONGEST_SIGN = 3;
/** The feature maps that have room. */
const MOST_MAPS = 64;

function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}

function element(name, className, parent) {
  const made = document.createElement(name);
  made.className = className;
  parent.append(made);
  return made;
}

const swatch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/** Return an element's colour as [red, green, blue], in whatever notation its style has it. */
function colourOf(element) {
  swatch.fillStyle = getComputedStyle(element).color;
  swatch.fillRect(0, 0, 1, 1);
  return swatch.getImageData(0, 0, 1, 1).data.slice(0, 3);
}

/** Draw numbers from 0 to 1 as that much of a colour. */
function paint(canvas, [red, green, blue], share) {
  const context = canvas.getContext("2d");
  const picture = context.createImageData(canvas.width, canvas.height);
  const { data } = picture; // which keeps numbers within 0 and 255
  for (let at = 0; 4 * at < data.length; at++) {
    data[4 * at] = red;
    data[4 * at + 1] = green;
    data[4 * at + 2] = blue;
    data[4 * at + 3] = 255 * share(at);
  }
  context.putImageData(picture, 0, 0);
}

/**
 * @param background what an image without ink is filled with: ink looks here as it was drawn.
 * @returns show(answer, image), which takes what forward returned, or null for its probabilities if nothing is drawn,
 *   and returns the answer in words; and say(text), which reads out.
 */
function makeDisplay(section, network, background) {
  const find = (name) => section.querySelector(`.pad-${name}`);
  const [height, width] = network.input;
  const classes = network.classes;
  const rows = Array.from({ length: Math.min(classes.length, MOST_BARS) }, () => {
    const row = element("li", "", find("bars"));
    return {
      row,
      name: element("span", "pad-class", row),
      bar: element("span", "", element("span", "pad-track", row)),
      value: element("span", "pad-value", row),
    };
  });
  const seen = find("seen");
  [seen.width, seen.height] = [width, height];
  const maps = [];
  section.classList.toggle("pad-words", classes.some((name) => name.length > LONGEST_SIGN));

  function showProbabilities(probabilities) {
    const labels = classes.map((_, label) => label);
    if (labels.length > rows.length) {
      labels.sort((one, other) => probabilities[other] - probabilities[one] || one - other);
    }
    const best = probabilities.indexOf(Math.max(...probabilities));
    const known = probabilities[best] > 0;
    rows.forEach(({ row, name, bar, value }, at) => {
      const label = labels[at];
      row.classList.toggle("pad-best", known && label === best);
      name.textContent = classes[label];
      bar.style.transform = `scaleX(${probabilities[label]})`;
      value.textContent = known ? percent(probabilities[label]) : "–";
    });
    section.classList.toggle("pad-empty", !known);
    find("answer").textContent = known ? classes[best] : "–";
    find("sure").textContent = known ? `${percent(probabilities[best])} probable` : "nothing drawn yet";
    return known ? `Read as ${classes[best]}, ${percent(probabilities[best])} probable.` : "The pad is empty.";
  }

  function showMaps({ height, width, channels, values }) {
    if (!maps.length) {
      find("features").hidden = false;
      const shown = Math.min(channels, MOST_MAPS);
      find("features-count").textContent = shown < channels ? `${shown} of ${channels} filters` : `${channels} filters`;
      for (let at = 0; at < shown; at++) {
        const canvas = element("canvas", "", find("maps"));
        [canvas.width, canvas.height] = [width, height];
        maps.push(canvas);
      }
    }
    const most = values.reduce((one, other) => Math.max(one, other), 0) || 1;
    const colour = colourOf(find("maps"));
    maps.forEach((canvas, filter) => paint(canvas, colour, (at) => values[at * channels + filter] / most));
  }

  return {
    show(answer, image) {
      paint(seen, colourOf(seen), (at) => Math.abs(background - image[at]));
      if (answer.maps) showMaps(answer.maps);
      return showProbabilities(answer.probabilities ?? new Float32Array(classes.length));
    },
    say(text) {
      if (find("said").textContent !== text) find("said").textContent = text;
    },
  };
}
