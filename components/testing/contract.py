"""The contract that every component keeps, as a test that can be pointed at any of them.

Derive a test class from it, say which component it is, and let pytest collect it:

    from components.testing import ComponentContract

    class TestMyTrainer(ComponentContract):
        component = MyTrainer(MyTrainer.Config(epochs=1))

The inputs are made by the fakes, so that nothing but your component is under test.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ValidationError

from components.artifacts import (
    Artifact,
    Evaluation,
    Examples,
    Figures,
    Model,
    PushedModel,
    Stored,
    TransformedExamples,
)
from components.base.component import Component, ComponentConfig, Context
from components.base.progress import NoProgress


class ComponentContract:
    """What can be asked of any component; `component` is the one that is asked."""

    component: ClassVar[Component[Any]]

    def test_its_types_are_artifacts(self) -> None:
        kinds = {Examples, TransformedExamples, Model, Evaluation, Figures, PushedModel}
        signature = self.component.signature()
        assert signature.output in kinds
        assert set(signature.inputs.values()) <= kinds

    def test_its_config_is_frozen_and_reads_back_from_json(self) -> None:
        config: ComponentConfig = self.component.config
        assert isinstance(config, self.component.Config)
        assert config.model_config.get("frozen")
        assert type(config).model_validate_json(config.model_dump_json()) == config

    def test_its_config_refuses_a_key_that_it_does_not_know(self) -> None:
        try:
            self.component.Config.model_validate({**self.component.config.model_dump(), "no_such_key": 1})
        except ValidationError:
            return
        raise AssertionError(f"{self.component.Config.__name__} takes any key: set extra='forbid'")

    def test_it_makes_what_it_says(self, tmp_path: Path) -> None:
        artifact = self._run(tmp_path / "output", self._inputs(tmp_path))
        assert type(artifact) is self.component.signature().output
        assert type(artifact).model_validate_json(artifact.model_dump_json()) == artifact
        for name in artifact.file_names():
            assert (tmp_path / "output" / name).exists(), f"{name} is named but was not written"

    def test_it_names_every_file_that_it_writes(self, tmp_path: Path) -> None:
        names = self._run(tmp_path / "output", self._inputs(tmp_path)).file_names()
        for path in _files(tmp_path / "output"):
            assert any(path == name or path.startswith(f"{name}/") for name in names), f"{path} is not named"

    def test_the_same_inputs_give_the_same_bytes(self, tmp_path: Path) -> None:
        inputs = self._inputs(tmp_path)
        once, again = (self._run(tmp_path / name, inputs) for name in ("once", "again"))
        assert once == again
        assert _files(tmp_path / "once") == _files(tmp_path / "again")

    def test_it_leaves_its_inputs_and_the_working_folder_alone(self, tmp_path: Path) -> None:
        inputs = self._inputs(tmp_path)
        (tmp_path / "working").mkdir()
        before = {name: _files(stored.directory) for name, stored in inputs.items()}
        here = Path.cwd()
        os.chdir(tmp_path / "working")
        try:
            self._run(tmp_path / "output", inputs)
        finally:
            os.chdir(here)
        assert {name: _files(stored.directory) for name, stored in inputs.items()} == before
        assert not _files(tmp_path / "working")

    def test_what_it_delivers_is_left_as_it_is_when_it_is_delivered_again(self, tmp_path: Path) -> None:
        folder = self.component.publish_destination()
        if folder is None or folder.is_absolute():  # nothing, or a place where a test has no business
            return
        made = Stored(self._run(tmp_path / "output", self._inputs(tmp_path)), tmp_path / "output")
        (tmp_path / "working").mkdir()
        here = Path.cwd()
        os.chdir(tmp_path / "working")
        try:
            self.component.publish(made, NoProgress())
            delivered = _files(tmp_path / "working")
            self.component.publish(made, NoProgress())
            assert _files(tmp_path / "working") == delivered
        finally:
            os.chdir(here)
        for path in delivered:
            assert path.startswith(f"{folder}/"), f"{path} is not where it says that it delivers to"

    def _run(self, output: Path, inputs: dict[str, Stored[Any]]) -> Artifact:
        output.mkdir()
        return self.component.run(Context(output=output), **inputs)

    def _inputs(self, directory: Path) -> dict[str, Stored[Any]]:
        """Return the component's inputs, made by the fakes below `directory`."""
        signature = self.component.signature()
        # What pushes a model copies its SavedModel; whatever else reads one would want to load it.
        made = make_inputs(directory / "inputs", saved_model=signature.output is PushedModel)
        return {name: made[kind] for name, kind in signature.inputs.items()}


def make_inputs(directory: Path, *, saved_model: bool = False) -> dict[type[Artifact], Stored[Any]]:
    """Make one small artifact of each kind that some component reads, and return them by kind.

    Args:
        directory: where to.
        saved_model: whether the model has what stands for a SavedModel (see `FakeTrainerConfig`).
    """
    from components.testing.fakes import FakeEvaluator, FakeExampleGen, FakeTrainer, FakeTransform

    trainer = FakeTrainer(FakeTrainer.Config(saved_model=saved_model))
    made: dict[type[Artifact], Stored[Any]] = {}
    for fake in (FakeExampleGen(), FakeTransform(), trainer, FakeEvaluator(FakeEvaluator.Config(accuracy=0.8))):
        signature = fake.signature()
        output = directory / signature.output.__name__
        output.mkdir(parents=True)
        inputs = {name: made[kind] for name, kind in signature.inputs.items()}
        made[signature.output] = Stored(fake.run(Context(output=output), **inputs), output)
    return made


def _files(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a directory, by its path relative to it."""
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
