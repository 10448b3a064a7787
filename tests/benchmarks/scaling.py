"""With which power of the size something grows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.growth import COMPONENTS, Grown
from tests.benchmarks.table import number, print_table

QUANTITIES = {"seconds": "seconds", "cpu": "CPU-seconds", "gigabytes": "peak memory, GB"}
"""Attributes of `Grown`, and what they are called."""


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """How one quantity of one component grows with the number of images.

    Attributes:
        component: its name.
        quantity: of `QUANTITIES`.
        exponent: over all sizes.
        at_last: between the two largest sizes, where what it takes anyhow weighs least.
    """

    component: str
    quantity: str
    exponent: float
    at_last: float


def fit_exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of the line of least squares through the logarithms: 1 is linear, 0 constant.

    >>> round(fit_exponent([1, 3, 10], [2, 18, 200]), 6)
    2.0
    """
    x, y = ([math.log(value) for value in some] for some in (sizes, values))
    middle_x, middle_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    together = math.fsum((one - middle_x) * (other - middle_y) for one, other in zip(x, y, strict=True))
    return together / math.fsum((one - middle_x) ** 2 for one in x)


def scale(measured: Sequence[Grown]) -> list[Scaling]:
    """Return how each component grows that was measured at two sizes or more."""
    scalings = []
    for component in COMPONENTS:
        own = sorted((grown for grown in measured if grown.component == component), key=lambda grown: grown.images)
        images = [grown.images for grown in own]
        for quantity in QUANTITIES if len(own) > 1 else ():
            values = [getattr(grown, quantity) for grown in own]
            scalings.append(
                Scaling(
                    component=component,
                    quantity=quantity,
                    exponent=fit_exponent(images, values),
                    at_last=fit_exponent(images[-2:], values[-2:]),
                )
            )
    return scalings


def print_scaling(measured: Sequence[Grown], scalings: Sequence[Scaling]) -> None:
    """Print each quantity by size, and its exponents."""
    sizes = sorted({grown.images for grown in measured})
    at = {(grown.component, grown.images): grown for grown in measured}
    by_name = {(one.component, one.quantity): one for one in scalings}
    for quantity, title in QUANTITIES.items():
        rows = [
            (
                component,
                *(number(getattr(at.get((component, size)), quantity, None)) for size in sizes),
                *(
                    number(getattr(by_name.get((component, quantity)), which, None))
                    for which in ("exponent", "at_last")
                ),
            )
            for component in COMPONENTS
        ]
        header = (f"{title}, by images", *(f"{size:,}" for size in sizes), "exponent", "of the last two")
        print_table(header, rows)
