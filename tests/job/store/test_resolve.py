"""Baselines: the artifact that a configuration names is found and compared, or rejected."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from job.store.run_names import Tags
from job.store.runs import Runs
from tests.conftest import FAKES, Command, CommandResult, FinishedRun, WriteConfig, run_job_in_process
from tests.support.cases import parametrize_sample
from tests.support.data import write_idx_folder
from tests.support.roots import copy_root

ONE_SIDED = "trainer.use=tests.support.components:OneSidedTrainer"
LATEST = "evaluator.baseline=latest-blessed"


CONFIG = {**FAKES, "evaluator": {"thresholds": {"accuracy": {"minimum": 0.5}}}}


@dataclass(frozen=True)
class Job:
    """Runs a job of fakes, judged by the real Evaluator, in one root."""

    command: Command
    config: Path
    root: Path
    finished: FinishedRun
    """The run without overrides, which the first such run copies."""

    def __call__(self, *overrides: str, options: tuple[str, ...] = ("--json",)) -> CommandResult:
        if not overrides and options == ("--json",) and not self.root.exists():
            copy_root(self.finished.root, self.root)
            result = self.finished.result
            return replace(result, stdout=result.stdout.replace(str(self.finished.root), str(self.root)))
        sets = [word for override in overrides for word in ("--set", override)]
        return self.command("run", "--config", self.config, "--root", self.root, *sets, *options)

    def evaluation(self, run_id: str) -> dict[str, Any]:
        path = self.root / "runs" / run_id / "evaluator" / "manifest.json"
        evaluation: dict[str, Any] = json.loads(path.read_text())["artifact"]
        return evaluation


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    folder = tmp_path_factory.mktemp("finished")
    (folder / "config.yaml").write_text(json.dumps(CONFIG))
    arguments = ("--config", folder / "config.yaml", "--root", folder / "root", "--json")
    return FinishedRun(run_job_in_process("run", *arguments), folder / "root", folder / "config.yaml")


@pytest.fixture
def job(mnist_job: Command, write_config: WriteConfig, tmp_path: Path, finished: FinishedRun) -> Job:
    return Job(mnist_job, write_config(CONFIG), tmp_path / "root", finished)


def step(record: dict[str, Any], slot: str) -> dict[str, Any]:
    found: dict[str, Any] = next(step for step in record["steps"] if step["component"] == slot)
    return found


def test_verdict_without_baseline_is_rubber_stamped(job: Job) -> None:
    record = job().record
    assert record["blessed"] is True
    assert record["rubber_stamped"] is True
    printed = job(LATEST, options=()).stdout  # the only blessed model is this one
    assert "BLESSED, rubber-stamped: there was no baseline to compare with" in printed


def test_reason_names_a_removed_baseline(job: Job) -> None:
    job()
    job(LATEST, "trainer.seed=1")
    assert step(job("trainer.seed=1").record, "evaluator")["reason"] == "no baseline"


def test_worse_model_than_the_baseline_is_not_blessed(job: Job) -> None:
    good = job().record
    worse = job(LATEST, ONE_SIDED)
    record = worse.record
    assert worse.exit_code == 4
    assert record["blessed"] is False
    change = next(check for check in record["checks"] if check["kind"] == "change")
    assert change["value"] < -0.2
    assert change["p_value"] < 0.05
    assert change["passed"] is False
    found = step(record, "evaluator")["references"]["baseline"]
    assert (found["requested"], found["run_id"]) == ("latest-blessed", good["run_id"])
    assert found["digest"] == step(good, "evaluator")["digest"]
    compared = job.evaluation(record["run_id"])["baseline"]
    assert compared["only_baseline_right"] > 5
    assert compared["only_model_right"] == 0


def test_equally_good_model_is_blessed_without_rubber_stamp(job: Job) -> None:
    job()
    record = job(LATEST, "trainer.seed=1").record
    assert (record["blessed"], record["rubber_stamped"]) == (True, False)


def test_second_run_finds_the_same_baseline(job: Job) -> None:
    job()
    first, second = (job(LATEST, "trainer.seed=1").record for _ in "12")
    assert {step["status"] for step in second["steps"]} == {"reused"}
    references = [step(record, "evaluator")["references"] for record in (first, second)]
    assert references[0] == references[1] != {}


def test_unblessed_run_is_not_the_latest_blessed(job: Job) -> None:
    good = job().record
    assert job(LATEST, ONE_SIDED).exit_code == 4
    record = job(LATEST, "trainer.seed=1").record
    assert step(record, "evaluator")["references"]["baseline"]["run_id"] == good["run_id"]


OTHER_IMAGES = "example_gen.seed=1"


def of_idx(tmp_path: Path) -> tuple[str, str]:
    """Return the overrides that read IDX files instead of the fake images."""
    source = {"kind": "idx", "path": str(write_idx_folder(tmp_path / "idx"))}
    return f"example_gen.source={json.dumps(source)}", "example_gen.use=components:ExampleGen"


def test_baseline_is_the_latest_on_these_test_images(job: Job) -> None:
    good, other = job().record, job(OTHER_IMAGES).record
    evaluated = step(job(LATEST, "trainer.seed=1").record, "evaluator")
    assert evaluated["references"]["baseline"]["run_id"] == good["run_id"]
    assert evaluated["skipped"] == {"baseline": {"on other test images": 1}}
    evaluated = step(job(LATEST, OTHER_IMAGES, "trainer.seed=1").record, "evaluator")
    assert evaluated["references"]["baseline"]["run_id"] == other["run_id"]
    shown = job.command("show", "--root", job.root).stdout
    assert (
        f"baseline      of the evaluator: latest-blessed, run {other['run_id']}, skipped 1 on other test images"
        in shown
    )


def test_first_model_on_other_test_images_is_rubber_stamped(job: Job) -> None:
    job()
    job("trainer.seed=1")
    printed = job(LATEST, OTHER_IMAGES, options=()).stdout
    assert "BLESSED, rubber-stamped" in printed
    assert "baseline      of the evaluator: none, skipped 2 on other test images" in printed


def test_deleted_baselines_are_counted(job: Job) -> None:
    good, deleted = job().record, job("trainer.seed=1").record
    shutil.rmtree(step(deleted, "evaluator")["path"])
    evaluated = step(job(LATEST, "trainer.seed=2").record, "evaluator")
    assert evaluated["references"]["baseline"]["run_id"] == good["run_id"]
    assert evaluated["skipped"] == {"baseline": {"that cannot be read": 1}}


def test_order_of_the_test_images_does_not_matter(job: Job, tmp_path: Path) -> None:
    data = (*of_idx(tmp_path), "example_gen.split.strategy=official")
    good = job(*data).record
    record = job(*data, LATEST, "example_gen.seed=1").record
    assert step(record, "transform")["digest"] != step(good, "transform")["digest"]
    assert step(record, "evaluator")["references"]["baseline"]["run_id"] == good["run_id"]


@parametrize_sample(2, "form", ["id", "tag", "run folder", "artifact", "another root"])
def test_baseline_is_named_by_a_run_or_a_path(job: Job, form: str, tmp_path: Path) -> None:
    good = job().record
    folder = job.root / "runs" / good["run_id"]
    if form == "another root":
        shutil.copytree(job.root, tmp_path / "elsewhere", symlinks=True)
        folder = tmp_path / "elsewhere" / "runs" / good["run_id"]
    Tags(job.root).write("champion", good["run_id"])
    named = {"id": good["run_id"], "tag": "champion", "artifact": step(good, "evaluator")["path"]}.get(
        form, str(folder)
    )
    record = job(f"evaluator.baseline={named}", ONE_SIDED).record
    found = step(record, "evaluator")["references"]["baseline"]
    assert found["requested"] == named
    assert found["digest"] == step(good, "evaluator")["digest"]
    assert found["run_id"] == (None if form == "artifact" else good["run_id"])
    assert record["blessed"] is False


def test_baseline_of_another_split_exits_with_3(job: Job) -> None:
    run_id = job().record["run_id"]
    outcome = job(f"evaluator.baseline={run_id}", "example_gen.seed=1", options=())
    assert outcome.exit_code == 3
    assert "was scored on other test images" in outcome.stderr
    assert "remedy:   set evaluator.baseline to another evaluation, or remove it" in outcome.stderr


@pytest.mark.parametrize(
    ("named", "message"),
    [("20200101-000000-000abcd", "has no run `20200101-000000-000abcd`"), ("nowhere/at-all", "which is not a folder")],
)
def test_missing_baseline_is_reported_before_the_first_step(job: Job, named: str, message: str) -> None:
    run_id = job().record["run_id"]
    outcome = job(f"evaluator.baseline={named}", options=())
    assert outcome.exit_code == 2
    assert f"evaluator.baseline is {named}" in outcome.stderr.replace("`", "")
    assert message in outcome.stderr
    assert Runs(job.root).ids() == [run_id]


def test_latest_is_resolved_before_the_run_begins(job: Job) -> None:
    good = job().record
    record = job("evaluator.baseline=latest", "trainer.seed=1").record
    assert step(record, "evaluator")["references"]["baseline"]["run_id"] == good["run_id"]
    record = job(f"evaluator.baseline={job.root / 'runs' / 'latest'}", "trainer.seed=2").record
    assert step(record, "evaluator")["references"]["baseline"]["digest"] != step(good, "evaluator")["digest"]


def test_run_without_an_evaluation_is_no_baseline(job: Job) -> None:
    run_id = job(options=("--json", "--until", "trainer")).record["run_id"]
    for named in (run_id, job.root / "runs" / run_id):
        outcome = job(f"evaluator.baseline={named}", options=())
        assert outcome.exit_code == 2
        assert "a run without a finished evaluator" in outcome.stderr


def test_component_without_baseline_input_is_reported(job: Job) -> None:
    use = "evaluator.use=tests.support.components:PlainEvaluator"
    outcome = job(use, LATEST, options=())
    assert outcome.exit_code == 2
    assert "PlainEvaluator has no input baseline" in outcome.stderr


def test_gc_keeps_the_baseline_of_a_kept_run(job: Job) -> None:
    job()
    assert job(LATEST, "trainer.seed=1").record["rubber_stamped"] is False
    assert job.command("gc", "--root", job.root, "--keep", "1", "--delete").exit_code == 0
    assert job(LATEST, "trainer.seed=1").record["rubber_stamped"] is False


def test_artifact_of_another_kind_is_no_baseline(job: Job) -> None:
    trained = step(job().record, "trainer")["path"]
    outcome = job(f"evaluator.baseline={trained}", options=())
    assert outcome.exit_code == 2
    assert "an artifact of the kind model" in outcome.stderr


def test_damaged_baseline_exits_with_3(job: Job) -> None:
    record = job().record
    (Path(step(record, "evaluator")["path"]) / "metrics.json").write_text("{}")
    outcome = job(f"evaluator.baseline={record['run_id']}", "trainer.seed=1", options=())
    assert outcome.exit_code == 3


def test_gc_keeps_the_latest_blessed_run(job: Job) -> None:
    good = job().record
    for seed in (1, 2):
        assert job(ONE_SIDED, f"trainer.seed={seed}", LATEST).exit_code == 4
    assert job.command("gc", "--root", job.root, "--keep", "1", "--delete").exit_code == 0
    assert (job.root / "runs" / good["run_id"] / "evaluator" / "manifest.json").is_file()
    assert job(LATEST, "trainer.seed=3").record["rubber_stamped"] is False


def test_gc_keeps_the_latest_blessed_run_of_each_data_set(job: Job, tmp_path: Path) -> None:
    squares = job().record
    older, newest = (job(*of_idx(tmp_path), f"trainer.seed={seed}").record["run_id"] for seed in (1, 2))
    assert job.command("gc", "--root", job.root, "--keep", "1", "--delete").exit_code == 0
    assert Runs(job.root).ids() == [squares["run_id"], newest], f"{older} is deleted"


def test_lineage_of_an_evaluation_contains_its_baseline(job: Job) -> None:
    good = job().record
    record = job(LATEST, "trainer.seed=1", options=("--json", "--until", "evaluator")).record
    for name in (step(record, "evaluator")["digest"], record["run_id"]):
        shown = json.loads(job.command("show", name, "--root", job.root, "--json").stdout)
        baseline = shown["lineage"]["inputs"]["baseline"]
        assert baseline["digest"] == step(good, "evaluator")["digest"]
        assert baseline["inputs"]["model"]["digest"] == step(good, "trainer")["digest"]
