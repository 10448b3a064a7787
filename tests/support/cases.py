"""Parametrized tests that run some cases among the everyday tests, and the other cases among the thorough ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest


def parametrize_sample(
    count: int, names: str | Sequence[str], cases: Sequence[Any], **options: Any
) -> pytest.MarkDecorator:
    """Return `pytest.mark.parametrize` with `count` everyday cases, spread over all; the others are thorough."""
    several = not isinstance(names, str) or "," in names
    everyday = {round(place * (len(cases) - 1) / max(count - 1, 1)) for place in range(count)}
    marked = []
    for place, case in enumerate(cases):
        thorough = () if place in everyday else (pytest.mark.thorough,)
        if isinstance(case, type(pytest.param())):
            marked.append(pytest.param(*case.values, id=case.id, marks=(*case.marks, *thorough)))
        else:
            marked.append(pytest.param(*(case if several else (case,)), marks=thorough))
    return pytest.mark.parametrize(names, marked, **options)
