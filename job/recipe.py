"""The recipe of a step: what decides its result, put together without importing what it works with."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import ConfigError
from components.runtime.libraries import library_version
from job.manifest import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.component import Component


def make_recipe(component: Component[Any], inputs: Mapping[str, str]) -> Recipe:
    """Return the recipe of a component for inputs of the given digests."""
    cls = type(component)
    return Recipe(
        component=import_string(cls),
        version=cls.version,
        source=source_digest(cls),
        config=component.identity(),
        inputs=dict(inputs),
        libraries={name: library_version(name) for name in cls.libraries},
    )


def import_string(cls: type) -> str:
    """Return the name by which a configuration can `use` a class."""
    return f"{cls.__module__}:{cls.__qualname__}"


def source_digest(cls: type) -> str:
    """Return the SHA-256 of a class's module and of all it imports of its own top-level package.

    Imports are followed in the source text, also those inside functions. Other packages count
    by the versions that the component names in `libraries`.

    Raises:
        ConfigError: if Python does not know the source, as for a class made at run time.
    """
    digest = hashlib.sha256()
    try:
        if Path(inspect.getfile(cls)).suffix != ".py" or cls.__module__ == "__main__":
            digest.update(inspect.getsource(cls).encode())
            return digest.hexdigest()
    except (OSError, TypeError) as error:
        raise ConfigError(
            f"the source code of {import_string(cls)} cannot be found",
            expected="a class in a module, whose code decides whether its results can be reused",
            remedy="move the class into a file of its own",
        ) from error
    for module, path in sorted(_closure(cls.__module__).items()):
        digest.update(f"{module}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _closure(module: str) -> dict[str, Path]:
    package = module.partition(".")[0]
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or name.partition(".")[0] != package or (path := _module_file(name)) is None:
            continue
        found[name] = path
        waiting += _imported(ast.parse(path.read_bytes()), name, is_package=path.name == "__init__.py")
    return found


def _module_file(name: str) -> Path | None:
    """Return the file of a module, found without importing it; None for what is no module."""
    package, *below = name.split(".")
    origin = sys.modules[package].__file__
    if origin is None or not below:
        return None if origin is None else Path(origin)
    if Path(origin).name != "__init__.py":
        return None
    place = Path(origin).parent.joinpath(*below)
    candidates = (place / "__init__.py", place.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


def _imported(tree: ast.AST, module: str, *, is_package: bool) -> Iterator[str]:
    """Yield every name that could be a module in the imports of a source file."""
    parts = module.split(".")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                kept = parts[: len(parts) - node.level + is_package]
                base = ".".join((*kept, base)).rstrip(".")
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
