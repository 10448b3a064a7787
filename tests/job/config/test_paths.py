"""Paths and secrets in every key of a configuration, and in the environment: refused before any work."""

import os
from pathlib import Path
from typing import Any

import pytest

from components.base.errors import ConfigError
from components.example_gen.sources import TfdsSource
from job.config.config import JobConfig, build_config
from job.config.yaml_config import YamlConfig
from tests.components.base.test_paths import BAD_PATHS

PATH = "<path>"
SOURCES: list[dict[str, Any]] = [
    {"kind": "idx", "path": PATH},
    {"kind": "csv", "path": PATH},
    {"kind": "image_folder", "path": "data", "test_path": PATH},
    {"kind": "tfds", "data_dir": PATH},
]
CONFIGS: dict[str, dict[str, Any]] = {
    "root": {"root": PATH},
    "baseline of the data": {"example_gen": {"baseline": PATH}},
    "baseline of the model": {"evaluator": {"baseline": PATH}},
    "destination": {"pusher": {"destination": PATH}},
    "tracking": {"tracking": {"tensorboard": {"directory": PATH}}},
    **{source["kind"]: {"example_gen": {"source": source}} for source in SOURCES},
}


def build_with_path(key: str, path: str) -> JobConfig:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(below) for name, below in value.items()}
        return path if value == PATH else value

    return build(filled(CONFIGS[key]))


def build(values: dict[str, Any]) -> JobConfig:
    return build_config(YamlConfig(values, {(): "config.yaml"}))


@pytest.mark.parametrize("path", [path for path in BAD_PATHS if path], ids=range(len(BAD_PATHS) - 1))
@pytest.mark.parametrize("key", CONFIGS)
def test_every_path_key_refuses_what_is_no_path(key: str, path: str) -> None:
    with pytest.raises(ConfigError, match=BAD_PATHS[path]) as caught:
        build_with_path(key, path)
    assert caught.value.headline.startswith("config.yaml: ")


@pytest.mark.parametrize("uri", ["https://me:a5ecret@host/x", "https://host/x?apikey=a5ecret"])
@pytest.mark.parametrize("key", CONFIGS)
def test_every_path_key_refuses_a_url(key: str, uri: str) -> None:
    with pytest.raises(ConfigError, match="is a URL; expected a path") as caught:
        build_with_path(key, uri)
    assert "a5ecret" not in caught.value.headline


@pytest.mark.parametrize("key", [key for key in CONFIGS if "baseline" not in key])
def test_every_path_key_expands_the_home_folder(key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert str(tmp_path / "below") in str(build_with_path(key, "~/below").resolved())


@pytest.mark.parametrize("path", [b"caf\xe9", b"~no-such-user/x", b"a/" * 2500])
def test_environment_variable_of_data_sets_is_checked(path: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", os.fsdecode(path))
    with pytest.raises(ConfigError, match="^TFDS_DATA_DIR: "):
        TfdsSource(kind="tfds").identity()


def test_secret_in_any_text_of_a_configuration_is_refused() -> None:
    uri = "https://host/x?token=a5ecret"
    values = {"tracking": {"mlflow": {"experiment": uri}}}
    with pytest.raises(ConfigError, match="tracking.mlflow.experiment contains a password or token") as caught:
        build(values)
    assert "a5ecret" not in caught.value.headline
    with pytest.raises(ValueError, match="contains a secret"):
        JobConfig.model_validate(values)


@pytest.mark.parametrize("experiment", ["a\x1b[31mb", "a\u202eb", " "])
def test_name_of_an_experiment_is_printable(experiment: str) -> None:
    with pytest.raises(ConfigError, match="tracking.mlflow.experiment: the name"):
        build({"tracking": {"mlflow": {"experiment": experiment}}})
