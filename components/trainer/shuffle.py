"""Order of the training images in an epoch: a function of the seed, the epoch and the step alone."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Block:
    """Rows of a split that are loaded together, and the steps of an epoch that train on them."""

    start: int
    """The first row; the split's first row follows its last."""
    rows: int
    first_step: int
    """Step of the epoch, from 0."""
    steps: int

    @property
    def end_step(self) -> int:
        """The step after the last one."""
        return self.first_step + self.steps


class EpochOrder:
    """Batches that contain every image once per epoch, in a new order in each epoch.

    A split that fits in memory is one block, shuffled as a whole. A larger split is read block by block: the rows
    of a block are neighbors in the split, and are shuffled among themselves. (ExampleGen has shuffled the split, so
    each block is a random sample.) Every epoch draws again where the first block begins, the order of the blocks, and
    the rows that remain for the last, shorter batch.

    `max_rows` is the number of rows that may be loaded at once; `steps` is the number of steps per epoch.
    """

    def __init__(self, *, images: int, batch_size: int, max_rows: int, seed: int) -> None:
        self.images = images
        self.batch_size = batch_size
        self.seed = seed
        self.steps = math.ceil(images / batch_size)
        self.block_steps = self.steps if images <= max_rows else max(1, max_rows // batch_size)

    def block(self, epoch: int, step: int) -> Block:
        """Return the block that contains a step; epochs count from 1, steps from 0."""
        blocks = math.ceil(self.steps / self.block_steps)
        position = step // self.block_steps
        start, number = 0, 0
        if blocks > 1:
            random = np.random.default_rng((self.seed, epoch))
            start = int(random.integers(self.images))
            # The last block may be short: it stays last, but its rows differ from epoch to epoch.
            number = int([*random.permutation(blocks - 1), blocks - 1][position])
        size = self.block_steps * self.batch_size
        return Block(
            start=(start + number * size) % self.images,
            rows=min(size, self.images - number * size),
            first_step=position * self.block_steps,
            steps=min(self.block_steps, self.steps - number * self.block_steps),
        )

    def rows(self, epoch: int, block: Block) -> NDArray[np.int64]:
        """Return the positions of a block's rows within the block, from 0, in training order."""
        # Step + 1, because NumPy treats (seed, epoch, 0) as (seed, epoch), which `block` uses.
        return np.random.default_rng((self.seed, epoch, 1 + block.first_step)).permutation(block.rows)
