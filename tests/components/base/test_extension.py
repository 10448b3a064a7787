"""Extensions: custom functions and classes that a configuration names by `use`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import ValidationError

from components.base.component import ComponentConfig
from components.base.errors import ConfigError
from components.base.extension import BuiltInOrUse, Extension, find_targets
from components.base.importing import load_object
from components.trainer.network import NetworkConfig

MODULE = """
import pathlib
import typing
from components.base.component import ComponentConfig
if typing.TYPE_CHECKING:
    import keras

def build(image_shape: tuple, classes: int, *, depth: int = 3, wide: "bool" = False, body: "keras.Model" = None):
    return image_shape, classes, depth, wide

class Options(ComponentConfig):
    depth: int = 4

def build_from_model(image_shape, classes, config: Options):
    return config.depth

def build_anything(**options):
    return options

def limited(image_shape, classes, limit: float | None = 1.0): ...

def read(image_shape, classes, file: pathlib.Path):
    return file.read_text()

def required(image_shape, classes, depth): ...
def positional(image_shape, classes, /): ...
def other(shape, classes): ...
number = 5
"""


class Network(Extension):
    arguments, returns = ("image_shape", "classes"), "keras.Model"


class Config(ComponentConfig):
    network: Annotated[NetworkConfig | Network, BuiltInOrUse()] = NetworkConfig()
    others: tuple[Network, ...] = ()


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "my_net.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("my_net", None)


def config(**network: Any) -> Config:
    return Config.model_validate({"network": network})


def test_function_is_called_with_arguments_and_options() -> None:
    network = config(use="my_net:build", depth=5).network
    assert isinstance(network, Network)
    assert network(image_shape=(28, 28, 1), classes=10) == ((28, 28, 1), 10, 5, False, None)[:4]
    assert network.model_dump(mode="json") == {"use": "my_net:build", "depth": 5, "wide": False, "body": None}


def test_dumped_configuration_loads_to_an_equal_one() -> None:
    for network in ({"use": "my_net:build", "depth": 5}, {"use": "my_net:build_from_model"}, {"filters": [1, 2, 3]}):
        loaded = Config.model_validate({"network": network, "others": [{"use": "my_net:build_anything", "a": [1]}]})
        assert Config.model_validate(loaded.model_dump(mode="json")) == loaded


def test_an_option_without_a_value_is_dumped() -> None:
    loaded = config(use="my_net:limited", limit=None)
    assert Config.model_validate(loaded.model_dump(mode="json", exclude_none=True)) == loaded


def test_function_itself_is_accepted() -> None:
    build = load_object("my_net:build")
    assert Config.model_validate({"network": build}) == config(use="my_net:build")
    assert Config.model_validate({"network": {"use": build, "depth": 2}}) == config(use="my_net:build", depth=2)


def test_options_may_be_a_pydantic_model() -> None:
    network = config(use="my_net:build_from_model", depth=7).network
    assert isinstance(network, Network)
    assert network(image_shape=(), classes=2) == 7
    assert network.model_dump(mode="json") == {"use": "my_net:build_from_model", "depth": 7}


def test_a_file_option_counts_by_its_content(tmp_path: Path) -> None:
    def content(name: str, text: str) -> Any:
        (tmp_path / name).write_text(text)
        return config(use="my_net:read", file=name).content()

    first = content("a.txt", "a")
    assert content("moved.txt", "a") == first != content("a.txt", "b")
    assert config(use="my_net:read", file="a.txt").model_dump(mode="json")["network"]["file"] == "a.txt"


def test_targets_are_found_at_any_depth() -> None:
    loaded = Config.model_validate({"network": {"use": "my_net:build"}, "others": [{"use": "my_net:build_anything"}]})
    build, build_anything = load_object("my_net:build"), load_object("my_net:build_anything")
    assert list(find_targets({"a": [loaded]})) == [Config, build, build_anything]


@pytest.mark.parametrize(
    ("network", "message", "expected"),
    [
        (
            {"use": "my_net:other"},
            "has the parameters (shape, classes)",
            "(image_shape, classes, **options) -> keras.Model",
        ),
        (
            {"use": "my_net:positional"},
            "has the parameters (image_shape, classes)",
            "(image_shape, classes, **options)",
        ),
        ({"use": "my_net:number"}, "my_net:number is not a function", "(image_shape, classes, **options)"),
        ({"use": "my_net:absent"}, "the module my_net has no `absent`", "an import string"),
        ({"use": "absent:build"}, "absent cannot be imported: ModuleNotFoundError", "an import string"),
        ({"use": "my_net"}, "`my_net` is not an import string", "an import string"),
        ({"use": "my_net:build", "dept": 3}, "my_net:build has no option `dept`", "depth, wide, body"),
        ({"use": "my_net:build_from_model", "dept": 3}, "my_net:build_from_model has no option `dept`", "depth"),
        ({"use": "my_net:required"}, "my_net:required requires the option `depth`", "depth"),
    ],
)
def test_target_that_does_not_fit_is_rejected(network: dict[str, Any], message: str, expected: str) -> None:
    with pytest.raises(ValidationError) as caught:
        config(**network)
    (error,) = caught.value.errors()
    assert message in error["ctx"]["headline"]
    assert expected in error["ctx"]["expected"]
    assert error["ctx"]["remedy"]


@pytest.mark.parametrize("network", [{"depth": "3"}, {"depth": True}, {"wide": "yes"}, {"depth": None}])
def test_options_are_validated_by_annotations(network: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        config(use="my_net:build", **network)
    assert caught.value.errors()[0]["loc"] == ("network", "function", *network)


def test_object_without_a_name_is_rejected() -> None:
    import functools

    with pytest.raises(ValidationError, match="is not a function"):
        Config.model_validate({"network": functools.partial(print)})


@pytest.mark.parametrize(("imported", "shown"), [("tensorflow", ""), ("other", "custom operations are on")])
def test_import_of_tensorflow_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], imported: str, shown: str
) -> None:
    monkeypatch.setitem(sys.modules, imported, sys)
    monkeypatch.delitem(sys.modules, imported)
    lines = ("import os, sys", f"sys.modules['{imported}'] = os", "os.write(2, b'custom operations are on')")
    (tmp_path / f"noisy_{imported}.py").write_text("\n".join([*lines, "def build(): ..."]))
    load_object(f"noisy_{imported}:build")
    assert capfd.readouterr().err == shown


def test_module_of_a_package_like_the_job_s_is_explained() -> None:
    with pytest.raises(ConfigError) as caught:
        load_object("components.my_net:build")
    assert caught.value.remedy.startswith("correct the name, or rename")


def test_failing_module_is_reported(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit(3)")
    with pytest.raises(ConfigError, match=r"broken cannot be imported: SystemExit: 3 \(broken.py, line "):
        load_object("broken:build")
