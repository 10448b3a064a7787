"""A run that is rebuilt in an empty root: identical, or the first artifact that differs and why."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from components import Context, Evaluation, Model, Stored, TransformedExamples
from components.testing import FakeEvaluator
from components.testing.fakes import FakeEvaluatorConfig
from job.runner import environment
from tests.conftest import FAKES, Command, WriteConfig, run_job_in_process
from tests.support.processes import start, wait_for
from tests.support.roots import copy_root

VARYING = {**FAKES, "trainer": {"use": "tests.support.components:VaryingTrainer"}}


class ComparingConfig(FakeEvaluatorConfig):
    """Names a baseline."""

    baseline: str | None = None


class ComparingEvaluator(FakeEvaluator):
    """Copies its baseline."""

    Config = ComparingConfig
    config: ComparingConfig

    def identity(self) -> dict[str, Any]:
        return self.config.content(exclude={"baseline"})

    def references(self) -> dict[str, str]:
        return {} if self.config.baseline is None else {"baseline": self.config.baseline}

    def run(
        self,
        context: Context,
        /,
        *,
        transformed: Stored[TransformedExamples],
        model: Stored[Model],
        baseline: Stored[Evaluation] | None = None,
    ) -> Evaluation:
        evaluation = super().run(context, transformed=transformed, model=model)
        text = "none" if baseline is None else baseline.artifact.model_dump_json()
        (context.output / "baseline.txt").write_text(text)
        return evaluation


def reproduce(mnist_job: Command, root: Path, *arguments: object, run: str = "latest") -> tuple[int, dict[str, Any]]:
    result = mnist_job("reproduce", run, "--root", root, "--json", *arguments)
    assert result.stdout, result.stderr
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture(scope="module")
def _varying_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("varying")
    (folder / "config.yaml").write_text(json.dumps(VARYING))
    arguments = ("--config", folder / "config.yaml", "--root", folder / "root", "--until", "evaluator")
    assert run_job_in_process("run", *arguments).exit_code == 0
    return folder / "root"


@pytest.fixture
def root(_varying_run: Path, tmp_path: Path) -> Path:
    """Return a root with a run whose trainer is not deterministic."""
    return copy_root(_varying_run, tmp_path / "root")


def test_identical_run_leaves_no_copy(mnist_job: Command, finished_root: Path) -> None:
    before = sorted(finished_root.rglob("*"))
    exit_code, result = reproduce(mnist_job, finished_root)
    assert exit_code == 0
    assert result["identical"] is True
    assert result["difference"] is result["root"] is None
    assert [step["component"] for step in result["steps"]] == list(FAKES)
    assert all(step["digest"] == step["rebuilt_digest"] for step in result["steps"])
    assert sorted(finished_root.rglob("*")) == before


def test_named_folder_is_kept_and_refused_once_finished(
    mnist_job: Command, finished_root: Path, tmp_path: Path
) -> None:
    into = tmp_path / "copy"
    assert reproduce(mnist_job, finished_root, "--into", into)[1]["root"] == str(into)
    assert mnist_job("verify", "--root", into).exit_code == 0
    again = mnist_job("reproduce", "latest", "--root", finished_root, "--into", into)
    assert again.exit_code == 2
    assert "contains a finished reproduction" in again.stderr
    for folder, message in ((finished_root, "is not empty"), (tmp_path / "file", "cannot write to")):
        (tmp_path / "file").touch()
        refused = mnist_job("reproduce", "latest", "--root", finished_root, "--into", folder)
        assert refused.exit_code == 2
        assert message in refused.stderr


def test_first_difference_ends_the_rebuild_with_its_files(
    mnist_job: Command, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VARY", "other")
    result = mnist_job("reproduce", "latest", "--root", root)
    assert result.exit_code == 3
    assert "differs: the artifact of the step trainer" in result.stdout
    assert "reason        not known: code, configuration, inputs, libraries and machine are the same" in result.stdout
    assert "files         history.csv" in result.stdout
    assert "evaluator    " in result.stdout.replace("not rebuilt", "")
    assert "not rebuilt" in result.stdout
    (kept,) = (root / "reproductions").iterdir()
    before = {path.name for path in (kept / "runs").iterdir()}
    assert reproduce(mnist_job, root)[1]["root"] == str(kept), "another attempt replaces it"
    assert [*(root / "reproductions").iterdir()] == [kept]
    assert before.isdisjoint(path.name for path in (kept / "runs").iterdir() if path.name.startswith("2"))


def test_known_reason_is_the_machine(mnist_job: Command, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VARY", "7")
    monkeypatch.setattr(environment, "processor", lambda: "Abacus 3000")
    monkeypatch.setattr("platform.python_version", lambda: "4.0.0")
    exit_code, result = reproduce(mnist_job, root)
    assert exit_code == 3
    difference = result["difference"]
    assert difference["component"] == "trainer"
    assert [reason.partition(" ")[0] for reason in difference["reasons"]] == ["processor", "python", "threads"]
    assert difference["reasons"][0].endswith("→ Abacus 3000")
    assert difference["files"] == ["history.csv"]
    assert difference["fields"] == [], "the threads are a reason"
    assert [step["rebuilt_digest"] is None for step in result["steps"]] == [False, False, False, True]


@pytest.mark.thorough
def test_new_fingerprint_with_the_same_content_is_identical(
    mnist_job: Command, finished_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.testing.fakes.FakeTrainer.version", "2")
    assert reproduce(mnist_job, finished_root)[0] == 0


def test_changed_component_is_a_known_reason(mnist_job: Command, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.components.VaryingTrainer.version", "2")
    monkeypatch.setenv("VARY", "other")
    assert reproduce(mnist_job, root)[1]["difference"]["reasons"] == ["version 1 → 2"]


@pytest.mark.thorough
def test_changed_module_is_a_known_reason(mnist_job_process: Command, tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    code = (
        "from components import Context, Model, Stored, TransformedExamples\n"
        "from components.testing import FakeTrainer\n\n\n"
        "class Mine(FakeTrainer):\n"
        "    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:\n"
        "        return super().run(context, transformed=transformed)\n"
    )
    module.write_text(code)
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({**FAKES, "trainer": {"use": "mine:Mine"}}))
    run = mnist_job_process("run", "--config", config, "--root", tmp_path / "root", "--until", "trainer", cwd=tmp_path)
    assert run.exit_code == 0, run.stderr
    module.write_text(code.replace("return", "(context.output / 'more.txt').touch()\n        return"))
    rebuilt = mnist_job_process("reproduce", "latest", "--root", tmp_path / "root", "--json", cwd=tmp_path)
    assert rebuilt.exit_code == 3, rebuilt.stderr
    difference = json.loads(rebuilt.stdout)["difference"]
    assert difference["files"] == ["more.txt"]
    assert difference["reasons"] == ["source code of mine.py"]


@pytest.mark.thorough
def test_changed_data_are_a_known_reason(mnist_job: Command, write_config: WriteConfig, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    rows = [
        f"{label},{','.join(str((label * 7 + row + pixel) % 256) for pixel in range(16))}"
        for row in range(20)
        for label in range(10)
    ]
    data.write_text("\n".join(rows))
    source = {"kind": "csv", "path": str(data)}
    config = write_config({**FAKES, "example_gen": {"source": source}})
    outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root", "--until", "example_gen")
    assert outcome.exit_code == 0, outcome.stderr
    data.write_text("\n".join([*rows[1:], rows[-1]]))
    exit_code, result = reproduce(mnist_job, tmp_path / "root")
    assert exit_code == 3
    assert result["difference"]["reasons"][0].startswith("config source.")


@pytest.mark.thorough
def test_deleted_original_is_compared_by_its_digest(
    mnist_job: Command, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(root / "artifacts")
    assert reproduce(mnist_job, root, "--into", root.parent / "one")[0] == 0
    monkeypatch.setenv("VARY", "other")
    result = mnist_job("reproduce", "latest", "--root", root)
    assert result.exit_code == 3
    assert "not compared: the original artifact was deleted or damaged" in result.stdout


def test_nothing_is_published_or_tracked(mnist_job: Command, write_config: WriteConfig, tmp_path: Path) -> None:
    serving, root = tmp_path / "serving", tmp_path / "root"
    pusher = {"use": "components.testing:FakePusher", "destination": str(serving)}
    config = write_config({**FAKES, "pusher": pusher, "tracking": {"tensorboard": {}}})
    mnist_job("run", "--config", config, "--root", root)
    shutil.rmtree(serving)
    into = tmp_path / "copy"
    exit_code, result = reproduce(mnist_job, root, "--into", into)
    assert exit_code == 0
    assert result["steps"][-1]["component"] == "pusher"
    assert not serving.exists()
    record = json.loads((into / "runs" / "latest" / "run.json").read_text())
    assert record["steps"][-1]["published"] is None
    assert record["tracking"] == {}


def test_references_are_those_of_the_run(mnist_job: Command, write_config: WriteConfig, tmp_path: Path) -> None:
    use, root = "tests.job.runner.test_reproduction:ComparingEvaluator", tmp_path / "root"
    config = write_config({**FAKES, "evaluator": {"use": use, "baseline": "latest-blessed"}})

    def run(limit: int) -> dict[str, Any]:
        arguments = ("--until", "evaluator", "--json", "--set", f"transform.limit={limit}")
        return mnist_job("run", "--config", config, "--root", root, *arguments).record

    first, second, _ = run(5), run(6), run(7)
    assert second["steps"][-1]["references"]["baseline"]["digest"] == first["steps"][-1]["digest"]
    for record in (first, second):
        assert reproduce(mnist_job, root, run=record["run_id"])[0] == 0, "the newest blessed one is another now"
    shutil.rmtree(first["steps"][-1]["path"])
    result = mnist_job("reproduce", second["run_id"], "--root", root)
    assert result.exit_code == 3
    assert f"the baseline of the evaluator in run {second['run_id']}" in result.stderr


@pytest.mark.thorough
def test_interrupted_rebuild_continues_with_the_same_command(
    mnist_job: Command, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VARY", "wait")
    with start("reproduce", "latest", "--root", root) as process:
        wait_for("sleeping", process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    monkeypatch.delenv("VARY")
    result = mnist_job("reproduce", "latest", "--root", root)
    assert result.exit_code == 0
    assert "transform    reused" in result.stdout
    assert "trainer      ran" in result.stdout
    assert "identical: the 4 artifacts of run" in result.stdout


@pytest.mark.thorough
def test_run_of_one_component_is_rebuilt(mnist_job: Command, finished_root: Path) -> None:
    only = ("--only", "evaluator", "--from", "latest", "--set", "evaluator.minimum=0.8")
    mnist_job("run", *only, "--root", finished_root)
    exit_code, result = reproduce(mnist_job, finished_root)
    assert exit_code == 0
    assert len(result["steps"]) == 4


def test_run_without_artifacts_is_reported(mnist_job: Command, finished_root: Path) -> None:
    record = next((finished_root / "runs").glob("2*")) / "run.json"
    values = json.loads(record.read_text())
    record.write_text(json.dumps({**values, "steps": []}))
    result = mnist_job("reproduce", "latest", "--root", finished_root)
    assert result.exit_code == 2
    assert "finished no step" in result.stderr
