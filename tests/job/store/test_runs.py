"""Runs on disk: which run `latest` points to, and what happens if the root changes under a run."""

import json
from pathlib import Path

import pytest

from job.config.config import load_config
from job.reporters.console import ConsoleReporter
from job.reporters.terminal import make_console
from job.runner.runner import Runner
from job.store.records import StepRecord
from job.store.runs import Runs
from job.store.sealed import SealedArtifact
from tests.conftest import FAKES, Command, WriteConfig

BROKEN = "trainer.use=tests.support.components:BrokenTrainer"


class LatestReporter(ConsoleReporter):
    """Notes, at the end of each step, the run that `latest` points to."""

    def __init__(self, root: Path) -> None:
        super().__init__(make_console())
        self.runs, self.seen = Runs(root), set[str | None]()

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        super().end_step(step, sealed)
        self.seen.add(self.runs.latest())


def test_latest_stays_until_a_run_finishes(finished_root: Path, fake_config: Path) -> None:
    before = Runs(finished_root).latest()
    reporter = LatestReporter(finished_root)
    record = Runner(load_config(fake_config, root=finished_root), reporter).run()
    assert reporter.seen == {before}
    assert Runs(finished_root).latest() == record.run_id != before


def test_failed_run_does_not_hide_earlier_results(mnist_job: Command, finished_root: Path, fake_config: Path) -> None:
    finished = Runs(finished_root).latest()
    failed = mnist_job("run", "--config", fake_config, "--root", finished_root, "--set", BROKEN, "--json").record
    assert (finished_root / "runs/latest/visualizer/mean.png").is_file()
    shown = {name: json.loads(mnist_job("show", *name, "--root", finished_root, "--json").stdout) for name in NAMES}
    assert [record["run_id"] for record in shown.values()] == [failed["run_id"], finished]


NAMES = ((), ("latest",))


def test_without_results_latest_is_the_last_failure(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    arguments = ("run", "--config", fake_config, "--root", tmp_path / "root", "--json")
    for overrides in (("--set", BROKEN), ("--set", BROKEN, "--set", "trainer.seed=1"), ()):
        record = mnist_job(*arguments, *overrides).record
        assert Runs(tmp_path / "root").latest() == record["run_id"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_latest_that_is_no_link_exits_with_2(
    mnist_job: Command, fake_config: Path, finished_root: Path, kind: str
) -> None:
    latest = finished_root / "runs" / "latest"
    latest.unlink()
    if kind == "folder":
        latest.mkdir()
        (latest / "notes.txt").write_text("mine")
    else:
        latest.write_text("mine")
    before = sorted(finished_root.rglob("*"))
    outcome = mnist_job("run", "--config", fake_config, "--root", finished_root)
    assert outcome.exit_code == 2
    assert outcome.stderr.startswith(f"error: {latest} is not a link\n")
    assert sorted(finished_root.rglob("*")) == before


@pytest.mark.parametrize(
    ("trainer", "tracking"),
    [
        ("UnmountedTrainer", {}),
        ("LateUnmountedTrainer", {}),
        ("RemovedRunTrainer", {}),
        pytest.param("UnmountedTrainer", {"tensorboard": {}, "mlflow": {}}, marks=pytest.mark.thorough),
    ],
)
def test_root_that_vanishes_exits_with_5(
    mnist_job: Command,
    write_config: WriteConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trainer: str,
    tracking: dict[str, dict[str, str]],
) -> None:
    monkeypatch.setenv("JOB_TERMINATION_LOG", str(tmp_path / "log"))
    use = f"tests.support.components:{trainer}"
    config = write_config({**FAKES, "trainer": {"use": use}, "tracking": tracking})
    outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root")
    assert outcome.exit_code == 5
    error, *details = outcome.stderr.splitlines()
    assert [detail.split()[0] for detail in details] == ["expected:", "remedy:", "resume:"]
    assert error.startswith(f"error: {tmp_path}/root")
    assert error.endswith(" was deleted, moved or unmounted during the run")
    assert "warning" not in outcome.stdout
    assert json.loads((tmp_path / "log").read_text())["exit_code"] == 5


def test_show_of_a_run_without_record_exits_with_3(mnist_job: Command, finished_root: Path) -> None:
    (run_id,) = Runs(finished_root).ids()
    (finished_root / "runs" / run_id / "run.json").unlink()
    for name in ((), (run_id,), ("latest",)):
        outcome = mnist_job("show", *name, "--root", finished_root)
        assert outcome.exit_code == 3
        assert "run.json does not exist" in outcome.stderr


def test_name_that_is_too_long_is_no_run(mnist_job: Command, finished_root: Path) -> None:
    outcome = mnist_job("show", "x" * 300, "--root", finished_root)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert "has no run or artifact" in outcome.stderr
