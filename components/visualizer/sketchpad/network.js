// The forward pass of a trained network: pure functions over typed arrays, channels last as in TensorFlow.
// export.py documents the description of a network.

/** Decode base64 of little-endian float32 numbers. */
function decodeFloats(base64) {
  const text = atob(base64);
  const view = new DataView(new ArrayBuffer(text.length));
  for (let at = 0; at < text.length; at++) view.setUint8(at, text.charCodeAt(at));
  return Float32Array.from({ length: text.length / 4 }, (_, at) => view.getFloat32(4 * at, true));
}

/** Return a network: its description, with the arrays of its layers in place. */
function loadNetwork(description, base64) {
  const floats = decodeFloats(base64);
  const views = ([start, stop]) => floats.subarray(start, stop);
  const layers = description.layers.map((layer) => ({
    ...layer,
    ...Object.fromEntries(Object.entries(layer.arrays ?? {}).map(([name, range]) => [name, views(range)])),
  }));
  return { ...description, layers };
}

/**
 * Write bias + sum over k of values[k] * weights[rows[k] * units + unit] to output[at + unit] for each unit.
 * Eight units at a time stay in registers. Callers gather only nonzero inputs into rows and values: about half of them
 * after a ReLU, and none in the background of a drawing.
 */
function accumulate(rows, values, count, weights, bias, output, at) {
  const units = bias.length;
  let unit = 0;
  for (; unit + 8 <= units; unit += 8) {
    let a = bias[unit], b = bias[unit + 1], c = bias[unit + 2], d = bias[unit + 3];
    let e = bias[unit + 4], f = bias[unit + 5], g = bias[unit + 6], h = bias[unit + 7];
    for (let k = 0; k < count; k++) {
      const value = values[k], w = rows[k] * units + unit;
      a += value * weights[w]; b += value * weights[w + 1];
      c += value * weights[w + 2]; d += value * weights[w + 3];
      e += value * weights[w + 4]; f += value * weights[w + 5];
      g += value * weights[w + 6]; h += value * weights[w + 7];
    }
    output[at + unit] = a; output[at + unit + 1] = b; output[at + unit + 2] = c; output[at + unit + 3] = d;
    output[at + unit + 4] = e; output[at + unit + 5] = f; output[at + unit + 6] = g; output[at + unit + 7] = h;
  }
  for (; unit < units; unit++) {
    let sum = bias[unit];
    for (let k = 0; k < count; k++) sum += values[k] * weights[rows[k] * units + unit];
    output[at + unit] = sum;
  }
}

/** Stride 1; weights are [kernel height, kernel width, channels, filters]. */
function convolve(input, layer) {
  const { height, width, channels, values: pixels } = input;
  const [kernelHeight, kernelWidth] = layer.window;
  const [above, left] = layer.before;
  const output = tensor(layer.output);
  const most = kernelHeight * kernelWidth * channels;
  const rows = new Int32Array(most), values = new Float64Array(most);
  for (let y = 0, at = 0; y < output.height; y++) {
    for (let x = 0; x < output.width; x++, at += output.channels) {
      let count = 0;
      for (let ky = 0; ky < kernelHeight; ky++) {
        const row = y + ky - above;
        if (row < 0 || row >= height) continue;
        for (let kx = 0; kx < kernelWidth; kx++) {
          const column = x + kx - left;
          if (column < 0 || column >= width) continue;
          const pixel = (row * width + column) * channels;
          const weight = (ky * kernelWidth + kx) * channels;
          for (let channel = 0; channel < channels; channel++) {
            const value = pixels[pixel + channel];
            if (value !== 0) { rows[count] = weight + channel; values[count++] = value; }
          }
        }
      }
      accumulate(rows, values, count, layer.weights, layer.bias, output.values, at);
    }
  }
  return output;
}

