"""Strided 1x1 convolutions, as in the shortcuts of ResNets, without a gradient that crashes."""

from typing import Any

import keras

from components.trainer.layers import named_layers


def slice_before_strided_convolutions(network: Any) -> None:
    """Let 1x1 convolutions with strides select the pixels first, and convolve without strides: the result is equal.

    TensorFlow 2.21 with oneDNN writes beyond the memory of such a kernel's gradient once the size of the batch changes,
    as in the last step of an epoch, and the process aborts.
    """
    for _, layer in named_layers(network):
        if type(layer) is keras.layers.Conv2D and layer.kernel_size == (1, 1) and layer.strides != (1, 1):
            layer.convolution_op = _SlicedConvolution(layer.strides, layer.data_format)


class _SlicedConvolution:
    """`Conv2D.convolution_op` for a kernel of 1x1, whose padding is always empty."""

    def __init__(self, strides: tuple[int, int], data_format: str) -> None:
        every = [slice(None, None, stride) for stride in strides]
        self.pixels = (slice(None), *every) if data_format == "channels_last" else (slice(None), slice(None), *every)
        self.data_format = data_format

    def __call__(self, images: Any, kernel: Any) -> Any:
        return keras.ops.conv(images[self.pixels], kernel, strides=1, padding="valid", data_format=self.data_format)
