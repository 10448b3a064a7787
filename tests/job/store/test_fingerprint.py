"""The source digest of a component: the modules that it covers, found without importing them."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components import Evaluator, ExampleGen, Trainer, Transform, Visualizer
from components.base.errors import ConfigError
from job.pipeline.slots import load_component_class
from job.store.fingerprint import fingerprint_inputs
from job.store.source_code import find_modules, source_files

COMPONENT = '''
from components import Component, ComponentConfig, Context, Examples
from my_package.helper import help_out

class MyConfig(ComponentConfig):
    """An empty config."""

class MyGen(Component[MyConfig]):
    Config = MyConfig
    def run(self, context: Context, /) -> Examples:
        from . import late
        raise NotImplementedError
'''


@pytest.fixture
def my_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    package = tmp_path / "my_package"
    package.mkdir()
    for name, text in {
        "__init__": "",
        "gen": COMPONENT,
        "helper": "def help_out(): ...\n",
        "late": "import my_package.later\n",
        "later": "",
        "unrelated": "",
    }.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield package
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
        del sys.modules[name]


def edit(path: Path, module: str) -> None:
    """Add a comment to a file, and import it again if it was imported."""
    path.write_text(path.read_text() + "# edited\n")
    if module in sys.modules:
        importlib.reload(sys.modules[module])


def test_libraries_that_a_function_of_a_user_imports_count(my_package: Path) -> None:
    (my_package / "later.py").write_text("import json\nfrom sklearn import metrics\n")
    (my_package / "plot.py").write_text("from . import late\n\ndef draw(data):\n    import scipy.stats, missing\n")
    figures = Visualizer.Config.model_validate({"figures": [{"use": "my_package.plot:draw"}]})
    built_in = fingerprint_inputs(Visualizer(), {}).libraries
    assert tuple(built_in) == Visualizer.libraries
    assert {*fingerprint_inputs(Visualizer(figures), {}).libraries} - {*built_in} == {"scikit-learn", "scipy"}


def test_only_imported_modules_of_the_package_count(my_package: Path) -> None:
    cls = load_component_class("example_gen", "my_package.gen:MyGen")
    before = source_files(cls)
    (my_package / "unrelated.py").write_text("# edited\n")
    assert source_files(cls) == before
    for name in ("helper", "late", "later", "gen"):
        edit(my_package / f"{name}.py", f"my_package.{name}")
        assert source_files(cls) != before, name
        before = source_files(cls)


@pytest.mark.parametrize(
    "statement",
    [
        "from my_package import late",
        "if True: import my_package.late",
        "def late():\n\tfrom . import late",
        "from .import late",
        "from my_package import (  # not (this)\n    gen,\n    late,\n)",
        "from my_package import \\\n    late",
        "x = 1; from my_package.late import *",
        "import sys, my_package.late as other  # and a comment",
        'text = """\nimport this sentence is not valid\n"""\nfrom my_package import late',
    ],
)
def test_every_form_of_import_is_found(my_package: Path, statement: str) -> None:
    (my_package / "helper.py").write_text(f"def help_out(): ...\n{statement}\n")
    (my_package / "gen.py").write_text(COMPONENT.replace("from . import late", "pass"))
    assert "my_package.late" in find_modules(load_component_class("example_gen", "my_package.gen:MyGen"))


def test_editing_a_plot_does_not_retrain() -> None:
    drawing = {name for name in find_modules(Visualizer) if name.startswith("components.visualizer.plots")}
    assert {"components.visualizer.plots.figures", "components.visualizer.plots.style"} <= drawing
    for cls in (ExampleGen, Transform, Trainer, Evaluator):
        assert not drawing & set(find_modules(cls))
    assert "components.trainer.train_step" in find_modules(Trainer), "imported inside a function"


def test_class_in_a_single_module_has_a_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "alone.py").write_text(COMPONENT.replace("from my_package.helper import help_out", ""))
    cls = load_component_class("example_gen", "alone:MyGen")
    before = source_files(cls)
    edit(tmp_path / "alone.py", "alone")
    assert source_files(cls) != before
    del sys.modules["alone"]


def test_package_without_init_is_followed(my_package: Path) -> None:
    (my_package / "__init__.py").unlink()
    cls = load_component_class("example_gen", "my_package.gen:MyGen")
    before = source_files(cls)
    (my_package / "later.py").write_text("# edited\n")
    assert source_files(cls) != before


def test_modules_of_base_classes_count() -> None:
    class Mine(Trainer):
        """Defined in the package of the tests, not in `components`."""

    assert {"components.trainer.component", "components.trainer.training_loop", __name__} <= set(find_modules(Mine))


def test_class_without_source_is_reported() -> None:
    namespace: dict[str, type] = {}
    exec("class Made: __module__ = 'nowhere'", namespace)  # noqa: S102  (there is no other way to have no source)
    with pytest.raises(ConfigError, match="source code of nowhere:Made cannot be found"):
        source_files(namespace["Made"])


def test_modules_beside_a_module_count_but_not_the_job(my_package: Path) -> None:
    (my_package.parent / "alone.py").write_text(f"import my_package.later, job\n{COMPONENT}")
    assert set(find_modules(load_component_class("example_gen", "alone:MyGen"))) > {"alone", "my_package.later"}
    (my_package.parent / "job.py").touch()
    assert "job" not in find_modules(load_component_class("example_gen", "alone:MyGen"))
    del sys.modules["alone"]


def test_template_in_a_package_counts_as_source(my_package: Path) -> None:
    cls = load_component_class("example_gen", "my_package.gen:MyGen")
    before = source_files(cls)
    (my_package / "page.html").write_text("<p>")
    with_it = source_files(cls)
    assert with_it != before
    (my_package / "page.html").write_text("<b>")
    assert source_files(cls) not in (before, with_it)


def test_code_that_moves_to_another_module_counts(my_package: Path) -> None:
    """The digest covers modules, not their text in a row."""
    cls = load_component_class("example_gen", "my_package.gen:MyGen")
    (my_package / "late.py").write_text("import my_package.later\n")
    (my_package / "later.py").write_text("1\nmy_package.later\n2\n")
    before = source_files(cls)
    (my_package / "late.py").write_text("import my_package.later\nmy_package.later\n1\n")
    (my_package / "later.py").write_text("2\n")
    assert source_files(cls) != before


def test_an_import_that_is_added_to_a_loaded_module_counts(my_package: Path) -> None:
    cls = load_component_class("example_gen", "my_package.gen:MyGen")
    assert "my_package.unrelated" not in find_modules(cls)
    (my_package / "helper.py").write_text("from my_package import unrelated\n\ndef help_out(): ...\n")
    assert "my_package.unrelated" in find_modules(cls)


def test_code_that_changed_after_its_import_is_an_error(my_package: Path) -> None:
    """A notebook would seal the result of the old code under the fingerprint of the new code."""
    cls = load_component_class("example_gen", "my_package.gen:MyGen")
    before = source_files(cls)
    text = (my_package / "helper.py").read_text()
    (my_package / "helper.py").write_text(text + "# edited\n")
    with pytest.raises(ConfigError, match="(?s)helper.py changed after Python imported it.*restart the kernel"):
        source_files(cls)
    (my_package / "helper.py").write_text(text)
    assert source_files(cls) == before
