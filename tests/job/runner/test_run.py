"""Runs of fake components: caching and its reasons, records, and exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.base.hashing import file_sha256
from job.store.manifest import SCHEMA_VERSION
from tests.conftest import FAKES, SLOTS, Command, WriteConfig
from tests.support.cases import parametrize_sample


def statuses(record: dict[str, Any]) -> list[str]:
    return [step["status"] for step in record["steps"]]


def test_five_steps_run_in_order_and_are_recorded(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    outcome = mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", "--json")
    record = outcome.record
    assert outcome.exit_code == record["exit_code"] == 0
    assert record["outcome"] == "succeeded"
    assert record["blessed"] is True
    assert record["metrics"]["accuracy"] == 1.0
    assert record["metrics"]["loss"] == pytest.approx(0, abs=1e-6)
    assert [step["component"] for step in record["steps"]] == SLOTS
    assert statuses(record) == ["ran"] * 5
    for step in record["steps"]:
        assert Path(step["path"]).name == step["fingerprint"]
        assert (Path(step["path"]) / "manifest.json").is_file()
        assert step["seconds"] >= 0
    assert record["config"]["trainer"]["use"] == "components.testing.fakes:FakeTrainer"
    assert record["environment"]["libraries"]["numpy"]
    latest = tmp_path / "root" / "runs" / "latest"
    assert latest.resolve().name == record["run_id"]
    assert json.loads((latest / "run.json").read_text()) == record
    assert (latest / "visualizer" / "mean.png").is_file()


def test_second_run_reuses_everything(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    first, second = (mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", "--json") for _ in "12")
    assert statuses(second.record) == ["reused"] * 5
    assert {step["reason"] for step in second.record["steps"]} == {"same code, config, inputs and libraries"}
    assert [step["path"] for step in second.record["steps"]] == [step["path"] for step in first.record["steps"]]
    assert second.record["metrics"] == first.record["metrics"]
    assert second.record["run_id"] != first.record["run_id"]


def test_change_reruns_later_steps_with_a_reason(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    mnist_job("run", "--config", fake_config, "--root", root)
    changed = mnist_job("run", "--config", fake_config, "--root", root, "--json", "--set", "transform.limit=10").record
    assert statuses(changed) == ["reused", "ran", "ran", "ran", "ran"]
    assert changed["steps"][1]["reason"] == "config limit 1000 → 10"
    assert changed["steps"][2]["reason"] == "new transformed"


def test_reason_compares_with_the_closest_artifact(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    arguments = ("run", "--config", fake_config, "--root", tmp_path / "root", "--until", "evaluator", "--json", "--set")
    mnist_job(*arguments, "evaluator.minimum=0.5")
    mnist_job(*arguments, "transform.limit=5", "--set", "evaluator.minimum=0.6")
    record = mnist_job(*arguments, "evaluator.minimum=0.7").record
    assert record["steps"][3]["reason"] == "config minimum 0.5 → 0.7"
    record = mnist_job(*arguments, "evaluator.minimum=0.8", "--set", "transform.limit=6").record
    assert record["steps"][3]["reason"] == "config minimum 0.7 → 0.8; new transformed; new model"


def test_change_without_effect_reruns_only_its_step(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    mnist_job("run", "--config", fake_config, "--root", root)
    # No split has 999 images: the transform runs, and makes what it made before.
    changed = mnist_job("run", "--config", fake_config, "--root", root, "--json", "--set", "transform.limit=999")
    assert statuses(changed.record) == ["reused", "ran", "reused", "reused", "reused"]


def test_no_cache_reruns_everything_and_changes_nothing(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    first = mnist_job("run", "--config", fake_config, "--root", root, "--json").record
    second = mnist_job("run", "--config", fake_config, "--root", root, "--json", "--no-cache").record
    assert statuses(second) == ["ran"] * 5
    assert [step["digest"] for step in second["steps"]] == [step["digest"] for step in first["steps"]]
    assert not list(root.rglob("*.quarantined-*"))


def test_two_empty_roots_get_equal_fingerprints_and_digests(
    mnist_job: Command, fake_config: Path, tmp_path: Path
) -> None:
    records = [mnist_job("run", "--config", fake_config, "--root", tmp_path / root, "--json").record for root in "ab"]
    for key in ("fingerprint", "digest"):
        assert [step[key] for step in records[0]["steps"]] == [step[key] for step in records[1]["steps"]]


@parametrize_sample(2, "name", ["trainer", "Trainer", "example_gen", "ExampleGen", "visualizer"])
def test_until_stops_after_the_component(mnist_job: Command, fake_config: Path, tmp_path: Path, name: str) -> None:
    record = mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", "--until", name, "--json").record
    slot = record["steps"][-1]["component"]
    assert slot.replace("_", "") == name.lower().replace("_", "")
    assert record["exit_code"] == 0
    assert record["blessed"] is (True if slot == "visualizer" else None)


def test_until_with_an_unknown_name_is_reported(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    outcome = mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", "--until", "trainr")
    assert outcome.exit_code == 2
    assert "`trainr` is not a component" in outcome.stderr
    assert "did you mean `trainer`?" in outcome.stderr
    assert not (tmp_path / "root").exists()


def test_unblessed_model_exits_with_4_and_keeps_artifacts(
    mnist_job: Command, fake_config: Path, tmp_path: Path
) -> None:
    arguments = ("run", "--config", fake_config, "--root", tmp_path / "root", "--set", "evaluator.accuracy=0.5")
    outcome = mnist_job(*arguments, "--json")
    assert outcome.exit_code == outcome.record["exit_code"] == 4
    assert outcome.record["outcome"] == "not_blessed"
    assert outcome.record["blessed"] is False
    assert len(outcome.record["steps"]) == 5
    assert mnist_job("verify", "--root", tmp_path / "root").exit_code == 0
    again = mnist_job(*arguments)
    assert again.exit_code == 4
    assert "NOT BLESSED" in again.stdout
    assert "failed        accuracy is 0.5, minimum 0.9" in again.stdout


def test_damaged_artifact_is_quarantined_and_reproduced(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    first = mnist_job("run", "--config", fake_config, "--root", root, "--json").record
    damaged = Path(first["steps"][2]["path"]) / "weights.npz"
    content = bytearray(damaged.read_bytes())
    content[100] ^= 1
    damaged.write_bytes(content)

    verified = mnist_job("verify", "--root", root)
    assert verified.exit_code == 3
    assert f"FAILED {damaged} has been changed" in verified.stdout
    assert "5 artifacts verified, 1 failed" in verified.stdout

    second = mnist_job("run", "--config", fake_config, "--root", root, "--json")
    assert statuses(second.record) == ["reused", "reused", "ran", "reused", "reused"]
    assert second.record["steps"][2]["reason"] == "the sealed artifact is damaged"
    assert f"{damaged} has been changed" in second.stderr
    assert list(root.rglob("*.quarantined-1/weights.npz"))
    assert mnist_job("verify", "--root", root).exit_code == 0


def test_strict_run_ends_at_a_damaged_artifact(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    arguments = ("run", "--config", fake_config, "--root", tmp_path / "root", "--json")
    first = mnist_job(*arguments).record
    damaged = Path(first["steps"][1]["path"]) / "graph.json"
    damaged.write_text("{}")
    expected = {
        file["path"]: file["sha256"] for file in json.loads((damaged.parent / "manifest.json").read_text())["files"]
    }
    strict = mnist_job(*arguments, "--strict")
    assert strict.exit_code == 3
    headline, expectation, *_ = strict.stderr.splitlines()[-4:]
    assert f"{damaged} has been changed: its SHA-256 is {file_sha256(damaged)}" in headline
    assert expected["graph.json"] in expectation
    assert damaged.is_file(), "nothing is moved"
    assert statuses(strict.record) == ["reused"]
    assert statuses(mnist_job(*arguments).record) == ["reused", "ran", "reused", "reused", "reused"]
    assert mnist_job(*arguments, "--strict").exit_code == 0


@parametrize_sample(1, "option", [(), ("--no-cache",), ("--strict",)])
def test_artifact_of_a_newer_version_of_the_job_ends_the_run(
    mnist_job: Command, fake_config: Path, finished_root: Path, option: tuple[str, ...]
) -> None:
    (manifest,) = finished_root.glob("artifacts/trainer/*/manifest.json")
    manifest.write_text(
        manifest.read_text().replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 99, "more": true', 1)
    )
    before = sorted(finished_root.glob("artifacts/*/*"))
    refused = mnist_job("run", "--config", fake_config, "--root", finished_root, "--json", *option)
    assert refused.exit_code == 3
    assert f"{manifest} has the schema version 99" in refused.stderr
    assert "use the version of the job that wrote it, or another root" in refused.stderr
    assert [step["component"] for step in refused.record["steps"]] == ["example_gen", "transform"]
    assert sorted(finished_root.glob("artifacts/*/*")) == before, "it is neither moved nor replaced"


def test_verify_prints_json(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    mnist_job("run", "--config", fake_config, "--root", tmp_path / "root")
    verified = mnist_job("verify", "--root", tmp_path / "root", "--json")
    assert json.loads(verified.stdout) == {"checked": 5, "failures": []}


def test_verify_reports_a_root_without_artifacts(mnist_job: Command, tmp_path: Path) -> None:
    outcome = mnist_job("verify", "--root", tmp_path / "nowhere")
    assert outcome.exit_code == 2
    assert "has no artifacts" in outcome.stderr


def test_show_prints_a_run_and_its_lineage(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    record = mnist_job("run", "--config", fake_config, "--root", root, "--json").record
    shown = mnist_job("show", "--root", root)
    assert shown.exit_code == 0
    for name in (record["steps"][3]["digest"][:8], record["steps"][3]["fingerprint"], record["steps"][3]["path"]):
        artifact = mnist_job("show", name, "--root", root)
        assert artifact.exit_code == 0, artifact.stderr
        for text in ("evaluation", record["steps"][3]["digest"], "FakeEvaluator", "model", "content_sha256"):
            assert text in artifact.stdout
    short = record["steps"][3]["path"].replace(
        record["steps"][3]["fingerprint"], record["steps"][3]["fingerprint"][:12]
    )
    assert mnist_job("show", f"{short}…", "--root", root).stdout == artifact.stdout, "as it is printed"
    assert mnist_job("show", root / "runs" / "latest", "--root", root).stdout == shown.stdout
    shown_artifact = json.loads(mnist_job("show", root / "runs/latest/trainer", "--root", root, "--json").stdout)
    assert shown_artifact["digest"] == shown_artifact["lineage"]["digest"] == record["steps"][2]["digest"]
    assert shown_artifact["lineage"]["inputs"]["transformed"]["inputs"]["examples"]["source"]["kind"] == "fake"
    for text in (record["run_id"], *SLOTS, "BLESSED", "made-up squares", "content_sha256"):
        assert text in shown.stdout
    by_id = json.loads(mnist_job("show", record["run_id"], "--root", root, "--json").stdout)
    lineage, lineages = by_id.pop("lineage"), by_id.pop("lineages")
    assert lineages == [lineage]
    assert by_id == record
    assert lineage["kind"] == "figures"
    examples = lineage["inputs"]["model"]["inputs"]["transformed"]["inputs"]["examples"]
    assert examples["digest"] == record["steps"][0]["digest"]
    assert examples["source"]["identity"]["content_sha256"]


def test_show_of_a_moved_root_prints_its_own_pages(mnist_job: Command, finished_root: Path) -> None:
    run = (finished_root / "runs" / "latest").resolve()
    pages = {"report": "report.html", "model_card": "model_card.md"}
    before = {key: str(finished_root / "old" / "runs" / run.name / name) for key, name in pages.items()}
    (run / "run.json").write_text(json.dumps(json.loads((run / "run.json").read_text()) | before))
    (run / "report.html").touch()
    shown = mnist_job("show", run.name, "--root", finished_root).stdout
    assert str(run / "report.html") in shown
    assert before["report"] not in shown
    assert before["model_card"] in shown, "there is no other"


@pytest.mark.parametrize(("run", "message"), [("latest", "has no runs"), ("19990101-000000-0000", "has no runs")])
def test_show_reports_a_root_without_runs(mnist_job: Command, tmp_path: Path, run: str, message: str) -> None:
    outcome = mnist_job("show", run, "--root", tmp_path)
    assert outcome.exit_code == 2
    assert message in outcome.stderr


@parametrize_sample(1, "name", ["nonsense", "ffffffffffff", "runs"])
def test_show_reports_an_unknown_name(mnist_job: Command, fake_config: Path, tmp_path: Path, name: str) -> None:
    mnist_job("run", "--config", fake_config, "--root", tmp_path / "root")
    outcome = mnist_job("show", name, "--root", tmp_path / "root")
    assert outcome.exit_code == 2
    assert f"has no run or artifact `{name}`" in outcome.stderr
    assert "a run's id, tag, name or folder" in outcome.stderr


BREAKS = """
from components.testing import FakeTrainer
from components.base.errors import DataError

