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

/** Weights are [kernel height, kernel width, channels, filters]. */
function convolve(layer, input) {
  const { height, width, channels, values: pixels } = input;
  const [kernelHeight, kernelWidth] = layer.window;
  const [above, left] = layer.before;
  const [down, right] = layer.strides;
  const output = tensor(layer.output);
  const most = kernelHeight * kernelWidth * channels;
  const rows = new Int32Array(most), values = new Float64Array(most);
  for (let y = 0, at = 0; y < output.height; y++) {
    for (let x = 0; x < output.width; x++, at += output.channels) {
      let count = 0;
      for (let ky = 0; ky < kernelHeight; ky++) {
        const row = y * down + ky - above;
        if (row < 0 || row >= height) continue;
        for (let kx = 0; kx < kernelWidth; kx++) {
          const column = x * right + kx - left;
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

/**
 * Call visit(from, at, offset) for each pixel of the input in the window of each pixel of the output: the positions of
 * their first channels, and the pixel's number within the window. Padding is not visited.
 */
function slide({ height, width, channels }, layer, output, visit) {
  for (let y = 0, at = 0; y < output.height; y++) {
    const top = y * layer.strides[0] - layer.before[0];
    for (let x = 0; x < output.width; x++, at += output.channels) {
      const left = x * layer.strides[1] - layer.before[1];
      for (let row = Math.max(top, 0); row < Math.min(top + layer.window[0], height); row++) {
        for (let column = Math.max(left, 0); column < Math.min(left + layer.window[1], width); column++) {
          visit((row * width + column) * channels, at, (row - top) * layer.window[1] + column - left);
        }
      }
    }
  }
  return output;
}

/** Max-pooling; padding is negative infinity. */
function pool(layer, input) {
  const output = tensor(layer.output);
  output.values.fill(-Infinity);
  return slide(input, layer, output, (from, at) => {
    for (let channel = 0; channel < input.channels; channel++) {
      const value = input.values[from + channel];
      if (value > output.values[at + channel]) output.values[at + channel] = value;
    }
  });
}

/** Average pooling over the pixels of the window that are in the image, as TensorFlow computes it. */
function average(layer, input) {
  const output = tensor(layer.output), counts = new Float32Array(output.values.length);
  slide(input, layer, output, (from, at) => {
    for (let channel = 0; channel < input.channels; channel++) {
      output.values[at + channel] += input.values[from + channel];
      counts[at + channel]++;
    }
  });
  return { ...output, values: output.values.map((sum, at) => sum / counts[at]) };
}

/** Each channel alone; weights are [kernel height, kernel width, channels, filters of each channel]. */
function convolveDepthwise(layer, input) {
  const output = tensor(layer.output);
  const each = output.channels / input.channels;
  output.values.forEach((_, at) => { output.values[at] = layer.bias[at % output.channels]; });
  return slide(input, layer, output, (from, at, offset) => {
    for (let filter = 0; filter < output.channels; filter++) {
      const value = input.values[from + Math.floor(filter / each)];
      output.values[at + filter] += value * layer.weights[offset * output.channels + filter];
    }
  });
}

/** Zeros around the image. */
function pad(layer, input) {
  const output = tensor(layer.output), row = input.width * input.channels;
  for (let y = 0; y < input.height; y++) {
    const at = ((y + layer.before[0]) * output.width + layer.before[1]) * output.channels;
    output.values.set(input.values.subarray(y * row, (y + 1) * row), at);
  }
  return output;
}

/** Values are in row-major order, so that another shape changes none. */
function reshape(layer, { values }) {
  return { ...tensor(layer.output), values };
}

/** Several inputs, value by value; one that has a single pixel is repeated for every pixel. */
function combine(operation) {
  return (layer, first, ...others) => others.reduce((one, other) => {
    const [large, small] = one.values.length < other.values.length ? [other, one] : [one, other];
    const values = large.values.map((value, at) => operation(value, small.values[at % small.values.length]));
    return { ...large, values };
  }, first);
}

/** The channels of all inputs, in order. */
function concatenate(layer, ...inputs) {
  const output = tensor(layer.output);
  let first = 0;
  for (const { channels, values } of inputs) {
    values.forEach((value, at) => {
      output.values[Math.floor(at / channels) * output.channels + first + (at % channels)] = value;
    });
    first += channels;
  }
  return output;
}

/** Weights are [inputs, units]; an image is flattened row by row, which is its memory layout. */
function dense(layer, input) {
  const rows = new Int32Array(input.values.length), values = new Float64Array(input.values.length);
  let count = 0;
  input.values.forEach((value, at) => {
    if (value !== 0) { rows[count] = at; values[count++] = value; }
  });
  const output = tensor([1, 1, layer.bias.length]);
  accumulate(rows, values, count, layer.weights, layer.bias, output.values, 0);
  return output;
}

/** One scale and one offset per channel, such as a batch normalization. */
function scale(layer, input) {
  const values = input.values.map((value, at) => {
    const channel = at % input.channels;
    return value * layer.scale[channel] + layer.offset[channel];
  });
  return { ...input, values };
}

/** The same function of every value. */
function map(operation) {
  return (layer, input) => ({ ...input, values: input.values.map((value) => operation(value, layer)) });
}

const sigmoid = (value) => 1 / (1 + Math.exp(-value));

function softmax(layer, input) {
  const most = input.values.reduce((one, other) => Math.max(one, other), -Infinity);
  const exponentials = input.values.map((value) => Math.exp(value - most));
  const sum = exponentials.reduce((one, other) => one + other, 0);
  return { ...input, values: exponentials.map((value) => value / sum) };
}

function tensor([height, width, channels]) {
  return { height, width, channels, values: new Float32Array(height * width * channels) };
}

const OPERATIONS = {
  convolution: convolve,
  depthwise: convolveDepthwise,
  pooling: pool,
  average,
  pad,
  reshape,
  dense,
  scale,
  add: combine((one, other) => one + other),
  multiply: combine((one, other) => one * other),
  concatenate,
  relu: map((value, { most = Infinity, slope = 0 }) => (value > 0 ? Math.min(value, most) : slope && slope * value)),
  sigmoid: map(sigmoid),
  silu: map((value) => value * sigmoid(value)),
  tanh: map(Math.tanh),
  softmax,
};

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
  const results = []; // of each operation
  const result = (at) => (at < 0 ? { height, width, channels, values: image } : results[at]);
  let maps = null;
  network.layers.forEach((layer, at) => {
    const compute = OPERATIONS[layer.kind];
    const inputs = (layer.inputs ?? [at - 1]).map(result);
    results.push(compute(layer, ...inputs));
    if (layer.maps) maps = maps === null || maps === inputs[0] ? results[at] : compute(layer, maps);
  });
  return { probabilities: results.at(-1).values, maps };
}

/** Return the network's input for a picture, whose values are from 0 to 1. */
function toInput(network, picture) {
  if (!network.standardize) return picture;
  const { scale, offset } = network.standardize;
  return picture.map((value) => value * scale + offset);
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
