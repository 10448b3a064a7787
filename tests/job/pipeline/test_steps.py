"""Custom steps: additional components between those of the pipeline."""

import json
import shutil
from pathlib import Path
from typing import Any, Literal

import pytest
from rich.console import Console

from components import Artifact, Component, ComponentConfig, Context, Evaluation, Examples, Stored, TransformedExamples
from components.artifacts import FileName, Model
from components.base.errors import ConfigError
from job import JobConfig, run
from job.pipeline.pipeline import Pipeline
from job.pipeline.steps import CustomStep
from job.store.manifest import CustomArtifact
from job.store.resolved_model import resolve_model
from job.store.store import Store
from tests.conftest import FAKES, Command, WriteConfig
from tests.job.pipeline.test_pipeline import fakes


class FirstHalfConfig(ComponentConfig):
    """What FirstHalf does."""

    parts: int = 2


class Brightness(Artifact):
    """An artifact of a custom step."""

    kind: Literal["brightness"] = "brightness"
    mean: float
    classes: tuple[str, ...]
    file: FileName = "mean.txt"

    def file_names(self) -> tuple[str, ...]:
        return (self.file,)


class Measure(Component[ComponentConfig]):
    """Writes the mean pixel of the training images."""

    Config = ComponentConfig

    def run(self, context: Context, /, *, examples: Stored[Examples]) -> Brightness:
        mean = examples.artifact.splits.train.pixel_mean
        (context.output / "mean.txt").write_text(f"{mean}\n")
        return Brightness(mean=mean, classes=examples.artifact.class_names)


class Unnamed(Component[ComponentConfig]):
    """Returns an artifact whose type does not name its files."""

    Config = ComponentConfig

    def run(self, context: Context, /, *, examples: Stored[Examples]) -> Artifact:  # noqa: ARG002
        return Artifact(kind="unnamed")


class Double(Component[FirstHalfConfig]):
    """Multiplies a brightness, whose files it reads."""

    Config = FirstHalfConfig

    def run(self, context: Context, /, *, brightness: Stored[Brightness], model: Stored[Model]) -> Brightness:
        assert isinstance(brightness.artifact, Brightness)
        assert model.artifact.kind == "model"
        mean = float((brightness.directory / brightness.artifact.file).read_text()) * self.config.parts
        (context.output / "mean.txt").write_text(f"{mean}\n")
        return brightness.artifact.model_copy(update={"mean": mean})


class Rename(Component[ComponentConfig]):
    """Replaces the scaled images by the same ones with another title."""

    Config = ComponentConfig

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> TransformedExamples:
        for name in transformed.artifact.file_names():
            shutil.copy(transformed.directory / name, context.output / name)
        return transformed.artifact.model_copy(update={"title": f"{transformed.artifact.title}, renamed"})


class Requantize(Component[ComponentConfig]):
    """Replaces the model by the same one, which states another seed."""

    Config = ComponentConfig

    def run(self, context: Context, /, *, model: Stored[Model]) -> Model:
        for name in model.artifact.file_names():
            shutil.copy(model.directory / name, context.output / name)
        environment = model.artifact.environment.model_copy(update={"seed": 77})
        return model.artifact.model_copy(update={"environment": environment})


class Impostor(Component[ComponentConfig]):
    """Returns the type of a slot that it does not follow."""

    Config = ComponentConfig

    def run(self, context: Context, /, *, examples: Stored[Examples]) -> Evaluation:
        raise NotImplementedError


