"""The versions of installed libraries, asked without importing them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

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
