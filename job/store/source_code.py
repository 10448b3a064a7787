"""The source digest of classes and functions: SHA-256 of the code that they use, found without importing that code."""

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from components.base.errors import ConfigError
from components.base.extension import import_string
from components.base.hashing import file_sha256, value_sha256

MAIN = "__main__"
"""The module of a script, and of the cells of a notebook."""
DATA_SUFFIXES = {".css", ".html", ".j2", ".js"}
"""Files beside a package's `__init__.py` that decide a result as code does; other files do not count."""


def source_digest(*objects: Any) -> str:
    """Return the SHA-256 of the source code that classes and functions use.

    It is their modules, the modules of base classes, everything that these import from `components` and from the
    top-level package of the class or function, and the templates, scripts and style sheets of such packages. Imports
    are found in the source text, also inside functions. Other packages count by the versions in `Component.libraries`.
    """
    digests: dict[str, str] = {}
    for used in objects:
        modules = find_modules(used)
        if used.__module__ == MAIN:
            digests[import_string(used)] = value_sha256(_source_text(used))
        elif used.__module__ not in modules:
            raise _no_source(used)
        for module, path in modules.items():
            files = [path]
            if path.name == "__init__.py":
                files += (file for file in path.parent.iterdir() if file.suffix in DATA_SUFFIXES)
            digests |= {f"{module}/{file.name}": file_sha256(file) for file in files}
    return value_sha256(digests)


def _source_text(used: Any) -> str:
    try:
        return inspect.getsource(used)
    except (OSError, TypeError) as error:
        raise _no_source(used) from error


def _no_source(used: Any) -> ConfigError:
    return ConfigError(
        f"the source code of {import_string(used)} cannot be found",
        expected="a class or function in a file, because its code decides whether results can be reused",
        remedy="move it into a file",
    )


def find_modules(used: Any) -> dict[str, Path]:
    """Return the modules that `source_digest` covers for a class or function, with their files."""
    packages = {"components", used.__module__.partition(".")[0]} - {MAIN}
    found: dict[str, Path] = {}
    seen: set[str] = set()
    waiting = [each.__module__ for each in getattr(used, "__mro__", (used,))]
    while waiting:
        name = waiting.pop()
        if name in seen or name.partition(".")[0] not in packages:
            continue
        seen.add(name)
        if path := _module_file(name):
            found[name] = path
            waiting += _imported(path, name)
    return found


def _module_file(name: str) -> Path | None:
    """Return the file of a module without importing it; None if it is not a module."""
    package, *submodules = name.split(".")
    top = sys.modules.get(package)
    if not submodules:
        origin = getattr(top, "__file__", None)
        return Path(origin) if origin else None
    for folder in getattr(top, "__path__", ()):
        base = Path(folder).joinpath(*submodules)
        for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
            if path.is_file():
                return path
    return None


@cache  # the components of a run share most modules
def _imported(path: Path, module: str) -> tuple[str, ...]:
    """Return every name in the imports of a source file that could be a module."""
    parts = module.split(".")
    names: list[str] = []
    for node in _statements(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = parts[: len(parts) - node.level + (path.name == "__init__.py")]
                base = ".".join((*parents, base)).rstrip(".")
            names.append(base)
            names += (f"{base}.{alias.name}" for alias in node.names)
    return tuple(names)


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every statement, also inside functions, but not their expressions, in which nothing can be imported."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, name, ())
