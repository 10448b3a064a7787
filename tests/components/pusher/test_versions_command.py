"""Runs that push, and the commands `versions` and `rollback`, with fakes."""

import json
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from components.base.errors import ConfigError
from components.pusher.versions import LARGEST_VERSION
from components.testing import FakePusher
from job.config.config import JobConfig, load_config
from job.pipeline.pipeline import Pipeline
from tests.components.pusher.support import push
from tests.conftest import FAKES, Command, WriteConfig
from tests.support.cases import parametrize_sample
from tests.support.imports import HEAVY, imported_by_all
from tests.support.processes import REPOSITORY, start, wait_for


@pytest.fixture
def pushing(write_config: WriteConfig, tmp_path: Path) -> tuple[object, ...]:
    """Return the command of a job that pushes to `served`."""
    trainer = {"use": "components.testing:FakeTrainer", "saved_model": True}
    pusher = {"destination": str(tmp_path / "served"), "allow_rubber_stamped": True}
    config = write_config({**FAKES, "trainer": trainer, "pusher": pusher})
    return ("run", "--config", config, "--root", tmp_path / "root")


def test_a_run_pushes_a_model_only_once(mnist_job: Command, pushing: tuple[object, ...], tmp_path: Path) -> None:
    first, again = (mnist_job(*pushing) for _ in "12")
    assert first.exit_code == again.exit_code == 0
    place = tmp_path / "served" / "1"
    assert f"to serve; version 1: {place} (first time)" in first.stdout
    assert f"\nservable      version 1: {place}\n" in first.stdout
    assert f"\nservable      version 1: {place}, there already\n" in again.stdout
    assert [path.name for path in (tmp_path / "served").iterdir()] == ["1"]
    record = json.loads((tmp_path / "root/runs/latest/run.json").read_text())
    assert [step["component"] for step in record["steps"]][-1] == "pusher"
    assert record["steps"][-1]["status"] == "reused"
    assert record["steps"][-1]["published"] == f"version 1: {place}, there already"
    assert record["withheld"] is None
    shown = mnist_job("show", "--root", tmp_path / "root").stdout
    assert f"\nservable      version 1: {place}, there already\n" in shown
    trees = [line.split()[0] for line in shown.splitlines() if re.match(r"(figures|pushed_model) \w+ by ", line)]
    assert trees == ["figures", "pushed_model"], "both are made of the model, and neither of the other"
    assert "made-up squares" in shown
    assert mnist_job("verify", "--root", tmp_path / "root").stdout == "6 artifacts verified, 0 failed\n"
    assert mnist_job("gc", "--root", tmp_path / "root", "--keep", "1").stdout.count("artifact") == 0


def test_a_reused_artifact_is_pushed_to_an_empty_destination(
    mnist_job: Command, pushing: tuple[object, ...], tmp_path: Path
) -> None:
    mnist_job(*pushing)
    (tmp_path / "served").rename(tmp_path / "away")
    assert mnist_job(*pushing, "--json").record["steps"][-1]["published"] == f"version 1: {tmp_path / 'served' / '1'}"


def test_a_run_does_not_undo_a_rollback(mnist_job: Command, pushing: tuple[object, ...], tmp_path: Path) -> None:
    push(tmp_path, "older")
    mnist_job(*pushing)
    assert mnist_job("rollback", tmp_path / "served").exit_code == 0
    place = tmp_path / "served" / "2"
    published = mnist_job(*pushing, "--json").record["steps"][-1]["published"]
    assert published == f"version 2: {place}, there already; version 3 is served"


def test_a_failed_publication_is_repeated_by_the_next_run(
    mnist_job: Command, pushing: tuple[object, ...], tmp_path: Path
) -> None:
    (tmp_path / "served" / str(LARGEST_VERSION)).mkdir(parents=True)
    outcome = mnist_job(*pushing)
    assert outcome.exit_code == 2
    assert "the largest possible number" in outcome.stderr
    assert json.loads((tmp_path / "root/runs/latest/run.json").read_text())["failure"]["component"] == "pusher"
    (tmp_path / "served" / str(LARGEST_VERSION)).rmdir()
    step = mnist_job(*pushing, "--json").record["steps"][-1]
    assert (step["status"], step["published"]) == ("reused", f"version 1: {tmp_path / 'served' / '1'}")


@parametrize_sample(
    1,
    ("change", "exit_code", "key"),
    [
        ("pusher.allow_rubber_stamped=false", 0, "pusher.allow_rubber_stamped"),
        ("evaluator.accuracy=0.5", 4, "pusher.allow_unblessed"),
    ],
)
def test_a_withheld_model_is_reported_with_the_key_to_allow_it(
    mnist_job: Command, pushing: tuple[object, ...], tmp_path: Path, change: str, exit_code: int, key: str
) -> None:
    outcome = mnist_job(*pushing, "--set", change)
    assert outcome.exit_code == exit_code
    (in_its_line, at_the_end) = [line for line in outcome.stdout.splitlines() if "not pushed" in line]
    assert in_its_line.startswith("pusher       ran ")
    assert at_the_end.startswith("not pushed    the model is ")
    assert f"{key}: true" in in_its_line
    assert f"{key}: true" in at_the_end
    assert not (tmp_path / "served").exists()
    record = json.loads((tmp_path / "root/runs/latest/run.json").read_text())
    assert record["steps"][-1]["published"] is None
    assert key in record["withheld"]


