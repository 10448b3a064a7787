"""The recipe of a step: what decides its result, put together without importing what it works with."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.base.errors import ConfigError
from components.runtime.libraries import library_version
from job.pipeline.slots import import_string
from job.store.manifest import FingerprintInputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.base.component import Component


PACKAGE_DATA = {".css", ".html", ".j2", ".js"}
"""What decides a component's result beside its code; a package's other files, such as data, do not count."""


def fingerprint_inputs(component: Component[Any], inputs: Mapping[str, str]) -> FingerprintInputs:
    """Return the recipe of a component for inputs of the given digests."""
    cls = type(component)
    return FingerprintInputs(
        component=import_string(cls),
        version=cls.version,
        source=source_digest(cls),
        config=component.identity(),
        inputs=dict(inputs),
        libraries={name: library_version(name) for name in component.libraries},
    )


def source_digest(cls: type) -> str:
    """Return the SHA-256 of the source code that a component's class rests on.

    That is its module, those of the classes that it derives from, and all that these import of
    its own top-level package and of `components`, and what lies beside the `__init__.py` of such a
    package of templates, scripts and styles. Imports are followed in the source text, also those inside
    functions. Other packages count by the versions that the class names in `libraries`.

    Raises:
        ConfigError: if the source cannot be found, as for a class made at run time.
    """
    digest = hashlib.sha256()
    if cls.__module__ == "__main__":
        try:
            digest.update(inspect.getsource(cls).encode())
        except (OSError, TypeError) as error:
            raise no_source(cls) from error
    closure = find_modules(cls)
    if cls.__module__ not in closure and cls.__module__ != "__main__":
        raise no_source(cls)
    for module, path in sorted(closure.items()):
        for file in (path, *_package_data(path)):
            digest.update((f"{module}\n" if file == path else f"{module}/{file.name}\n").encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def no_source(cls: type) -> ConfigError:
    """Return the error for a class whose source code Python does not know."""
    return ConfigError(
        f"the source code of {import_string(cls)} cannot be found",
        expected="a class in a file, whose code decides whether its results can be reused",
        remedy="move the class into a file of its own",
    )


def find_modules(cls: type) -> dict[str, Path]:
    """Return the modules that `source_digest` is over, with their files."""
    packages = {"components", cls.__module__.partition(".")[0]} - {"__main__"}
    found: dict[str, Path] = {}
    waiting = [base.__module__ for base in cls.__mro__]
    while waiting:
        name = waiting.pop()
        if name in found or name.partition(".")[0] not in packages or (path := _module_file(name)) is None:
            continue
        found[name] = path
        waiting += _imported(path, name)
    return found


def _package_data(module: Path) -> list[Path]:
    """Return templates, and what goes into them, beside the `__init__.py` of a package; none for another module."""
    if module.name != "__init__.py":
        return []
    return sorted(path for path in module.parent.iterdir() if path.suffix in PACKAGE_DATA)


def _module_file(name: str) -> Path | None:
    """Return the file of a module, found without importing it; None for what is no module."""
    package, *below = name.split(".")
    top = sys.modules.get(package)
    if not below:
        origin = getattr(top, "__file__", None)
        return Path(origin) if origin else None
    for folder in getattr(top, "__path__", ()):
        place = Path(folder).joinpath(*below)
        for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if path.is_file():
                return path
    return None


@cache  # the components of a run rest on the same modules
def _imported(path: Path, module: str) -> tuple[str, ...]:
    """Return every name that could be a module in the imports of a source file."""
    parts = module.split(".")
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                kept = parts[: len(parts) - node.level + (path.name == "__init__.py")]
                base = ".".join((*kept, base)).rstrip(".")
            names.append(base)
            names += (f"{base}.{alias.name}" for alias in node.names)
    return tuple(names)
