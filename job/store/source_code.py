"""The source digest of a component: SHA-256 of the code that it uses, found without importing that code."""

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from components.base.errors import ConfigError
from components.base.hashing import file_sha256, value_sha256
from job.pipeline.slots import import_string

DATA_SUFFIXES = {".css", ".html", ".j2", ".js"}
"""Files beside a package's `__init__.py` that decide a result as code does; other files do not count."""


def source_digest(cls: type) -> str:
    """Return the SHA-256 of the source code that a component class uses.

    It is the class's module, the modules of its base classes, everything that these import from `components`
    and from the class's own top-level package, and the templates, scripts and style sheets of such packages.
    Imports are found in the source text, also inside functions. Other packages count by the versions in
    `Component.libraries`.
    """
    digests: dict[str, str] = {}
    if cls.__module__ == "__main__":
        try:
            digests["__main__"] = value_sha256(inspect.getsource(cls))
        except (OSError, TypeError) as error:
            raise _no_source(cls) from error
    modules = find_modules(cls)
    if cls.__module__ not in modules and cls.__module__ != "__main__":
        raise _no_source(cls)
    for module, path in modules.items():
        files = [path]
        if path.name == "__init__.py":
            files += (file for file in path.parent.iterdir() if file.suffix in DATA_SUFFIXES)
        digests |= {f"{module}/{file.name}": file_sha256(file) for file in files}
    return value_sha256(digests)


def _no_source(cls: type) -> ConfigError:
    return ConfigError(
        f"the source code of {import_string(cls)} cannot be found",
        expected="a class in a file, because its code decides whether results can be reused",
        remedy="move the class into a file",
    )


def find_modules(cls: type) -> dict[str, Path]:
    """Return the modules that `source_digest` covers, with their files."""
    packages = {"components", cls.__module__.partition(".")[0]} - {"__main__"}
    found: dict[str, Path] = {}
    seen: set[str] = set()
    waiting = [base.__module__ for base in cls.__mro__]
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
