"""Which libraries are installed, and in which versions, asked without importing them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

VARIANTS = {"tensorflow": ("tensorflow", "tensorflow-cpu")}
"""Distributions that bring the same library."""


def library_version(name: str) -> str:
    """Return the installed version of a library, or `none`.

    >>> library_version("no-such-library")
    'none'
    """
    for distribution in VARIANTS.get(name, (name,)):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return "none"


def missing_modules(modules: Iterable[str]) -> list[str]:
    """Return those of some top-level modules that cannot be imported here.

    >>> missing_modules(["json", "no_such_module"])
    ['no_such_module']
    """
    return [module for module in modules if find_spec(module) is None]
