"""Source code of `__main__`, a script or the cells of a notebook: a class or function, and all that it uses."""

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from components.base.errors import ConfigError
from components.base.hashing import value_sha256
from components.base.importing import import_string

MAIN = "__main__"
CELLS = "In"
"""IPython's list of the text of all cells that were run, the newest last."""

ANNOTATIONS = ("types", "typing")
"""Modules of types such as `Literal["a", "b"]`, whose text is the same in every process."""


@dataclass
class MainSource:
    """Source that decides the result of classes and functions of `__main__`."""

    digests: dict[str, str] = field(default_factory=dict)
    """Of the text of each class and function, and of the value of each variable."""
    modules: set[str] = field(default_factory=set)
    """Modules that they use by a name of `__main__`."""
    texts: list[str] = field(default_factory=list)
    """Of the classes and functions, which may contain imports."""
    _added: list[Any] = field(default_factory=list)

    def add(self, used: Any) -> None:
        """Add a class or function, and what it uses."""
        if any(used is added for added in self._added):
            return
        self._added.append(used)
        name, text = used.__qualname__, _definition(used)
        self._add_digest(name, value_sha256(text))
        self.texts.append(text)
        values = {key: vars(sys.modules[MAIN])[key] for key in _global_names(text) if key in vars(sys.modules[MAIN])}
        for key, value in values.items():
            self._add_value(name, key, value)
        if inspect.isfunction(used):
            for key, value in inspect.getclosurevars(used).nonlocals.items():
                self._add_value(name, f"{name}.{key}", value)

    def _add_digest(self, name: str, digest: str) -> None:
        # Two functions may have one name, if the notebook keeps an old one.
        self.digests[f"{MAIN}:{name} {digest}"] = digest

    def _add_value(self, user: str, variable: str, value: Any) -> None:
        if isinstance(value, ModuleType):
            self.modules.add(value.__name__)
        elif type(value).__module__ in ANNOTATIONS:
            self._add_digest(variable, value_sha256(repr(value)))
        elif isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
            if value.__module__ == MAIN:
                self.add(value)
            else:
                self.modules.add(value.__module__ or "")
        else:
            try:
                self._add_digest(variable, _value_digest(value))
            except (TypeError, ValueError) as error:
                raise ConfigError(
                    f"{user} uses the variable {variable}, of the type {type(value).__qualname__}",
                    expected="numbers, text, lists, dictionaries or arrays: they decide whether a result is reused",
                    remedy=f"create it inside {user}, or pass what it depends on as an option",
                ) from error


def _definition(used: Any) -> str:
    """Return the text of a class or function; of a class within a class, the text of the outer one."""
    notebook = vars(sys.modules[MAIN])
    try:
        if CELLS not in notebook or not isinstance(used, type):
            return textwrap.dedent(inspect.getsource(used))
        # Python finds the text of a class by its file, which a cell does not have.
        if any(_named(cls.__qualname__) is not cls for cls in used.__mro__ if cls.__module__ == MAIN):
            raise ConfigError(
                f"the class {used.__name__} was defined again after it was used",
                expected="the class of the cell that was run last",
                remedy="run the cell that uses it again",
            )
        return next(_class_texts(notebook[CELLS], used.__qualname__.partition(".")[0]))
    except (OSError, TypeError, StopIteration) as error:
        raise no_source(used) from error


def _named(name: str) -> Any:
    """Return what a qualified name refers to in `__main__`; OSError, as of `inspect`, within a function."""
    found: Any = sys.modules[MAIN]
    for part in name.split("."):
        if part == "<locals>":
            raise OSError
        found = getattr(found, part, None)
    return found


def _class_texts(cells: list[str], name: str) -> Iterator[str]:
    """Yield the text of each definition of a class in the cells, the newest first."""
    for cell in reversed(cells):
        try:
            statements = ast.parse(cell).body
        except SyntaxError:
            continue
        for node in reversed(statements):
            if isinstance(node, ast.ClassDef) and node.name == name:
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                yield "\n".join(cell.splitlines()[first - 1 : node.end_lineno])


def _global_names(text: str) -> set[str]:
    """Return the global names that the text of a class or function uses."""
    import symtable

    tables = [symtable.symtable(text, MAIN, "exec")]
    names: set[str] = set()
    while tables:
        table = tables.pop()
        is_top = table.get_type() == "module"
        used = (symbol for symbol in table.get_symbols() if symbol.is_referenced() and (is_top or symbol.is_global()))
        names |= {symbol.get_name() for symbol in used}
        tables += table.get_children()
    return names


def _value_digest(value: Any) -> str:
    """Return the digest of a value; raise TypeError or ValueError if it has none."""
    if type(value).__module__ == "numpy" and value.dtype != object:
        return value_sha256([str(value.dtype), value.shape, sha256(value.tobytes()).hexdigest()])
    if isinstance(value, BaseModel):
        value = [import_string(type(value)), value.model_dump(mode="json")]
    return value_sha256(value)


def no_source(used: Any) -> ConfigError:
    """Return the error for a class or function whose text cannot be found."""
    return ConfigError(
        f"the source code of {import_string(used)} cannot be found",
        expected="a class or function in a file or a cell, because its code decides whether results can be reused",
        remedy="define it with `class` or `def` at the top level of a file or a cell",
    )