/** Max-pooling; padding is negative infinity. */
function pool(input, layer) {
  const { height, width, channels, values } = input;
  const output = tensor(layer.output);
  output.values.fill(-Infinity);
  for (let y = 0, at = 0; y < output.height; y++) {
    const top = y * layer.strides[0] - layer.before[0];
    for (let x = 0; x < output.width; x++, at += channels) {
      const left = x * layer.strides[1] - layer.before[1];
      for (let row = Math.max(top, 0); row < Math.min(top + layer.window[0], height); row++) {
        for (let column = Math.max(left, 0); column < Math.min(left + layer.window[1], width); column++) {
          const from = (row * width + column) * channels;
          for (let channel = 0; channel < channels; channel++) {
            const value = values[from + channel];
            if (value > output.values[at + channel]) output.values[at + channel] = value;
          }
        }
      }
    }
  }
  return output;
}

/** Weights are [inputs, units]; an image is flattened row by row, which is its memory layout. */
function dense(input, layer) {
  const rows = new Int32Array(input.values.length), values = new Float64Array(input.values.length);
  let count = 0;
  input.values.forEach((value, at) => {
    if (value !== 0) { rows[count] = at; values[count++] = value; }
  });
  const output = tensor([1, 1, layer.bias.length]);
  accumulate(rows, values, count, layer.weights, layer.bias, output.values, 0);
  return output;
}

/** A folded batch normalization: one scale and one offset a channel. */
function scale(input, layer) {
  const values = input.values.map((value, at) => {
    const channel = at % input.channels;
    return value * layer.scale[channel] + layer.offset[channel];
  });
  return { ...input, values };
}

function relu(input) {
  return { ...input, values: input.values.map((value) => (value > 0 ? value : 0)) };
}

function softmax(input) {
  const most = input.values.reduce((one, other) => Math.max(one, other), -Infinity);
  const exponentials = input.values.map((value) => Math.exp(value - most));
  const sum = exponentials.reduce((one, other) => one + other, 0);
  return { ...input, values: exponentials.map((value) => value / sum) };
}

function tensor([height, width, channels]) {
  return { height, width, channels, values: new Float32Array(height * width * channels) };
}

const OPERATIONS = { convolution: convolve, pooling: pool, scale, relu, dense, softmax };

/**
 * Return the network's prediction for one image.
 *
 * @param network the result of loadNetwork.
 * @param image Float32Array, [height * width] of the network's input, row by row.
 * @returns probabilities, Float32Array [classes]; and maps, { height, width, channels, values: Float32Array } with
 *   channels last: the first convolution after its normalization and ReLU, before pooling; null without convolutions.
 */
function forward(network, image) {
  const [height, width, channels] = network.input;
  let value = { height, width, channels, values: image };
  let maps = null;
  for (const layer of network.layers) {
    const compute = OPERATIONS[layer.kind];
    const before = value;
    value = compute(before, layer);
    if (layer.maps) maps = maps === null || maps === before ? value : compute(maps, layer);
  }
  return { probabilities: value.values, maps };
}

/** Return the image shifted, with zeros at the edges. */
function shifted(image, height, width, down, right) {
  const result = new Float32Array(image.length);
  for (let row = Math.max(down, 0); row < height + Math.min(down, 0); row++) {
    for (let column = Math.max(right, 0); column < width + Math.min(right, 0); column++) {
      result[row * width + column] = image[(row - down) * width + column - right];
    }
  }
  return result;
}

/** Like forward, with the mean of the probabilities over the image shifted by up to network.shift pixels. */
function forwardOverShifts(network, image) {
  const [height, width] = network.input;
  const { probabilities, maps } = forward(network, image);
  const sum = Float64Array.from(probabilities);
  let count = 1;
  for (let down = -network.shift; down <= network.shift; down++) {
    const most = network.shift - Math.abs(down);
    for (let right = -most; right <= most; right++) {
      if (down === 0 && right === 0) continue;
      const other = forward(network, shifted(image, height, width, down, right)).probabilities;
      other.forEach((probability, label) => { sum[label] += probability; });
      count++;
    }
  }
  return { probabilities: Float32Array.from(sum, (total) => total / count), maps };
}
