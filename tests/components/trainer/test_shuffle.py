"""Order of an epoch: every image once, a new order in each epoch, also if not all images fit in memory."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.trainer.shuffle import EpochOrder


def batches(order: EpochOrder, epoch: int, *, from_step: int = 0) -> list[list[int]]:
    """Return the rows of each step of an epoch, as row numbers of the whole split."""
    found: list[list[int]] = []
    step = from_step
    while step < order.steps:
        block = order.block(epoch, step)
        assert block.first_step <= step < block.end_step
        rows = (block.start + order.rows(epoch, block)) % order.images
        starts = range((step - block.first_step) * order.batch_size, block.rows, order.batch_size)
        found += [rows[start : start + order.batch_size].tolist() for start in starts]
        step = block.end_step
    return found


@settings(deadline=None)
@given(
    images=st.integers(1, 200),
    batch_size=st.integers(1, 40),
    max_rows=st.integers(1, 250),
    epoch=st.integers(1, 5),
    data=st.data(),
)
def test_each_epoch_has_every_image_once_in_full_batches(
    images: int, batch_size: int, max_rows: int, epoch: int, data: st.DataObject
) -> None:
    order = EpochOrder(images=images, batch_size=batch_size, max_rows=max_rows, seed=3)
    whole = batches(order, epoch)
    assert Counter(row for batch in whole for row in batch) == Counter(range(images))
    assert len(whole) == order.steps
    assert all(len(batch) == batch_size for batch in whole[:-1])
    step = data.draw(st.integers(0, order.steps - 1))
    assert batches(order, epoch, from_step=step) == whole[step:], "the same if it starts in the middle"


@pytest.mark.parametrize("max_rows", [1000, 30], ids=["one block", "four blocks"])
def test_seed_and_epoch_determine_the_order(max_rows: int) -> None:
    def first(seed: int, epoch: int) -> list[int]:
        return batches(EpochOrder(images=100, batch_size=10, max_rows=max_rows, seed=seed), epoch)[0]

    assert first(1, 1) == first(1, 1)
    assert len({tuple(first(1, 1)), tuple(first(1, 2)), tuple(first(2, 1))}) == 3


def test_blocks_fit_and_change_from_epoch_to_epoch() -> None:
    order = EpochOrder(images=95, batch_size=10, max_rows=35, seed=0)
    blocks = [[order.block(epoch, step) for step in range(0, 10, 3)] for epoch in (1, 2, 3)]
    assert max(block.rows for epoch in blocks for block in epoch) == 30
    assert len({epoch[0].start for epoch in blocks}) == 3
    last = {frozenset(batches(order, epoch)[-1]) for epoch in range(1, 6)}
    assert len(last) == 5, "the short last batch has different images"