def test_the_json_log_includes_the_version(mnist_job: Command, pushing: tuple[object, ...], tmp_path: Path) -> None:
    lines = mnist_job(*pushing, "--log-format", "json").stdout.splitlines()
    (ended,) = [line for line in map(json.loads, lines) if (line["event"], line["step"]) == ("step_finished", "pusher")]
    assert ended["fields"]["published"] == f"version 1: {tmp_path / 'served' / '1'}"


def test_without_a_section_there_is_no_pusher(
    mnist_job: Command, pushing: tuple[object, ...], fake_config: Path, tmp_path: Path
) -> None:
    outcome = mnist_job(*pushing, "--set", "pusher=null")
    assert outcome.exit_code == 0
    assert "push" not in outcome.stdout
    assert not (tmp_path / "root/artifacts/pusher").exists()
    assert "pusher" not in load_config(fake_config, ["pusher=null"]).resolved()


def test_the_pusher_can_be_swapped(mnist_job: Command, pushing: tuple[object, ...], tmp_path: Path) -> None:
    fake = ("--set", "pusher.use=components.testing:FakePusher", "--set", f"pusher.destination={tmp_path / 'other'}")
    assert mnist_job(*pushing, *fake, "--until", "pusher").exit_code == 0
    assert (tmp_path / "other/1/saved_model.pb").is_file()
    refused = mnist_job(*pushing, "--set", "pusher.use=components.testing:FakeTrainer")
    assert refused.exit_code == 2
    assert "cannot be the pusher: its types are" in refused.stderr
    resolved = JobConfig(pipeline=Pipeline(pusher=FakePusher())).resolved()
    assert resolved["pusher"] == {"use": "components.testing.fakes:FakePusher"}


def test_cannot_stop_after_an_unconfigured_pusher(mnist_job: Command, fake_config: Path, tmp_path: Path) -> None:
    outcome = mnist_job("run", "--config", fake_config, "--root", tmp_path / "root", "--until", "pusher")
    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("error: the configuration has no pusher, the last step to run")


@pytest.mark.parametrize("own", ["root/artifacts", "root/runs", "root/artifacts/pusher/below", "link"])
def test_refuses_a_destination_inside_the_job_root(
    mnist_job: Command, pushing: tuple[object, ...], tmp_path: Path, own: str
) -> None:
    (tmp_path / "link").symlink_to("root/runs")
    (tmp_path / "root/runs").mkdir(parents=True)
    outcome = mnist_job(*pushing, "--set", f"pusher.destination={tmp_path / own}")
    assert outcome.exit_code == 2
    assert f"the pusher would publish to {tmp_path / own}, the folder of the job's " in outcome.stderr
    assert list((tmp_path / "root").rglob("run.json")) == []


@pytest.mark.parametrize(
    ("value", "message"), [("http://server/models", "is a URL"), ("", "the path of a file or folder")]
)
def test_an_invalid_destination_is_reported_with_its_key(
    mnist_job: Command, pushing: tuple[object, ...], tmp_path: Path, value: str, message: str
) -> None:
    outcome = mnist_job(*pushing, "--set", f"pusher.destination={value}")
    assert outcome.exit_code == 2
    assert f"pusher.destination={value}: pusher.destination" in outcome.stderr
    assert message in outcome.stderr
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("below", ["", "/deeper/still"])
def test_a_file_as_destination_is_reported_before_the_run(
    mnist_job: Command, pushing: tuple[object, ...], tmp_path: Path, below: str
) -> None:
    (tmp_path / "file").touch()
    outcome = mnist_job(*pushing, "--set", f"pusher.destination={tmp_path}/file{below}")
    assert outcome.exit_code == 2
    assert "is not a folder" in outcome.stderr
    assert not (tmp_path / "root").exists()


def test_a_section_without_a_destination_is_an_error(write_config: WriteConfig) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(write_config({"pusher": {"allow_unblessed": True}}))
    assert raised.value.headline.endswith("pusher.destination is missing")


