"""The source files of classes and functions: SHA-256 of the code that they use, found without importing that code."""

import ast
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from components.base.errors import ConfigError
from components.base.hashing import file_sha256
from job.store.main_source import MAIN, MainSource, no_source

COMPONENTS = "components"
JOB = "job"
"""A script may import it to run its component, which does not depend on it."""
DATA_SUFFIXES = {".css", ".html", ".j2", ".js"}
"""Files beside a package's `__init__.py` that decide a result as code does; other files do not count."""
SHORT_DIGEST = 16
"""Characters of a digest in `run.json`."""
IMPORT = re.compile(rb"^[ \t]*((?:from[ \t.][^\n]*?\bimport\b|import\b)(?:[ \t]*\([^)]*\)|[^\n]*))", re.MULTILINE)
IMPORT_WITHIN_LINE = re.compile(rb"[;:][ \t]*(?:import|from)\b|\\\r?\n")

_imported_digests: dict[str, tuple[Any, str]] = {}
"""By module: its specification, which is another one after each import, and the digest of its file."""


def source_files(*objects: Any) -> dict[str, str]:
    """Return the SHA-256 of each file that classes and functions use, such as `components/trainer/component.py`.

    These are the files of their modules, of the modules of base classes, of everything that these import from
    `components`, from the top-level package of the class or function and from modules beside it, and the templates,
    scripts and style sheets of such packages. Imports are found in the source text, also inside functions. Of
    `__main__`, the result has an entry for each class, function and variable that is used. Other packages count by
    their versions (`imported_packages`, `Component.libraries`).
    """
    digests: dict[str, str] = {}
    for used in objects:
        main = _main_source(used)
        digests |= main.digests
        modules = find_modules(used, main)
        if used.__module__ not in (MAIN, *modules):
            raise no_source(used)
        for module, path in modules.items():
            name = module.replace(".", "/")
            source = f"{name}/{path.name}" if path.name == "__init__.py" else f"{name}.py"
            digests[source] = file_sha256(path)
            if path.name == "__init__.py":
                data = (file for file in path.parent.iterdir() if file.suffix in DATA_SUFFIXES)
                digests |= {f"{name}/{file.name}": file_sha256(file) for file in data}
            if module.partition(".")[0] != COMPONENTS:
                _check_imported(module, path, digests[source])
    return digests


def short_source_files(files: Mapping[str, str]) -> dict[str, str]:
    """Return source files as `run.json` has them, with the beginning of their SHA-256, sorted."""
    return {name.partition(" ")[0]: files[name][:SHORT_DIGEST] for name in sorted(files)}


def _check_imported(module: str, path: Path, digest: str) -> None:
    """Raise ConfigError if a file changed after its module was imported: a notebook would run the old code."""
    spec = getattr(sys.modules.get(module), "__spec__", None)
    if spec is None:
        return
    first_spec, first_digest = _imported_digests.setdefault(module, (spec, digest))
    if spec is not first_spec:  # imported again
        _imported_digests[module] = spec, digest
    elif digest != first_digest:
        raise ConfigError(
            f"{path} changed after Python imported it",
            expected="the code that runs in the file",
            remedy="restart Python; in a notebook, restart the kernel",
        )


def imported_packages(*objects: Any) -> set[str]:
    """Return the top-level names of the packages that the code of custom functions and classes imports."""
    packages: set[str] = set()
    for used in objects:
        main = _main_source(used)
        modules = find_modules(used, main)
        own = {name for name in modules if name.partition(".")[0] != COMPONENTS}
        names = [*_main_imports(main), *chain.from_iterable(_imported(modules[name], name) for name in own)]
        packages |= {name.partition(".")[0] for name in names} - {name.partition(".")[0] for name in modules}
    return packages - sys.stdlib_module_names - {COMPONENTS, JOB, MAIN, ""}


def _main_source(used: Any) -> MainSource:
    main = MainSource()
    if used.__module__ == MAIN:
        main.add(used)
    return main


def _main_imports(main: MainSource) -> Iterator[str]:
    yield from main.modules
    for text in main.texts:
        yield from _imported_names(ast.parse(text), [], is_package=False)


