"""Plans: for every reason why a step runs or not, the plan says what the next run then does, and writes nothing."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components import Artifact, Context, Evaluation, Examples, Model, Stored, TransformedExamples
from components.base.component import Component, ComponentConfig
from components.runtime import libraries
from components.testing.fakes import FakeEvaluator, FakeEvaluatorConfig, FakeTrainer, FakeTrainerConfig
from job.store import source_code
from job.store.manifest import SCHEMA_VERSION
from tests.conftest import FAKES, Command, CommandResult, WriteConfig
from tests.support.cases import parametrize_sample

HERE = "tests.job.runner.test_plan"
WOULD_RUN = 10


class OtherTrainer(FakeTrainer):
    """Another component of the same slot."""


class BaselineConfig(FakeEvaluatorConfig):
    """Names a baseline."""

    baseline: str = "latest-blessed"


class BaselineEvaluator(FakeEvaluator):
    """Has a baseline, and ignores it."""

    Config = BaselineConfig
    config: BaselineConfig

    def identity(self) -> dict[str, Any]:
        return self.config.content(exclude={"baseline"})

    def references(self) -> dict[str, str]:
        return {"baseline": self.config.baseline}

    def run(
        self,
        context: Context,
        /,
        *,
        transformed: Stored[TransformedExamples],
        model: Stored[Model],
        baseline: Stored[Evaluation] | None = None,  # noqa: ARG002
    ) -> Evaluation:
        return super().run(context, transformed=transformed, model=model)


class FineTuningConfig(FakeTrainerConfig):
    """Names an earlier model."""

    init_from: str = "latest-blessed"


class FineTuningTrainer(FakeTrainer):
    """Begins with another model, and ignores it."""

    Config = FineTuningConfig
    config: FineTuningConfig

    def identity(self) -> dict[str, Any]:
        return self.config.content(exclude={"init_from"})

    def references(self) -> dict[str, str]:
        return {"init_from": self.config.init_from}

    def run(
        self,
        context: Context,
        /,
        *,
        transformed: Stored[TransformedExamples],
        init_from: Stored[Model] | None = None,  # noqa: ARG002
    ) -> Model:
        return super().run(context, transformed=transformed)


class Rename(Component[ComponentConfig]):
    """A custom step that replaces the model by an equal one."""

    Config = ComponentConfig

    def run(self, context: Context, /, *, model: Stored[Model]) -> Model:
        for name in model.artifact.file_names():
            (context.output / name).write_bytes((model.directory / name).read_bytes())
        return model.artifact


class Marks(Artifact):
    """The output of Mark."""

    kind: str = "marks"

    def file_names(self) -> tuple[str, ...]:
        return ()


class Mark(Component[ComponentConfig]):
    """A custom step that refers to an earlier model, and does not read the one of its run."""

    Config = ComponentConfig

    def references(self) -> dict[str, str]:
        return {"earlier": "latest-blessed"}

    def run(
        self,
        context: Context,  # noqa: ARG002
        /,
        *,
        examples: Stored[Examples],  # noqa: ARG002
        earlier: Stored[Model] | None = None,  # noqa: ARG002
    ) -> Marks:
        return Marks()


def scaled(pictures: Any, ops: Any, by: float = 0.5) -> Any:
    return ops.multiply(pictures, by)


@dataclass(frozen=True)
class Job:
    """Plans and runs a configuration in one root."""

    command: Command
    config: Path
    root: Path

    def run(self, *arguments: object) -> CommandResult:
        return self.command("run", "--config", self.config, "--root", self.root, "--json", *arguments)

    def plan(self, *arguments: object) -> CommandResult:
        """Return a plan, after checking that it wrote nothing."""
        before = snapshot(self.root)
        planned = self.command(
            "plan", "--config", self.config, "--root", self.root, "--json", "--exit-code", *arguments
        )
        assert snapshot(self.root) == before
        return planned

    def check(self, *arguments: object) -> list[str]:
        """Plan and run; return the actions of the plan, after checking them against the run."""
        planned, ran = self.plan(*arguments), self.run(*arguments)
        assert ran.stdout, ran.stderr
        steps, done = planned.record["steps"], ran.record["steps"]
        assert [step["component"] for step in steps] == [step["component"] for step in done]
        for step, record in zip(steps, done, strict=True):
            status = {"reused": ["reused"], "runs": ["ran"], "may run": ["ran", "reused"]}[step["action"]]
            assert record["status"] in status, step
            if step["fingerprint"] is not None:
                for key in ("reason", "fingerprint", "references"):
                    assert step[key] == record[key]
            if step["action"] == "reused":
                assert (step["digest"], step["path"]) == (record["digest"], record["path"])
        does_nothing = all(step["action"] == "reused" and not step["publishes"] for step in steps)
        assert planned.exit_code == (0 if does_nothing else WOULD_RUN)
        assert planned.record["does_nothing"] is does_nothing
        return [step["action"] for step in steps]


def snapshot(root: Path) -> dict[str, int]:
    """Return every path below a root with the time of its last change; empty if there is no root."""
    return {str(path): path.lstat().st_mtime_ns for path in (root, *root.rglob("*"))} if root.exists() else {}


def sets(*overrides: str) -> list[str]:
    return [word for override in overrides for word in ("--set", override)]


@pytest.fixture
def job(mnist_job: Command, fake_config: Path, finished_root: Path) -> Job:
    return Job(mnist_job, fake_config, finished_root)


def test_nothing_would_run(job: Job) -> None:
    assert job.check() == ["reused"] * 5
    [run_id, _] = sorted(path.name for path in (job.root / "runs").glob("2*"))
    assert {step["run_id"] for step in job.plan().record["steps"]} == {run_id}


def test_empty_root_stays_empty(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    job = Job(mnist_job, fake_config, tmp_path / "none")
    steps = job.plan().record["steps"]
    assert {(step["action"], step["reason"]) for step in steps} == {("runs", "first time")}
    assert job.check("--until", "transform") == ["runs", "runs"]
    assert job.check() == ["reused", "reused", "runs", "runs", "runs"]


@parametrize_sample(
    2,
    ("overrides", "actions"),
    [
        (["evaluator.minimum=0.5"], ["reused", "reused", "reused", "runs", "may run"]),
        # The transform returns the same: nothing else runs.
        (["transform.limit=999"], ["reused", "runs", "may run", "may run", "may run"]),
        # The evaluator is certain to run, also if the transform returns the same.
        (["transform.limit=9", "evaluator.minimum=0.5"], ["reused", "runs", "may run", "runs", "may run"]),
        pytest.param(
            ["example_gen.per_class=41"],
            ["runs", "may run", "may run", "may run", "may run"],
            marks=pytest.mark.thorough,
        ),
        ([f"trainer.use={HERE}:OtherTrainer"], ["reused", "reused", "runs", "may run", "may run"]),
        (
            [f"steps.rename.use={HERE}:Rename", "steps.rename.after=trainer"],
            [*["reused"] * 3, "runs", *["may run"] * 2],
        ),
    ],
)
def test_configuration_changed(job: Job, overrides: list[str], actions: list[str]) -> None:
    assert job.check(*sets(*overrides)) == actions
    assert job.check(*sets(*overrides)) == ["reused"] * len(actions)


def test_no_cache_runs_every_step(job: Job) -> None:
    assert job.check("--no-cache") == ["runs"] * 5


def test_until_limits_the_plan(job: Job) -> None:
    assert job.check("--until", "trainer", *sets("trainer.seed=1")) == ["reused", "reused", "runs"]


def test_one_component_on_an_earlier_run(job: Job) -> None:
    arguments = ("--only", "evaluator", "--from", "latest", *sets("evaluator.minimum=0.5"))
    assert job.check(*arguments) == ["reused", "reused", "reused", "runs"]
    assert job.check(*arguments) == ["reused"] * 4


def change_version(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FakeTrainer, "version", "2")


def change_library(patch: pytest.MonkeyPatch) -> None:
    versions = libraries.library_version
    patch.setattr("job.store.fingerprint.library_version", lambda name: f"{versions(name)}.1")


def change_source(patch: pytest.MonkeyPatch) -> None:
    files = source_code.source_files
    patch.setattr("job.store.fingerprint.source_files", lambda *used: files(*used) | {"changed.py": str(used)})


@parametrize_sample(
    1,
    ("change", "reason", "actions"),
    [
        (change_version, "version 1 → 2", ["reused", "reused", "runs", "may run", "may run"]),
        (change_library, "library numpy ", ["runs"] * 5),
        (change_source, "its source code changed", ["runs"] * 5),
    ],
)
def test_code_changed(
    job: Job,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pytest.MonkeyPatch], None],
    reason: str,
    actions: list[str],
) -> None:
    change(monkeypatch)
    steps = job.plan().record["steps"]
    assert next(step["reason"] for step in steps if step["action"] == "runs").startswith(reason)
    assert job.check() == actions


def test_damaged_artifact(job: Job) -> None:
    (history,) = (job.root / "artifacts" / "trainer").glob("*/history.csv")
    history.write_text("damaged")
    planned, ran = job.plan("--strict"), job.run("--strict")
    assert planned.exit_code == ran.exit_code == 3
    assert planned.stderr
    assert planned.stderr in ran.stderr
    assert job.check() == ["reused", "reused", "runs", "may run", "may run"]


@pytest.mark.parametrize("option", [(), ("--no-cache",)])
def test_other_schema_version_fails_like_the_run(job: Job, option: tuple[str, ...]) -> None:
    (path,) = (job.root / "artifacts" / "example_gen").glob("*/manifest.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": SCHEMA_VERSION + 1}))
    planned, ran = job.plan(*option), job.run(*option)
    assert planned.exit_code == ran.exit_code == 3
    assert planned.stderr.splitlines() == ran.stderr.splitlines()[-len(planned.stderr.splitlines()) - 1 : -1]


@pytest.mark.parametrize("name", ["unknown", "latest"])
def test_unknown_references_fail_like_the_run(job: Job, name: str) -> None:
    arguments = sets(f"evaluator.use={HERE}:BaselineEvaluator", f"evaluator.baseline={name}x")
    planned, ran = job.plan(*arguments), job.run(*arguments)
    assert planned.exit_code == ran.exit_code == 2
    assert planned.stderr == ran.stderr


@pytest.mark.thorough
def test_function_of_the_configuration(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    for by in (0.25, 0.75):
        function = sets(f"transform.use={HERE}:scaled", f"transform.by={by}")
        assert job.check(*function) == ["reused", "runs", "may run", "may run", "may run"]
        assert job.check(*function) == ["reused"] * 5
    files = source_code.source_files

    def edited(*used: object) -> dict[str, str]:
        return files(*used) | ({"scaled": "another text"} if scaled in used else {})

    monkeypatch.setattr("job.store.fingerprint.source_files", edited)
    assert job.check(*function) == ["reused", "runs", "may run", "may run", "may run"]
    assert job.check(*function) == ["reused"] * 5, "it returns the same"


@pytest.mark.thorough
def test_references_to_earlier_runs(job: Job) -> None:
    baseline = sets(f"evaluator.use={HERE}:BaselineEvaluator")
    assert job.check(*baseline) == ["reused", "reused", "reused", "runs", "may run"]
    assert job.check(*baseline) == ["reused"] * 5
    other = sets("transform.limit=50")
    assert job.check(*baseline, *other) == ["reused", "runs", "may run", "may run", "may run"]
    first = sorted(path.name for path in (job.root / "runs").glob("2*"))[0]
    assert job.check(*baseline, *sets(f"evaluator.baseline={first}"))[-2:] == ["runs", "may run"]
    tuned = sets(f"trainer.use={HERE}:FineTuningTrainer", f"trainer.init_from={first}")
    assert job.check(*tuned, *other) == ["reused", "reused", "runs", "runs", "may run"]
    assert job.check(*tuned, *other) == ["reused"] * 5


@pytest.mark.thorough
def test_reference_that_the_run_produces_again(job: Job) -> None:
    marks = sets(f"steps.mark.use={HERE}:Mark", "steps.mark.after=trainer")
    assert job.check(*marks) == ["reused", "reused", "reused", "runs", "reused", "reused"]
    (history,) = (job.root / "artifacts" / "trainer").glob("*/history.csv")
    history.write_text("damaged")
    assert job.check(*marks) == ["reused", "reused", "runs", "may run", "may run", "may run"]


def test_changed_data(mnist_job: Command, write_config: WriteConfig, tmp_path: Path) -> None:
    path = tmp_path / "digits.csv"
    rows = [",".join(map(str, [label, *[label * 60 + row] * 64])) for row in range(12) for label in range(3)]
    path.write_text("\n".join(rows))
    source = {"kind": "csv", "path": str(path), "shape": [8, 8], "header": False, "classes": 3}
    job = Job(mnist_job, write_config({**FAKES, "example_gen": {"source": source}}), tmp_path / "root")
    job.run()
    assert job.check() == ["reused"] * 5
    path.write_text("\n".join([*rows, rows[0]]))
    assert job.check() == ["runs", "may run", "may run", "may run", "may run"]


def test_publication(job: Job, tmp_path: Path) -> None:
    serving = tmp_path / "serving"
    pusher = sets("pusher.use=components.testing:FakePusher", f"pusher.destination={serving}")

    def publishes(*arguments: object) -> str:
        return str(job.plan(*pusher, *arguments).record["steps"][-1]["publishes"])

    assert publishes() == f"version 1: {serving / '1'}"
    assert job.check(*pusher) == ["reused"] * 5 + ["runs"]
    assert publishes() == ""
    assert job.check(*pusher) == ["reused"] * 6
    moved = sets(f"pusher.destination={tmp_path / 'elsewhere'}")  # reused, and published there
    assert publishes(*moved) == f"version 1: {tmp_path / 'elsewhere' / '1'}"
    assert job.plan(*pusher, *moved).exit_code == WOULD_RUN
    assert publishes(*sets("transform.limit=9")) == f"version 2: {serving / '2'}"


def test_withheld_model_is_not_announced(job: Job, tmp_path: Path) -> None:
    pusher = sets(f"pusher.destination={tmp_path / 'serving'}", "evaluator.accuracy=0.5")
    conditional = job.plan(*pusher).record["steps"][-1]
    assert conditional["publishes"].endswith(", if the model is blessed and not rubber-stamped")
    job.run(*sets("evaluator.accuracy=0.5"))
    step = job.plan(*pusher).record["steps"][-1]
    assert (step["action"], step["publishes"]) == ("runs", "")
    assert step["withheld"].startswith("the model is not blessed")
    text = job.command("plan", "--config", job.config, "--root", job.root, *pusher).stdout
    assert "publishes nothing: the model is not blessed" in " ".join(text.split())
    assert job.check(*pusher)[-1] == "runs"
    assert job.plan(*pusher).exit_code == 0
    assert job.plan(*pusher).record["steps"][-1]["withheld"] == step["withheld"]


def test_estimate_is_that_of_earlier_runs(job: Job) -> None:
    plan = job.plan("--no-cache").record
    [run] = (job.root / "runs").glob("2*")
    record = json.loads((run / "run.json").read_text())
    for step, done in zip(plan["steps"], record["steps"], strict=True):
        assert step["estimate"]["cpu_seconds"] == pytest.approx(done["cpu_seconds"], abs=0.01)
        assert step["estimate"]["peak_memory_bytes"] == done["peak_memory_bytes"] > 10**7
        assert step["estimate"]["run_ids"] == [run.name]
    assert plan["at_least"] == plan["at_most"]
    files = [path for path in (job.root / "artifacts").rglob("*") if path.is_file() and path.name != "manifest.json"]
    assert plan["at_most"]["disk_bytes"] == sum(path.stat().st_size for path in files if path.suffix != ".lock")
