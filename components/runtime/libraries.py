"""Installed libraries and their versions, found without importing them."""

from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec

VARIANTS = {"tensorflow": ("tensorflow", "tensorflow-cpu")}
"""Distributions that contain the same library."""
DISTRIBUTIONS = {"PIL": "pillow", "cv2": "opencv-python", "skimage": "scikit-image", "sklearn": "scikit-learn"}
"""By top-level module: a search for the distribution of one that is not installed takes a fifth of a second."""


def library_version(name: str) -> str:
    """Return the installed version of a library, or `none`.

    >>> library_version("no-such-library")
    'none'
    """
    for distribution in VARIANTS.get(name, (name,)):
        with suppress(PackageNotFoundError):
            return _version(distribution)
    return "none"


@cache  # only of installed libraries: a missing one may be installed later, in a notebook
def _version(distribution: str) -> str:
    return version(distribution)


def installed_versions(modules: Iterable[str]) -> dict[str, str]:
    """Return the version of each installed library that contains one of the top-level modules, sorted by its name.

    >>> list(installed_versions(["sklearn", "json", "no_such_module"]))
    ['scikit-learn']
    """
    return {name: library_version(name) for name in sorted(filter(None, map(_distribution, modules)))}


@cache
def _distribution(module: str) -> str | None:
    name = DISTRIBUTIONS.get(module, module)
    if library_version(name) != "none":
        return name
    return None if find_spec(module) is None else next(iter(packages_distributions().get(module, ())), None)


def missing_modules(modules: Iterable[str]) -> list[str]:
    """Return the top-level modules that are not installed.

    >>> missing_modules(["json", "no_such_module"])
    ['no_such_module']
    """
    return [module for module in modules if find_spec(module) is None]
