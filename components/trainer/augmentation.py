"""Augmentation: random changes of training images, such as rotations and flips."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field

from components.base.component import ComponentConfig

SEED_MASK = 0x5EED
"""XORed with the seed, so that augmentation and the order of the images use different random numbers."""
Fraction = Annotated[float, Field(strict=True, ge=0, lt=1)]


class AugmentationConfig(ComponentConfig):
    """Limits of the random changes to each training image; by default none.

    Each change is drawn again in every epoch, from a uniform distribution between minus and plus its limit. Images are
    changed as the network receives them; brightness and contrast may exceed the range of their values.
    """

    rotation: Annotated[float, Field(strict=True, ge=0, le=180)] = 0.0
    """To either side, in degrees."""
    zoom: Fraction = 0.0
    """Larger or smaller by this fraction."""
    shear: Fraction = 0.0
    """Sideways by this fraction of the distance from the middle row."""
    shift: Fraction = 0.0
    """In each direction, by this fraction of the image's side."""
    flip: tuple[Literal["horizontal", "vertical"], ...] = ()
    """Directions in which images are mirrored, each with probability 1/2; `horizontal` exchanges left and right."""
    crop: Annotated[int, Field(strict=True, ge=0, le=1024)] = 0
    """Pixels of zeros on each side, before a random window of the image's size is cut (K. He et al., 2016, section
    4.2). This is a shift by whole pixels, so the image stays sharp."""
    brightness: Fraction = 0.0
    """Limit of the value that is added to all pixels."""
    contrast: Fraction = 0.0
    """Distances from the mean of each channel become larger or smaller by this fraction."""
    clean_epochs: Annotated[int, Field(strict=True, ge=0)] = 0
    """The number of last epochs without augmentation."""

    @property
    def is_affine(self) -> bool:
        """Whether images are rotated, scaled, sheared or shifted."""
        return any((self.rotation, self.zoom, self.shear, self.shift))

    @property
    def is_identity(self) -> bool:
        """Whether images stay as they are."""
        return not any((self.is_affine, self.flip, self.crop, self.brightness, self.contrast))


def augment(config: AugmentationConfig, images: Any, *, seed: Any) -> Any:
    """Apply the random changes to float32 images [batch, height, width, channels].

    The changes are a function of `seed`, int64 [2], alone. Each kind has its own random numbers: one more kind leaves
    the others as they are.
    """
    import tensorflow as tf

    def draw(kind: int, values: int) -> Any:
        """Return uniform numbers from -1 to 1, float32 [values, batch, 1, 1, 1]."""
        shape = (values, tf.shape(images)[0], 1, 1, 1)
        return tf.random.stateless_uniform(shape, tf.random.fold_in(seed, kind), minval=-1.0, maxval=1.0)

    if config.is_affine:
        images = _warp(config, images, seed=seed)
    if config.flip:
        mirrored = draw(1, 2) < 0
        for direction, axis in (("vertical", 1), ("horizontal", 2)):
            if direction in config.flip:
                images = tf.where(mirrored[axis - 1], tf.reverse(images, [axis]), images)
    if config.crop:
        images = _crop(images, draw(2, 2)[..., 0, 0, 0], border=config.crop)
    if config.contrast:
        mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
        images = mean + (images - mean) * (1 + config.contrast * draw(3, 1)[0])
    if config.brightness:
        images += config.brightness * draw(4, 1)[0]
    return images


def _crop(images: Any, drawn: Any, *, border: int) -> Any:
    """Cut a window of the image's size from each image with a border of zeros; `drawn` [2, batch] is its position."""
    import tensorflow as tf

    height, width = images.shape[1:3]
    offsets = tf.cast(tf.floor((drawn + 1) / 2 * (2 * border + 1)), tf.int32)  # below 2 * border + 1, as drawn < 1
    bordered = tf.pad(images, [[0, 0], [border, border], [border, border], [0, 0]])
    rows = tf.gather(bordered, offsets[0][:, None] + tf.range(height), axis=1, batch_dims=1)
    return tf.gather(rows, offsets[1][:, None] + tf.range(width), axis=2, batch_dims=1)


def _warp(config: AugmentationConfig, images: Any, *, seed: Any) -> Any:
    """Apply a random affine map to each image, about its center; pixels from outside the image are zero."""
    import tensorflow as tf

    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    drawn = tf.random.stateless_uniform((5, count), seed=seed, minval=-1.0, maxval=1.0)
    angle = drawn[0] * math.radians(config.rotation)
    scale = 1 / (1 + drawn[1] * config.zoom)
    shear = drawn[2] * config.shear
    right, down = drawn[3] * config.shift * width, drawn[4] * config.shift * height
    # Rows of the matrix from a position in the new image to one in the old image.
    cosine, sine = tf.cos(angle) * scale, tf.sin(angle) * scale
    a0, a1 = cosine, shear * cosine - sine
    b0, b1 = sine, shear * sine + cosine
    x, y = (width - 1) / 2, (height - 1) / 2
    a2 = x - a0 * (x + right) - a1 * (y + down)
    b2 = y - b0 * (x + right) - b1 * (y + down)
    zero = tf.zeros_like(a0)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1),
        output_shape=(height, width),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
