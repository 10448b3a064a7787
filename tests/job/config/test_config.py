"""Configurations: extending, overriding, and mistakes reported with file and line."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from components.base.errors import ConfigError
from job.config.config import JobConfig, load_config
from job.config.schema import config_schema
from job.config.yaml_config import YamlConfig
from tests.conftest import FAKES, WriteConfig
from tests.support.processes import REPOSITORY
from tests.support.schema import validator

SHIPPED = sorted((REPOSITORY / "configs").glob("*.yaml"))


def trainer_of(config: JobConfig) -> Any:
    return config.pipeline.trainer.config


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_configuration_loads_and_matches_the_schema(path: Path) -> None:
    load_config(path)
    text = path.read_text()
    named = text.splitlines()[0].partition("$schema=")[2]
    assert (path.parent / named).resolve() == REPOSITORY / "configs" / "schema.json"
    validator().validate(yaml.safe_load(text))


def test_shipped_schema_is_the_output_of_the_command() -> None:
    assert json.loads((REPOSITORY / "configs" / "schema.json").read_text()) == config_schema()


@pytest.mark.parametrize(
    "values",
    [
        {"trainer": {"epoch": 3}},
        {"trainer": {"epochs": 0}},
        {"example_gen": {"source": {"kind": "tdfs"}}},
        {"example_gen": {"split": {"validation": 1.2}}},
        {"seeds": 1},
        {"example_gen": {"source": {"name": "mnist"}}},
        {"trainer": {"epochs": True}},
        {"memory_budget": "plenty"},
        {"memory_budget": 1000},
        {"example_gen": {"memory_budget": "1 G"}},
    ],
)
def test_schema_rejects_what_the_job_rejects(values: dict[str, Any], write_config: WriteConfig) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validator().validate(values)
    with pytest.raises(ConfigError):
        load_config(write_config(values))


@pytest.mark.parametrize(
    "values",
    [
        {"trainer": {"learning_rate": {"peak": 0.01}}},
        {"trainer": {"learning_rate": {"schedule": "cosine", "peak": 0.01}}},
        {"trainer": {"use": "components.testing:FakeTrainer"}},
        {"trainer": None, "seed": 3, "root": "x"},
        {"example_gen": {"source": {"kind": "csv", "path": "x.csv", "shape": [2, 3]}}},
        {"evaluator": {"thresholds": {"loss": {"maximum": 0.1}}}},
        {"memory_budget": "1.5GB", "transform": {"memory_budget": 100_000_000}},
    ],
)
def test_schema_accepts_what_the_job_accepts(values: dict[str, Any], write_config: WriteConfig) -> None:
    validator().validate(values)
    load_config(write_config(values))


def test_schema_describes_every_key() -> None:
    properties = [
        (model, name, described)
        for model, definition in validator().schema["$defs"].items()
        for name, described in definition.get("properties", {}).items()
    ]
    assert len(properties) > 30
    assert not [(model, name) for model, name, described in properties if not described.get("description")]


def test_short_configuration_has_defaults(write_config: WriteConfig) -> None:
    config = load_config(
        write_config(
            {
                "example_gen": {
                    "source": {"kind": "idx", "path": "/data/mnist"},
                    "split": {"strategy": "official", "validation": 0.1},
                },
                "trainer": {"epochs": 3},
            }
        )
    )
    assert trainer_of(config).epochs == 3
    assert trainer_of(config).batch_size == 128


def test_empty_file_is_the_default_configuration(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert load_config(tmp_path / "empty.yaml").resolved() == JobConfig().resolved()


def test_resolved_configuration_loads_as_equal(write_config: WriteConfig) -> None:
    config = load_config(REPOSITORY / "configs" / "mnist-best.yaml", ["seed=7", "trainer.learning_rate.peak=0.01"])
    assert load_config(write_config(config.resolved())).resolved() == config.resolved()


def test_extends_is_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "base.yaml").write_text("seed: 3\ntrainer: {epochs: 5, batch_size: 64}\n")
    (tmp_path / "mine.yaml").write_text("extends: base/base.yaml\ntrainer: {epochs: 6}\n")
    config = load_config(tmp_path / "mine.yaml")
    assert (config.seed, trainer_of(config).epochs, trainer_of(config).batch_size) == (3, 6, 64)


def test_another_kind_replaces_the_whole_mapping(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("example_gen: {source: {kind: tfds, name: kmnist}, seed: 9}\n")
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nexample_gen: {source: {kind: digits}}\n")
    config: Any = load_config(tmp_path / "mine.yaml").pipeline.example_gen.config
    assert (config.source.kind, config.seed) == ("digits", 9)


def test_circular_extends_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(ConfigError, match="extends itself"):
        load_config(tmp_path / "a.yaml")


def test_overrides_are_yaml_and_the_last_one_wins(write_config: WriteConfig) -> None:
    overrides = ["trainer.epochs=3", "trainer.network.filters=[8, 16, 32]", "trainer.epochs=4", "root=elsewhere"]
    config = load_config(write_config({"trainer": {"epochs": 2}}), overrides)
    assert trainer_of(config).epochs == 4
    assert trainer_of(config).network.filters == (8, 16, 32)
    assert config.root == Path("elsewhere")


def test_overrides_of_one_choice_commute() -> None:
    overrides = ["example_gen.source.path=/x", "example_gen.source.kind=idx", "example_gen.split.strategy=official"]
    for order in (overrides, overrides[::-1]):
        config: Any = load_config(REPOSITORY / "configs" / "mnist.yaml", order).pipeline.example_gen.config
        assert (config.source.kind, str(config.source.path), config.split.strategy) == ("idx", "/x", "official")


def test_override_below_a_choice_keeps_the_choice(write_config: WriteConfig) -> None:
    config = load_config(write_config({}), ["trainer.learning_rate.peak=0.01"])
    assert trainer_of(config).learning_rate.model_dump() == {"schedule": "one_cycle", "peak": 0.01, "warmup": 0.25}


def test_seed_reaches_every_component_without_one(write_config: WriteConfig) -> None:
    config: Any = load_config(write_config({"seed": 11, "trainer": {"seed": 12}}))
    assert config.pipeline.example_gen.config.seed == 11
    assert config.pipeline.trainer.config.seed == 12


def test_memory_budget_reaches_every_component_without_one(write_config: WriteConfig) -> None:
    config: Any = load_config(write_config({"memory_budget": "512MB", "transform": {"memory_budget": "1GiB"}}))
    assert config.pipeline.example_gen.config.memory_budget == 512_000_000
    assert config.pipeline.transform.config.memory_budget == 2**30
    resolved = config.resolved()
    assert resolved["memory_budget"] == resolved["example_gen"]["memory_budget"] == 512_000_000
    assert load_config(write_config(resolved)).resolved() == resolved
    by_default: Any = load_config(write_config({})).pipeline.example_gen.config
    assert by_default.memory_budget == 10**9


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("trainer:\n  epoch: 3\n", "config.yaml:2: trainer.epoch is not a key", "did you mean trainer.epochs?"),
        ("trianer: {}\n", "config.yaml:1: trianer is not a key", "did you mean trainer?"),
        (
            "trainer:\n  network:\n    dropot: 0.1\n",
            "config.yaml:3: trainer.network.dropot",
            "trainer.network.dropout?",
        ),
        (
            "trainer:\n  learning_rate:\n    schedule: cosine\n    peek: 1\n",
            "config.yaml:4: trainer.learning_rate.peek",
            "trainer.learning_rate.peak?",
        ),
        (
            "example_gen: {source: {kind: idx, pth: /x}}\n",
            "example_gen.source.pth",
            "did you mean example_gen.source.path?",
        ),
        ("trainer: {epochs: many}\n", "trainer.epochs is 'many'", ""),
        ("trainer: {epochs: 0}\n", "trainer.epochs is 0", ""),
        ("trainer: {epochs: 2.5}\n", "trainer.epochs is 2.5", ""),
        ("trainer: {epochs: true}\n", "trainer.epochs is true", ""),
        ("trainer: {epochs: '3'}\n", "trainer.epochs is '3'", ""),
        ("trainer: {network: {batch_normalization: 1}}\n", "trainer.network.batch_normalization is 1", ""),
        ("root: ~no-such-user/x\n", "root: there is no home folder for ~no-such-user", ""),
        ("trainer: {batch_size: -1}\n", "trainer.batch_size is -1", ""),
        ("trainer: {network: {dropout: 1}}\n", "trainer.network.dropout is 1", ""),
        ("trainer: {network: {filters: []}}\n", "trainer.network.filters has 0 values", ""),
        ("trainer: {network: {filters: [8, 0, 8]}}\n", "trainer.network.filters.1 is 0", ""),
        ("trainer: {device: tpu}\n", "trainer.device is 'tpu'", ""),
        ("trainer: {learning_rate: {schedule: stairs}}\n", "trainer.learning_rate.schedule is 'stairs'", ""),
        ("trainer: {learning_rate: 0.1}\n", "trainer.learning_rate is 0.1", "write `learning_rate: {schedule: ...}`"),
        ("trainer: 3\n", "config.yaml:1: trainer is 3", "indent"),
        ("example_gen: {split: {validation: 0}}\n", "example_gen.split.validation is 0", ""),
        ("example_gen: {split: {test: 1.2}}\n", "example_gen.split.test is 1.2", ""),
        ("example_gen: {split: {validation: 0.6, test: 0.6}}\n", "leave no training images", ""),
        ("example_gen: {split: {strategy: official, test: 0.2}}\n", "`test` is not valid", ""),
        ("example_gen: {source: {kind: tdfs}}\n", "example_gen.source.kind is 'tdfs'", ""),
        ("example_gen: {source: {path: /x}}\n", "example_gen.source.kind is missing", "add `kind`"),
        ("example_gen: {source: {kind: idx}}\n", "example_gen.source.path is missing", "add `path`"),
        ("evaluator: {thresholds: {acuracy: {minimum: 1}}}\n", "evaluator.thresholds.acuracy", ""),
        ("evaluator: {thresholds: {accuracy: {}}}\n", "a threshold needs a minimum or a maximum", ""),
        ("evaluator: {thresholds: {loss: {minimum: 2, maximum: 1}}}\n", "the minimum 2 is above the maximum 1", ""),
        ("seed: -1\n", "config.yaml:1: seed is -1", ""),
        ("seed: true\n", "seed is true", ""),
        ("root: 3\n", "root is 3", ""),
        ("seed: 1\nmemory_budget: lots\n", "config.yaml:2: memory_budget is 'lots'", ""),
        ("memory_budget: 1KB\n", "config.yaml:1: memory_budget is '1KB'", ""),
        ("memory_budget: true\n", "memory_budget is true", ""),
        ("memory_budget: 1.5\n", "memory_budget is 1.5", ""),
        ("memory_budget: null\n", "memory_budget is null", ""),
        ("memory_budget: -1000000000\n", "memory_budget is -1000000000", ""),
        ("transform: {memory_budget: 3 GX}\n", "transform.memory_budget is '3 GX'", "set transform.memory_budget"),
        ("memory_bugdet: 1GB\n", "memory_bugdet is not a key", "did you mean memory_budget?"),
        ("extends: [a, b]\n", "extends is ['a', 'b']", ""),
        ("extends: nowhere.yaml\n", "config.yaml:1: extends is 'nowhere.yaml', but there is no file", ""),
        ("trainer: {epochs: 3\n", "this is not YAML", ""),
        ("- a\n- b\n", "is not a mapping", ""),
        ("trainer: {use: nonsense}\n", "`nonsense` is not an import string", ""),
        ("trainer: {use: 'no_such_module:Trainer'}\n", "No module named 'no_such_module'", ""),
        ("trainer: {use: 'components.testing:NoSuchTrainer'}\n", "has no `NoSuchTrainer`", ""),
        ("trainer: {use: 'pathlib:Path'}\n", "it is not a component", ""),
        ("trainer: {use: 'components.testing:make'}\n", "has no `make`", ""),
        ("trainer: {use: 'components:Evaluator'}\n", "cannot be the trainer: its types are", ""),
        ("trainer: {use: 'components.testing:FakeTrainer', epochs: 3}\n", "trainer.epochs is not a key", ""),
    ],
)
def test_mistake_is_reported_with_file_and_line(tmp_path: Path, text: str, message: str, remedy: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert message in caught.value.headline
    assert remedy in caught.value.remedy
    assert "\n" not in caught.value.headline
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.epoch=3", "--set trainer.epoch=3: trainer.epoch is not a key"),
        ("trainer.epochs", "there is no `=`"),
        ("=3", "the key is empty"),
        ("trainer..epochs=3", "the key is empty"),
        ("trainer.epochs=none", "trainer.epochs is 'none'"),
        ("extends=other.yaml", "only a file can extend another"),
        ("trianer.epochs=3", "--set trianer.epochs=3: trianer is not a key"),
    ],
)
def test_mistake_in_an_override_is_reported(write_config: WriteConfig, override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write_config({}), [override])
    assert message in caught.value.headline


def test_section_in_place_of_a_value_is_from_the_override(write_config: WriteConfig) -> None:
    with pytest.raises(ConfigError, match="--set trainer.epochs.x=3: trainer.epochs is {x: 3}"):
        load_config(write_config({"trainer": {"epochs": 3}}), ["trainer.epochs.x=3"])


def test_unreadable_configuration_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path)


def test_resolved_configuration_names_a_replaced_component(write_config: WriteConfig) -> None:
    resolved = load_config(write_config(FAKES)).resolved()
    assert resolved["trainer"] == {"use": "components.testing.fakes:FakeTrainer", "seed": 0, "saved_model": False}


def test_merging_keeps_the_origin_of_every_value(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("trainer:\n  epochs: 0\n")
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\ntrainer:\n  batch_size: 1\n")
    document = YamlConfig.load(tmp_path / "mine.yaml")
    assert document.where(("trainer", "epochs")).endswith("base.yaml:2")
    assert document.where(("trainer", "batch_size")).endswith("mine.yaml:3")
    assert document.where(("trainer", "nothing")).endswith("mine.yaml:2")
