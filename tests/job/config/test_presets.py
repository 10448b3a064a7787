from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components import ConfigError, Trainer
from components.testing import FakeEvaluator, FakeTrainer
from job.config import load_config
from tests.support.processes import REPOSITORY


def test_preset_is_the_shipped_file() -> None:
    assert load_config("digits").resolved() == load_config(REPOSITORY / "configs" / "digits.yaml").resolved()


def test_file_can_extend_a_preset(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: digits\nseed: 5\n")
    mine = load_config(tmp_path / "mine.yaml")
    assert mine.seed == 5
    assert mine.pipeline.evaluator.config == load_config("digits").pipeline.evaluator.config


def test_file_in_the_working_folder_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert load_config("digits").seed == 0
    (tmp_path / "digits").rmdir()
    (tmp_path / "digits").write_text("seed: 7")
    assert load_config("digits").seed == 7


@pytest.mark.parametrize("name", ["digitz", "digits.yml", "configs/digits"])
def test_unknown_preset_is_reported_with_the_known(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"(?s)the configuration {name} cannot be read.*a preset: .*digits, .*mnist"):
        load_config(name)
    (tmp_path / "mine.yaml").write_text(f"extends: {name}")
    with pytest.raises(ConfigError, match=r"(?s)mine.yaml:1: .*but there is no file.*a preset: .*digits, .*mnist"):
        load_config("mine.yaml")


def test_sections_in_python_are_merged_over_file_and_overrides() -> None:
    config = load_config("digits", ["trainer.epochs=4", "seed=1"], trainer={"epochs": 5, "network": {"dropout": 0.1}})
    trainer, preset = config.pipeline.trainer.config, load_config("digits").pipeline.trainer.config
    assert (config.seed, trainer.seed, trainer.epochs, trainer.network.dropout) == (1, 1, 5, 0.1)
    assert trainer.network.filters == preset.network.filters
    trainer = FakeTrainer()
    assert load_config("digits", trainer=trainer).pipeline.trainer is trainer
    by_class = load_config("digits", trainer={"use": FakeTrainer, "seed": 3}).pipeline.trainer
    assert isinstance(by_class, FakeTrainer)
    assert by_class.config.seed == 3


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"trainer": {"epoch": 3}}, "the argument trainer: trainer.epoch is not a key"),
        ({"trainer": {"network": {"filters": [8, "a", 8]}}}, "the argument trainer: trainer.network.filters.1 is 'a'"),
        ({"trainer": {"use": FakeEvaluator}}, "the argument trainer: .* cannot be the trainer"),
        ({"trainer": {"use": FakeTrainer, "epochs": 3}}, "the argument trainer: trainer.epochs is not a key"),
        ({"trainer": Trainer}, "the trainer is the class Trainer, not a component"),
        ({"trainer": 3}, "the argument trainer: trainer is 3"),
        ({"epochs": 3}, "the argument epochs: epochs is not a key"),
    ],
)
def test_mistake_in_python_is_reported(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config("digits", **sections)
