"""The contract of components, as a test class for any of them.

Derive a test class, set its component, and pytest collects it:

    from components.testing import ComponentContract

    class TestMyTrainer(ComponentContract):
        component = MyTrainer(MyTrainer.Config(epochs=1))

Fakes make the inputs, so that only your component is under test. It runs twice: one run is shared by all tests.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ValidationError

from components.artifacts import Evaluation, Examples, Figures, Model, Predictions, PushedModel, TransformedExamples
from components.artifacts.base import Artifact, Stored
from components.base.component import Component, ComponentConfig, Context
from components.base.hashing import file_sha256
from components.base.progress import NoProgress


@dataclass(frozen=True)
class ContractRun:
    """One run of the component, and the state of the folders that it must not change."""

    inputs: dict[str, Stored[Any]]
    input_files: dict[str, dict[str, str]]
    """SHA-256 of each file of each input before the run."""
    working_folder: Path
    output: Stored[Any]


class ComponentContract:
    """Tests that every component must pass."""

    component: ClassVar[Component[Any]]
    _shared: ClassVar[ContractRun]

    def test_its_types_are_artifacts(self) -> None:
        kinds = {Examples, TransformedExamples, Model, Evaluation, Figures, PushedModel, Predictions}
        signature = self.component.signature()
        assert signature.output in kinds
        assert set(signature.inputs.values()) <= kinds

    def test_its_config_is_frozen_and_survives_json(self) -> None:
        config: ComponentConfig = self.component.config
        assert isinstance(config, self.component.Config)
        assert config.model_config.get("frozen")
        assert type(config).model_validate_json(config.model_dump_json()) == config

    def test_its_config_rejects_an_unknown_key(self) -> None:
        try:
            self.component.Config.model_validate({**self.component.config.model_dump(), "no_such_key": 1})
        except ValidationError:
            return
        raise AssertionError(f"{self.component.Config.__name__} accepts any key: set extra='forbid'")

    def test_it_returns_the_declared_artifact(self, tmp_path_factory: Any) -> None:
        output = self.run_once(tmp_path_factory).output
        artifact = output.artifact
        assert type(artifact) is self.component.signature().output
        assert type(artifact).model_validate_json(artifact.model_dump_json()) == artifact
        for name in artifact.file_names():
            assert (output.directory / name).exists(), f"the artifact names {name}, but the file is missing"

    def test_its_artifact_names_every_file(self, tmp_path_factory: Any) -> None:
        output = self.run_once(tmp_path_factory).output
        names = output.artifact.file_names()
        for path in _files(output.directory):
            assert any(path == name or path.startswith(f"{name}/") for name in names), f"{path} is not named"

    def test_the_same_inputs_give_the_same_bytes(self, tmp_path: Path, tmp_path_factory: Any) -> None:
        first = self.run_once(tmp_path_factory)
        again = self._run(tmp_path / "again", first.inputs)
        assert first.output.artifact == again.artifact
        assert _files(first.output.directory) == _files(again.directory)

    def test_it_changes_neither_inputs_nor_working_folder(self, tmp_path_factory: Any) -> None:
        run = self.run_once(tmp_path_factory)
        assert {name: _files(stored.directory) for name, stored in run.inputs.items()} == run.input_files
        assert not _files(run.working_folder)

    def test_publishing_again_changes_nothing(self, tmp_path: Path, tmp_path_factory: Any) -> None:
        folder = self.component.publish_destination()
        if not isinstance(folder, Path) or folder.is_absolute():  # a test must not write to a real destination
            return
        sealed = self.run_once(tmp_path_factory).output
        with contextlib.chdir(tmp_path):
            self.component.publish(sealed, NoProgress())
            published = _files(tmp_path)
            self.component.publish(sealed, NoProgress())
            assert _files(tmp_path) == published
        for path in published:
            assert path.startswith(f"{folder}/"), f"{path} is outside publish_destination()"

    @classmethod
    def make_inputs(cls, tmp_path_factory: Any) -> dict[type[Artifact], Stored[Any]]:
        """Return the input of each kind; override it to test the component on other inputs."""
        # A component that pushes a model copies its SavedModel; others would try to load it.
        saved_model = cls.component.signature().output is PushedModel
        return make_inputs(tmp_path_factory.mktemp("inputs"), saved_model=saved_model)

    @classmethod
    def run_once(cls, tmp_path_factory: Any) -> ContractRun:
        """Return the run that the tests of a class share."""
        if "_shared" not in cls.__dict__:
            made = cls.make_inputs(tmp_path_factory)
            inputs = {name: made[kind] for name, kind in cls.component.signature().inputs.items()}
            input_files = {name: _files(stored.directory) for name, stored in inputs.items()}
            working_folder = tmp_path_factory.mktemp("working")
            with contextlib.chdir(working_folder):
                output = cls._run(tmp_path_factory.mktemp("run") / "output", inputs)
            cls._shared = ContractRun(inputs, input_files, working_folder, output)
        return cls._shared

    @classmethod
    def _run(cls, output: Path, inputs: dict[str, Stored[Any]]) -> Stored[Any]:
        output.mkdir()
        return Stored(cls.component.run(Context(output=output), **inputs), output)


def make_inputs(directory: Path, *, saved_model: bool = False) -> dict[type[Artifact], Stored[Any]]:
    """Write one small artifact of each kind that a component reads to a directory, and return them by kind."""
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
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {path.relative_to(directory).as_posix(): file_sha256(path) for path in files}
