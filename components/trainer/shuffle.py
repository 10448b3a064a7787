"""The order of an epoch: which images come when, as a function of the seed, the epoch and the step alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Block:
    """Rows of a split that are held together, and the steps of an epoch that they make."""

    start: int
    """The first row; after a split's last row comes its first."""
    rows: int
    first_step: int
    """Of the epoch, from 0."""
    steps: int

    @property
    def end_step(self) -> int:
        """The step after the last one."""
        return self.first_step + self.steps


class EpochOrder:
    """Every image once an epoch, in batches, anew in each epoch, without a memory of the one before.

    What fits is one block, and its order one shuffle. More is gone through block by block: neighbouring
    rows, read together, are shuffled among themselves. (ExampleGen has shuffled the rows before, so that each
    block is a fair sample.) Where the first block begins is drawn for every epoch, and so are the order
    of blocks and the rows that are left for the last, shorter batch.

    Args:
        images: how many there are.
        batch_size: images a step; an epoch's last step has what is left.
        most_rows: that can be held together.
        seed: decides all of it, together with the epoch.
    """

    def __init__(self, *, images: int, batch_size: int, most_rows: int, seed: int) -> None:
        self.images = images
        self.batch_size = batch_size
        self.seed = seed
        self.steps = math.ceil(images / batch_size)
        self.block_steps = self.steps if images <= most_rows else max(1, most_rows // batch_size)

    def block(self, epoch: int, step: int) -> Block:
        """Return the block that a step of an epoch is in; epochs from 1, steps from 0."""
        blocks = math.ceil(self.steps / self.block_steps)
        place = step // self.block_steps
        start, number = 0, 0
        if blocks > 1:
            random = np.random.default_rng((self.seed, epoch))
            start = int(random.integers(self.images))
            # The last block may be short: it stays the last, of rows that differ from epoch to epoch.
            number = int([*random.permutation(blocks - 1), blocks - 1][place])
        size = self.block_steps * self.batch_size
        return Block(
            start=(start + number * size) % self.images,
            rows=min(size, self.images - number * size),
            first_step=place * self.block_steps,
            steps=min(self.block_steps, self.steps - number * self.block_steps),
        )

    def rows(self, epoch: int, block: Block) -> NDArray[np.int64]:
        """Return the places of a block's rows within it, from 0, in the order in which they are trained on."""
        # One more than the step: NumPy takes (seed, epoch, 0) for (seed, epoch), which is taken.
        return np.random.default_rng((self.seed, epoch, 1 + block.first_step)).permutation(block.rows)