class Broken(FakeTrainer):
    def run(self, context, /, *, transformed: "Stored[TransformedExamples]") -> "Model":
        print("a library prints")
        raise ZeroDivisionError("oh")

class Disappointed(FakeTrainer):
    def run(self, context, /, *, transformed: "Stored[TransformedExamples]") -> "Model":
        raise DataError("the images are upside down", expected="heads up", remedy="turn them")

class Leaving(FakeTrainer):
    def run(self, context, /, *, transformed: "Stored[TransformedExamples]") -> "Model":
        raise SystemExit(0)

class Untrue(FakeTrainer):
    def run(self, context, /, *, transformed: "Stored[TransformedExamples]") -> "Model":
        return transformed.artifact

class Unprepared(FakeTrainer):
    def preflight(self):
        from components.base.errors import ResourceError
        raise ResourceError("there is no quantum processor", expected="one", remedy="buy one")

from components import Model, Stored, TransformedExamples
"""


@pytest.fixture
def breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "breaks.py").write_text(BREAKS)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("breaks")
@parametrize_sample(
    1,
    ("name", "exit_code", "message"),
    [
        ("Broken", 1, "internal error: ZeroDivisionError: oh (breaks.py, line "),
        ("Leaving", 1, "internal error: SystemExit: 0"),
        ("Disappointed", 3, "the images are upside down"),
        ("Untrue", 1, "returned TransformedExamples"),
    ],
)
def test_failure_is_recorded_and_printed_without_traceback(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, name: str, exit_code: int, message: str
) -> None:
    config = write_config({**FAKES, "trainer": {"use": f"breaks:{name}"}})
    root = tmp_path / "root"
    outcome = mnist_job("run", "--config", config, "--root", root, "--json")
    assert outcome.exit_code == outcome.record["exit_code"] == exit_code
    assert outcome.record["outcome"] == "failed"
    assert outcome.record["failure"]["component"] == "trainer"
    assert message in outcome.record["failure"]["headline"]
    assert message in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert statuses(outcome.record) == ["ran", "ran"]
    assert json.loads((root / "runs" / "latest" / "run.json").read_text()) == outcome.record
    assert f"{message}" in mnist_job("show", "--root", root).stdout
    assert not list(root.rglob("*.partial"))
    debugged = mnist_job("run", "--config", config, "--root", root, "--debug")
    assert debugged.exit_code == exit_code
    assert "Traceback" in debugged.stderr
    # What was sealed before the failure is whole, and reused when the cause is gone.
    config.write_text(yaml.safe_dump(FAKES))
    mended = mnist_job("run", "--config", config, "--root", root, "--json")
    assert statuses(mended.record) == ["reused", "reused", "ran", "ran", "ran"]


@pytest.mark.usefixtures("breaks")
def test_preflight_failure_precedes_the_first_step(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path
) -> None:
    config = write_config({**FAKES, "trainer": {"use": "breaks:Unprepared"}})
    outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root")
    assert outcome.exit_code == 5
    assert "there is no quantum processor" in outcome.stderr
    assert not (tmp_path / "root").exists()


def test_real_and_fake_components_work_together(mnist_job: Command, write_config: WriteConfig, tmp_path: Path) -> None:
    config = write_config(
        {
            "example_gen": {"source": {"kind": "digits"}},
            "trainer": {"use": "components.testing:FakeTrainer"},
            "evaluator": {"thresholds": {"accuracy": {"minimum": 0.8}}},
        }
    )
    outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root", "--json")
    assert outcome.exit_code == 0
    assert 0.85 < outcome.record["metrics"]["accuracy"] < 0.97, "the nearest mean is not a bad reader of digits"
    figures = {path.name for path in (tmp_path / "root/runs/latest/visualizer").glob("*.png")}
    drawn = {"curves", "confusion_matrix", "kernels", "class_distribution", "training_images", "mistakes"}
    assert figures == {f"{name}.png" for name in drawn}