STEPS = {
    "brightness": {"use": f"{__name__}:Measure", "after": "example_gen"},
    "twice": {"use": f"{__name__}:Double", "after": "trainer", "parts": 3},
    "renamed": {"use": f"{__name__}:Rename", "after": "transform"},
    "again": {"use": f"{__name__}:Rename", "after": "renamed"},
    "requantized": {"use": f"{__name__}:Requantize", "after": "trainer"},
}
ORDER = ["example_gen", "brightness", "transform", "renamed", "again", "trainer", "twice", "requantized"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def record(mnist_job: Command, write_config: WriteConfig) -> dict[str, Any]:
    """Return the record of a run with custom steps."""
    result = mnist_job("run", "--config", write_config(FAKES | {"steps": STEPS}), "--json")
    assert result.exit_code == 0, result.stderr
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


def manifests(record: dict[str, Any]) -> dict[str, Any]:
    return {
        step["component"]: json.loads((Path(step["path"]) / "manifest.json").read_text()) for step in record["steps"]
    }


def test_steps_run_in_the_order_of_the_data_flow(record: dict[str, Any]) -> None:
    assert [step["component"] for step in record["steps"]] == [*ORDER, "evaluator", "visualizer"]
    assert (Path(record["steps"][1]["path"]).parents[3] / "runs" / "latest" / "brightness" / "mean.txt").is_file()


def test_replaced_artifact_is_the_input_of_later_steps(record: dict[str, Any]) -> None:
    found = manifests(record)
    assert found["trainer"]["inputs"] == {"transformed": found["again"]["digest"]}
    assert found["again"]["inputs"] == {"transformed": found["renamed"]["digest"]}
    assert found["evaluator"]["inputs"]["model"] == found["requantized"]["digest"]
    assert found["again"]["artifact"]["title"].endswith(", renamed, renamed")


def test_artifact_type_of_a_step_reaches_other_steps(record: dict[str, Any]) -> None:
    found = manifests(record)
    assert found["twice"]["artifact"]["mean"] == pytest.approx(3 * found["brightness"]["artifact"]["mean"])
    assert found["twice"]["inputs"]["brightness"] == found["brightness"]["digest"]


def test_steps_are_reused_verified_shown_and_collected(
    record: dict[str, Any], mnist_job: Command, write_config: WriteConfig
) -> None:
    path = write_config(FAKES | {"steps": STEPS})
    again = json.loads(mnist_job("run", "--config", path, "--json").stdout)
    assert {step["status"] for step in again["steps"]} == {"reused"}
    changed = mnist_job("run", "--config", path, "--json", "--set", "steps.twice.parts=4")
    steps = {step["component"]: step for step in json.loads(changed.stdout)["steps"]}
    assert (steps["twice"]["status"], steps["twice"]["reason"]) == ("ran", "config parts 3 → 4")
    assert "brightness" in mnist_job("show").stdout
    assert "11 artifacts verified" in mnist_job("verify").stdout
    root = Path(record["steps"][0]["path"]).parents[2]
    foreign = root / "artifacts" / "backup" / ("a" * 64)
    foreign.mkdir(parents=True)
    mnist_job("gc", "--keep", "1", "--delete")
    assert foreign.is_dir()
    assert len(list((root / "artifacts" / "steps" / "twice").iterdir())) == 1


def test_replaced_model_is_the_one_that_predicts(record: dict[str, Any]) -> None:
    root = Path(record["steps"][0]["path"]).parents[2]
    for name in ("latest", str(root / "runs" / "latest")):
        assert resolve_model(root, name).stored.artifact.environment.seed == 77


def test_manifest_is_read_without_the_class_of_the_step(record: dict[str, Any]) -> None:
    directory = Path(record["steps"][1]["path"])
    sealed = Store(directory.parents[3]).read("brightness", directory)
    assert isinstance(sealed.manifest.artifact, CustomArtifact)
    sealed.verify()
    assert isinstance(sealed.stored(Brightness).artifact, Brightness)


def test_run_can_stop_after_a_custom_step(mnist_job: Command, write_config: WriteConfig) -> None:
    result = mnist_job("run", "--config", write_config(FAKES | {"steps": STEPS}), "--until", "Renamed", "--json")
    assert [step["component"] for step in json.loads(result.stdout)["steps"]][-1] == "renamed"


def test_steps_work_from_python(tmp_path: Path) -> None:
    pipeline = fakes().model_copy(update={"steps": {"brightness": CustomStep(Measure(), after="example_gen")}})
    config = JobConfig(root=tmp_path, pipeline=pipeline)
    record = run(config, console=Console(quiet=True)).record
    assert record.steps[1].component == "brightness"
    assert config.resolved()["steps"] == {"brightness": {"use": f"{__name__}:Measure", "after": "example_gen"}}


@pytest.mark.parametrize(
    ("name", "step", "message"),
    [
        ("my-step", CustomStep(Measure(), "example_gen"), "`my-step` cannot name a custom step"),
        ("trainer", CustomStep(Measure(), "example_gen"), "`trainer` cannot name a custom step"),
        ("model", CustomStep(Measure(), "example_gen"), "`model` cannot name a custom step"),
        ("bright", CustomStep(Measure(), "pusher"), "steps.bright.after: the pipeline has no `pusher`"),
        ("bright", CustomStep(Measure(), "bright"), "steps.bright.after: the pipeline has no `bright`"),
        ("renamed", CustomStep(Rename(), "example_gen"), "(transformed: Stored[TransformedExamples])"),
        ("impostor", CustomStep(Impostor(), "example_gen"), "but it follows a step that returns Examples"),
        ("unnamed", CustomStep(Unnamed(), "example_gen"), "the type Artifact that"),
        ("double", CustomStep(Double(), "trainer"), "(brightness: Stored[Brightness], model: Stored[Model])"),
    ],
)
def test_step_that_does_not_fit_is_rejected(name: str, step: CustomStep, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Pipeline(steps={name: step})
    assert message in caught.value.headline
    assert caught.value.expected
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"use": f"{__name__}:Measure"}, "steps.bright is"),
        (3, "steps.bright is 3"),
        ({"use": f"{__name__}:fakes", "after": "trainer"}, "it is not a component"),
        ({"use": f"{__name__}:Nothing", "after": "trainer"}, "has no `Nothing`"),
        ({"use": f"{__name__}:Measure", "after": "trainer", "part": 1}, "steps.bright.part is not a key"),
        ({"use": f"{__name__}:Double", "after": "trainer", "parts": "x"}, "steps.bright.parts is 'x'"),
        ({"use": f"{__name__}:Measure", "after": "trianer"}, "steps.bright.after: the pipeline has no `trianer`"),
    ],
)
def test_mistake_in_a_section_is_reported(
    mnist_job: Command, write_config: WriteConfig, section: object, message: str
) -> None:
    path = write_config(FAKES | {"steps": {"bright": section}})
    result = mnist_job("run", "--config", path)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert f"{Path(path).name}:" in result.stderr
