"""Scaling: the exponent of a power law, fitted to the growth of each component."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.growth import COMPONENTS, GrowthPoint
from tests.benchmarks.table import number, print_table

QUANTITIES = {"seconds": "seconds", "cpu": "CPU-seconds", "gigabytes": "peak memory, GB"}
"""Attributes of `GrowthPoint` and their titles."""


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """How one quantity of one component grows with the number of images.

    Attributes:
        component: its name.
        quantity: a key of `QUANTITIES`.
        exponent: over all sizes.
        last_exponent: between the two largest sizes, where constant costs matter least.
    """

    component: str
    quantity: str
    exponent: float
    last_exponent: float


def fit_exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return the least-squares slope of the logarithms: 1 is linear, 0 constant.

    >>> round(fit_exponent([1, 3, 10], [2, 18, 200]), 6)
    2.0
    """
    x, y = ([math.log(value) for value in sequence] for sequence in (sizes, values))
    mean_x, mean_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    covariance = math.fsum((one - mean_x) * (other - mean_y) for one, other in zip(x, y, strict=True))
    return covariance / math.fsum((one - mean_x) ** 2 for one in x)


def fit_scalings(points: Sequence[GrowthPoint]) -> list[Scaling]:
    """Return the scaling of each component with points at two sizes or more."""
    scalings = []
    for component in COMPONENTS:
        own = sorted((point for point in points if point.component == component), key=lambda point: point.images)
        images = [point.images for point in own]
        for quantity in QUANTITIES if len(own) > 1 else ():
            values = [getattr(point, quantity) for point in own]
            scalings.append(
                Scaling(
                    component=component,
                    quantity=quantity,
                    exponent=fit_exponent(images, values),
                    last_exponent=fit_exponent(images[-2:], values[-2:]),
                )
            )
    return scalings


def print_scalings(points: Sequence[GrowthPoint], scalings: Sequence[Scaling]) -> None:
    """Print a table for each quantity: values by size, and exponents."""
    sizes = sorted({point.images for point in points})
    by_size = {(point.component, point.images): point for point in points}
    by_name = {(one.component, one.quantity): one for one in scalings}
    for quantity, title in QUANTITIES.items():
        rows = []
        for component in COMPONENTS:
            values = [number(getattr(by_size.get((component, size)), quantity, None)) for size in sizes]
            scaling = by_name.get((component, quantity))
            exponents = [number(getattr(scaling, name, None)) for name in ("exponent", "last_exponent")]
            rows.append((component, *values, *exponents))
        header = (f"{title}, by images", *(f"{size:,}" for size in sizes), "exponent", "of the last two")
        print_table(header, rows)
