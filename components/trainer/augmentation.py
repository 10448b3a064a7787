"""Random affine augmentation of training images: rotation, zoom, shear and shift."""

import math
from typing import Annotated, Any

from pydantic import Field

from components.base.component import ComponentConfig

SEED_MASK = 0x5EED
"""XORed with the seed, so that augmentation and the order of the images use different random numbers."""
Fraction = Annotated[float, Field(strict=True, ge=0, lt=1)]


class AugmentationConfig(ComponentConfig):
    """Limits of the random changes to each training image; by default none.

    Each change is drawn uniformly between minus and plus its limit, again in every epoch.
    """

    rotation: Annotated[float, Field(strict=True, ge=0, le=180)] = 0.0
    """To either side, in degrees."""
    zoom: Fraction = 0.0
    """Larger or smaller by this fraction."""
    shear: Fraction = 0.0
    """Sideways by this fraction of the distance from the middle row."""
    shift: Fraction = 0.0
    """In each direction, by this fraction of the image's side."""
    clean_epochs: Annotated[int, Field(strict=True, ge=0)] = 0
    """The number of last epochs without augmentation."""

    @property
    def is_identity(self) -> bool:
        """Whether every limit is zero."""
        return not any((self.rotation, self.zoom, self.shear, self.shift))


def augment(config: AugmentationConfig, images: Any, *, seed: Any) -> Any:
    """Apply a random affine map to each image, about its center; pixels from outside the image are zero.

    The images are float32 [batch, height, width, channels]; the maps are a function of `seed`, int64 [2], alone.
    """
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