def test_the_configuration_of_the_readme_loads(tmp_path: Path) -> None:
    readme = (REPOSITORY / "components/pusher/README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "serving.yaml").write_text(example.replace("configs/", f"{REPOSITORY}/configs/"))
    config = load_config(tmp_path / "serving.yaml").resolved()
    assert config["pusher"]["destination"] == "serving/mnist"
    assert config["evaluator"]["baseline"] == "latest-blessed"


def test_lists_and_rolls_back_versions(mnist_job: Command, tmp_path: Path) -> None:
    destination = tmp_path / "served"
    for name in ("older", "newer"):
        push(tmp_path, name)
    done = mnist_job("rollback", destination)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0].startswith("rolled back   from version 2, test accuracy 0.9000, weights ")
    assert done.stdout.splitlines()[1].endswith("; a copy of version 1")
    (destination / "2/more").touch()
    header, *rows = mnist_job("versions", destination).stdout.splitlines()
    assert header.split() == ["version", "published,", "UTC", "accuracy", "weights", "verdict"]
    assert [row.split()[0] for row in rows] == ["3", "2", "1"]
    assert rows[0].endswith("BLESSED  served, a copy of version 1")
    assert rows[1].endswith("BLESSED  was changed after it was published")
    listed = json.loads(mnist_job("versions", destination, "--json").stdout)["versions"]
    assert [(row["version"], row["served"], row["copy_of"]) for row in listed] == [
        (3, True, 1),
        (2, False, None),
        (1, False, None),
    ]
    assert [row["damage"] for row in listed] == [None, "was changed after it was published", None]
    (destination / "2/more").unlink()
    forward = json.loads(mnist_job("rollback", destination, "--to", "2", "--json").stdout)
    assert (forward["before"], forward["served"]["version"], forward["served"]["copy_of"]) == (3, 4, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("versions", "nowhere"), "there is no folder nowhere"),
        (("rollback", "nowhere"), "there is no folder nowhere"),
        (("rollback", "served"), "there is nothing to roll back to"),
        (("rollback", "served", "--to", "7"), "served has no version 7"),
    ],
)
def test_an_impossible_command_exits_2_with_one_sentence(
    mnist_job: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    push(tmp_path, "only")
    monkeypatch.chdir(tmp_path)
    outcome = mnist_job(*arguments)
    assert outcome.exit_code == 2
    assert outcome.stderr.startswith(f"error: {message}")
    assert outcome.stdout == ""


def test_show_prints_the_lineage_of_a_version(mnist_job: Command, pushing: tuple[object, ...], tmp_path: Path) -> None:
    run_id, again = (mnist_job(*pushing, "--json").record["run_id"] for _ in "12")
    version, root = tmp_path / "served/1", tmp_path / "root"
    shown = mnist_job("show", version, "--root", root)
    assert shown.exit_code == 0
    assert "artifact      pushed_model\n" in shown.stdout
    assert f"runs          {again}, {run_id}\n" in shown.stdout
    assert "made-up squares" in shown.stdout, "down to the source"
    as_json = json.loads(mnist_job("show", version, "--root", root, "--json").stdout)
    assert as_json["runs"] == [run_id, again]
    assert set(as_json["lineage"]["inputs"]) == {"model", "evaluation"}
    shutil.rmtree(root / "artifacts/pusher")
    assert "artifact      model\n" in mnist_job("show", version, "--root", root).stdout
    shutil.rmtree(root / "artifacts/trainer")
    nothing = mnist_job("show", version, "--root", root)
    assert nothing.exit_code == 2
    assert f"has no artifact of {version}, a model with the weights " in nothing.stderr


def test_predict_refuses_a_published_version(mnist_job: Command, pushing: tuple[object, ...], tmp_path: Path) -> None:
    mnist_job(*pushing)
    version = tmp_path / "served/1"
    outcome = mnist_job("predict", tmp_path, "--root", tmp_path / "root", "--model", version)
    assert outcome.exit_code == 2
    assert f"--model is {version}, which is neither a sealed artifact nor a run" in outcome.stderr
    assert f"`python -m job show {version}`" in outcome.stderr
    damaged = next((tmp_path / "root/artifacts/trainer").iterdir())
    (damaged / "manifest.json").unlink()
    assert mnist_job("predict", tmp_path, "--root", tmp_path / "root", "--model", damaged).exit_code == 3


def test_show_prints_the_lineage_of_figures_and_pushed_model(
    mnist_job: Command, pushing: tuple[object, ...], tmp_path: Path
) -> None:
    mnist_job(*pushing)
    shown = json.loads(mnist_job("show", "--root", tmp_path / "root", "--json").stdout)
    assert shown["lineage"]["kind"] == "figures"
    assert [tree["kind"] for tree in shown["lineages"]] == ["figures", "pushed_model"]


@pytest.mark.thorough
def test_a_second_signal_interrupts_a_push(write_config: WriteConfig, tmp_path: Path) -> None:
    stuck = {"use": "tests.support.components:StuckPusher"}
    process = start("run", "--config", write_config({**FAKES, "pusher": stuck}), "--root", tmp_path / "root")
    wait_for("stuck", process)
    for _ in "12":
        process.send_signal(signal.SIGTERM)
        time.sleep(1.2)  # a second one that is no echo of the first breaks it off at once
    process.communicate(timeout=20)
    assert process.returncode == 143


def test_reused_runs_and_commands_import_nothing_heavy(
    mnist_job: Command, pushing: tuple[object, ...], tmp_path: Path
) -> None:
    push(tmp_path, "older")
    assert mnist_job(*pushing).exit_code == 0
    served = tmp_path / "served"
    assert not imported_by_all(pushing, ("versions", served), ("rollback", served)) & set(HEAVY)
