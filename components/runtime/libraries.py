"""Installed libraries and their versions, found without importing them."""

from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

VARIANTS = {"tensorflow": ("tensorflow", "tensorflow-cpu")}
"""Distributions that contain the same library."""


def library_version(name: str) -> str:
    """Return the installed version of a library, or `none`.

    >>> library_version("no-such-library")
    'none'
    """
    for distribution in VARIANTS.get(name, (name,)):
        with suppress(PackageNotFoundError):
            return version(distribution)
    return "none"


def missing_modules(modules: Iterable[str]) -> list[str]:
    """Return the top-level modules that are not installed.

    >>> missing_modules(["json", "no_such_module"])
    ['no_such_module']
    """
    return [module for module in modules if find_spec(module) is None]
