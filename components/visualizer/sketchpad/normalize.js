// Converts a drawing to an image like those that the network was trained on.

/** Return the bounding box of the ink as { top, left, height, width } in pixels; null without ink. */
function boxOfInk(ink, side) {
  let top = side, bottom = -1, left = side, right = -1;
  for (let row = 0, at = 0; row < side; row++) {
    for (let column = 0; column < side; column++, at++) {
      if (ink[at] > 0) {
        if (row < top) top = row;
        bottom = row;
        if (column < left) left = column;
        if (column > right) right = column;
      }
    }
  }
  return bottom < 0 ? null : { top, left, height: bottom - top + 1, width: right - left + 1 };
}

/** Return, for each of `count` new pixels of `size` old ones, the first old pixel and the shares of it and the next. */
function coverage(first, length, size, count) {
  return Array.from({ length: count }, (_, at) => {
    const start = at * size, stop = Math.min(start + size, length);
    const shares = [];
    for (let old = Math.floor(start); old < stop; old++) {
      shares.push((Math.min(old + 1, stop) - Math.max(old, start)) / size);
    }
    return { from: first + Math.floor(start), shares };
  });
}

/** Return the box scaled by 1 / size; each new pixel is the mean of the old ones (anti-aliased). */
function resample(ink, side, box, size) {
  const height = Math.ceil(box.height / size - 1e-9), width = Math.ceil(box.width / size - 1e-9);
  const rows = coverage(box.top, box.height, size, height);
  const columns = coverage(box.left, box.width, size, width);
  const values = new Float32Array(height * width);
  const line = new Float64Array(side);
  rows.forEach((row, y) => {
    line.fill(0);
    row.shares.forEach((share, at) => {
      const start = (row.from + at) * side;
      for (let column = box.left; column < box.left + box.width; column++) line[column] += share * ink[start + column];
    });
    columns.forEach((column, x) => {
      let sum = 0;
      column.shares.forEach((share, at) => { sum += share * line[column.from + at]; });
      values[y * width + x] = sum;
    });
  });
  return { height, width, values };
}

/** Return the center of mass as [row, column], in pixels from the upper left corner. */
function centerOfMass({ width, values }) {
  let mass = 0, down = 0, right = 0;
  values.forEach((value, at) => {
    mass += value;
    down += value * (Math.floor(at / width) + 0.5);
    right += value * ((at % width) + 0.5);
  });
  return [down / mass, right / mass];
}

/**
 * Return the drawing as an image for the network, as MNIST was made from NIST's images (Y. LeCun, C. Cortes, C. Burges,
 * "The MNIST database of handwritten digits"): the bounding box of the ink is scaled, anti-aliased, until its longer
 * side has layout.longer_side pixels, and moved by whole pixels until its center is at layout.center.
 *
 * @param ink Float32Array [side * side], 0 for paper to 1 for ink.
 * @param layout an InkLayout (ink_layout.py).
 * @returns Float32Array [height * width], or null if there is no ink.
 */
function normalize(ink, side, [height, width], layout) {
  const box = boxOfInk(ink, side);
  if (box === null) return null;
  const longest = Math.max(box.height, box.width);
  const size = Math.max(longest / layout.longer_side, box.height / height, box.width / width);
  const small = resample(ink, side, box, size);
  const center = layout.centered_by === "mass" ? centerOfMass(small) : [small.height / 2, small.width / 2];
  const [down, right] = center.map((place, axis) => Math.round(layout.center[axis] - place));
  const image = new Float32Array(height * width).fill(layout.background);
  for (let row = 0; row < small.height; row++) {
    for (let column = 0; column < small.width; column++) {
      const y = row + down, x = column + right;
      if (y < 0 || y >= height || x < 0 || x >= width) continue;
      image[y * width + x] = Math.abs(layout.background - small.values[row * small.width + column]);
    }
  }
  return image;
}
