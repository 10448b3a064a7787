"""Source of the cells of a notebook, run in a module in place of `__main__`."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from components.base.errors import ConfigError
from components.base.hashing import value_sha256
from job.store.source_code import source_files

SETUP = """
import math
from typing import Literal
import numpy as np
from components.inference.split_images import read_scaled
WIDTH, NAMES, ARRAY = 3, {"a": [1]}, np.arange(3)
Mode = Literal["a", "b"]
def helper(x): return x * WIDTH
def unused(): return 1
"""
CLASS = """
class Sizes:
    width: int = 3

class Mine:
    sizes = Sizes()
    def run(self, mode: Mode = "a"):
        local = unknown = 1
        return [helper(each) + math.pi + len(NAMES) + ARRAY.sum() for each in range(local)]
"""


class Notebook:
    """Runs cells as IPython does: the text of each is in `In`, and in `linecache` under a name of its own."""

    def __init__(self, module: ModuleType) -> None:
        self.names = vars(module)
        self.names["In"] = []

    def run(self, cell: str) -> Notebook:
        file = f"cell-{len(self.names['In'])}"
        self.names["In"].append(cell)
        linecache.cache[file] = len(cell), None, cell.splitlines(keepends=True), file
        exec(compile(cell, file, "exec"), self.names)  # noqa: S102
        return self

    def digest(self, name: str = "Mine") -> str:
        return value_sha256(source_files(self.names[name]))


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    yield Notebook(module).run(SETUP).run(CLASS)
    for file in [file for file in linecache.cache if file.startswith("cell-")]:
        del linecache.cache[file]


@pytest.mark.parametrize("cell", [CLASS, "other = 1", "def unused(): return 2", "# edited\n\n" + CLASS, SETUP])
def test_digest_stays_if_nothing_that_is_used_changes(notebook: Notebook, cell: str) -> None:
    before = notebook.digest()
    assert notebook.run(cell).digest() == before


@pytest.mark.parametrize(
    "cell",
    [
        CLASS.replace("math.pi", "math.e"),
        CLASS.replace("width: int = 3", "width: int = 4"),
        "def helper(x): return x + WIDTH",
        "WIDTH = 4",
        "NAMES = {'a': [2]}",
        "ARRAY = ARRAY + 1",
        "Mode = Literal['a']",
    ],
)
def test_digest_changes_with_what_is_used(notebook: Notebook, cell: str) -> None:
    before = notebook.digest()
    assert notebook.run(cell).digest() != before


def test_rest_of_a_script_does_not_count(notebook: Notebook, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("other = 1\n")
    notebook.names["__file__"] = str(script)
    before = notebook.digest()
    script.write_text("import pandas\n\nother = 2\n")
    assert notebook.digest() == before


def test_function_of_an_earlier_cell_keeps_its_own_text(notebook: Notebook) -> None:
    notebook.run("def build(image_shape): return 1")
    first, before = notebook.names["build"], notebook.digest("build")
    notebook.run("def build(image_shape): return 2")
    assert value_sha256(source_files(first)) == before != notebook.digest("build")


def test_old_function_under_another_name_counts(notebook: Notebook) -> None:
    notebook.run("def build(): return 1").run("old = build")
    notebook.run("def build(): return 2").run("def both(): return old() + build()")
    before = notebook.digest("both")
    notebook.run("def build(): return 3").run("old = build").run("def build(): return 2")
    assert notebook.digest("both") != before


def test_values_of_enclosing_functions_count(notebook: Notebook) -> None:
    notebook.run("def make(first, second):\n    def build(): return first, second\n    return build")
    digests = {notebook.run(f"build = make({values})").digest("build") for values in ("1, 2", "3, 2", "1, 3", "1, 2")}
    assert len(digests) == 3


def test_class_within_a_class_counts_as_the_outer_one(notebook: Notebook) -> None:
    notebook.run("class Outer:\n    class Config: size = 1")
    before = source_files(notebook.names["Outer"].Config)
    notebook.run("class Outer:\n    class Config: size = 2")
    assert source_files(notebook.names["Outer"].Config) != before


def test_module_that_a_cell_uses_counts(notebook: Notebook, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_layers.py").write_text("import my_sizes.all\ndef block(x): return x\n")
    (tmp_path / "my_sizes").mkdir()  # without __init__.py
    (tmp_path / "my_sizes" / "all.py").write_text("SIZE = 1\n")
    digests = set()
    for cell in ("from my_layers import block\ndef build(): return block(1)", "def build():\n    import my_layers"):
        notebook.run(cell)
        for text in ("SIZE = 2\n", "SIZE = 3\n"):
            (tmp_path / "my_sizes" / "all.py").write_text(text)
            sys.modules.pop("my_sizes.all", None)
            digests.add(notebook.digest("build"))
    assert len(digests) == 4
    for name in ("my_layers", "my_sizes"):
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("WIDTH = object()", "helper uses the variable WIDTH, of the type object"),
        ("ARRAY = np.array([object()])", "Mine uses the variable ARRAY, of the type ndarray"),
        ("first = Mine\n" + CLASS, "the class Mine was defined again"),
        ("first = Odd = type('Odd', (), {'__module__': '__main__'})", "source code of __main__:Odd cannot be"),
        (
            "def make():\n    class Odd: pass\n    return Odd\nfirst = make()",
            "source code of __main__:make.<locals>.Odd",
        ),
        ("first = eval('lambda x: x')", "the source code of __main__:<lambda> cannot be found"),
    ],
)
def test_source_that_cannot_be_covered_is_an_error(notebook: Notebook, cell: str, message: str) -> None:
    notebook.run(cell)
    if message.startswith("the source code of __main__:<lambda>"):
        del linecache.cache["cell-2"]
    with pytest.raises(ConfigError, match=message):
        notebook.digest("first" if "first" in notebook.names else "Mine")