def find_modules(used: Any, main: MainSource | None = None) -> dict[str, Path]:
    """Return the modules that `source_files` covers for a class or function, with their files."""
    package = used.__module__.partition(".")[0]
    folder = None if package == COMPONENTS else _folder(package)
    found: dict[str, Path] = {}
    seen: set[str] = set()
    waiting = [each.__module__ for each in getattr(used, "__mro__", (used,))]
    waiting += _main_imports(main or MainSource())
    while waiting:
        name = waiting.pop()
        if name in seen or name == MAIN:  # of a script, only what is used counts
            continue
        seen.add(name)
        top = name.partition(".")[0]
        is_own = top in (COMPONENTS, package) or (top != JOB and folder is not None and _is_in(folder, top))
        find = _own_module_file if top == COMPONENTS else _module_file
        if is_own and (path := find(name, folder)):
            found[name] = path
            waiting += _imported(path, name)
    return found


def _folder(package: str) -> Path | None:
    """Return the folder of a user's modules: that of a script, a notebook or a package; None if it is installed."""
    module = sys.modules.get(package)
    if (file := getattr(module, "__file__", None)) is not None:
        folder = Path(file).parent
        folder = folder.parent if hasattr(module, "__path__") else folder
    elif package == MAIN:
        folder = Path.cwd()
    else:
        folder = Path(next(iter(getattr(module, "__path__", ["."])))).parent
    return None if {"site-packages", "dist-packages"} & set(folder.parts) else folder


def _is_in(folder: Path, package: str) -> bool:
    """Return whether a folder contains a module or package, and Python has not imported another one of its name."""
    origin = getattr(sys.modules.get(package), "__file__", None)
    files = (folder / f"{package}.py", folder / package / "__init__.py")
    if origin is not None:
        return origin in map(str, files)
    return files[0].is_file() or files[1].parent.is_dir()  # a package may have no __init__.py


def _module_file(name: str, folder: Path | None) -> Path | None:
    """Return the file of a module without importing it; None if it is not a module."""
    package, *submodules = name.split(".")
    top = sys.modules.get(package)
    folders = getattr(top, "__path__", ())
    if top is None and folder is not None:
        folders, submodules = (folder,), [package, *submodules]
    if not submodules:
        origin = getattr(top, "__file__", None)
        return Path(origin) if origin else None
    for place in folders:
        base = os.path.join(place, *submodules)  # noqa: PTH118  (pathlib takes four times as long, for a thousand names)
        for path in (f"{base}/__init__.py", f"{base}.py"):
            if os.path.isfile(path):  # noqa: PTH113
                return Path(path)
    return None


_own_module_file = cache(_module_file)
"""Cached for modules of `components`, which do not change while the process runs: steps share most of them."""


def _imported(path: Path, module: str) -> tuple[str, ...]:
    """Return every name in the imports of a source file that could be a module."""
    is_own = module.partition(".")[0] == COMPONENTS
    return _imported_at(path, module, 0 if is_own else path.stat().st_mtime_ns)  # a notebook may edit others


@cache  # the components of a run share most modules
def _imported_at(path: Path, module: str, modified: int) -> tuple[str, ...]:  # noqa: ARG001  (of the cache)
    tree = _parse_imports(path.read_bytes())
    return tuple(_imported_names(tree, module.split("."), is_package=path.name == "__init__.py"))


def _parse_imports(source: bytes) -> ast.AST:
    """Return the import statements of a source file: finding them takes an eighth of the time of parsing the file.

    Lines of a text that are import statements count too. A file in which an import may be within a line is parsed.
    """
    if not IMPORT_WITHIN_LINE.search(source):
        with suppress(SyntaxError):  # such as a sentence that begins with `import`
            return ast.parse(b"\n".join(IMPORT.findall(source)))
    return ast.parse(source)


def _imported_names(tree: ast.AST, parts: list[str], *, is_package: bool) -> Iterator[str]:
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = parts[: len(parts) - node.level + is_package]
                base = ".".join((*parents, base)).rstrip(".")
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every statement, also inside functions, but not their expressions, in which nothing can be imported."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, name, ())
