"""All commands on a root in object storage, from two machines, each with its own cache."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from job import load_run
from tests.conftest import DIGITS, FAKES, Command, CommandResult
from tests.support.faulty_proxy import FaultyProxy, error
from tests.support.object_servers import Bucket

Machine = Callable[..., CommandResult]


@pytest.fixture
def root(s3: Bucket) -> str:
    """Return the URL of an empty root."""
    return f"{s3.url}/teams/digits"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, mnist_job: Command, tmp_path: Path) -> Machine:
    """Return a function that runs a command on the machine with a number; no output names a path of a cached root."""

    def run(number: int, *arguments: object, exit_code: int = 0) -> CommandResult:
        monkeypatch.setenv("JOB_CACHE", str(tmp_path / f"cache-{number}"))
        result = mnist_job(*arguments)
        assert result.exit_code == exit_code, (arguments, result.stdout, result.stderr)
        assert "/roots/s3-" not in result.stdout + result.stderr
        return result

    return run


def write_square(folder: Path) -> Path:
    """Write an image as FakeExampleGen makes them, and return its path."""
    image = np.full((16, 16), 20, np.uint8)
    image[4:8, 4:8] = 200
    Image.fromarray(image).save(folder / "square.png")
    return folder / "square.png"


def downloaded(tmp_path: Path, number: int) -> set[str]:
    """Return the names of the files of artifacts in the cache of a machine."""
    paths = (tmp_path / f"cache-{number}").glob("roots/*/artifacts/*/*/*")
    return {path.name for path in paths if path.name != "manifest.json"}


def test_run_of_one_machine_is_reused_and_shown_on_another(
    machine: Machine, root: str, fake_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "termination.json"
    monkeypatch.setenv("JOB_TERMINATION_LOG", str(log))
    first = json.loads(machine(1, "run", "--config", fake_config, "--root", root, "--name", "first", "--json").stdout)
    place = f"{root}/runs/{first['run_id']}"
    assert json.loads(log.read_text())["run_directory"] == place
    assert first["steps"][2]["path"] == f"{root}/artifacts/trainer/{first['steps'][2]['fingerprint']}"
    assert first["config"]["root"] == root

    plan = json.loads(machine(2, "plan", "--config", fake_config, "--root", root, "--json").stdout)
    assert plan["does_nothing"]
    assert plan["steps"][2]["path"] == first["steps"][2]["path"]
    again = json.loads(machine(2, "run", "--config", place, "--json").stdout)
    assert {step["status"] for step in again["steps"]} == {"reused"}
    assert not downloaded(tmp_path, 2)

    shown = machine(1, "show", "--root", root).stdout
    assert f"record        {root}/runs/{again['run_id']}/run.json" in shown
    assert f"model         {first['steps'][2]['path']}" in shown
    assert first["run_id"] in machine(2, "show", f"{root}/runs/{first['run_id']}", "--json").stdout
    assert "artifact      model" in machine(2, "show", first["steps"][2]["path"], "--root", root).stdout
    assert f"error: {root} has no run" in machine(2, "show", "nothing", "--root", root, exit_code=2).stderr
    assert len(json.loads(machine(2, "runs", "--root", root, "--json").stdout)["runs"]) == 2

    machine(2, "tag", "first", "best", "--root", root)
    assert f"best  {first['run_id']}" in machine(1, "tag", "--root", root).stdout
    machine(1, "compare", "best", "latest", "--root", root, "--html", tmp_path / "compared.html")
    machine(1, "tag", "--delete", "best", "--root", root)
    assert f"{root} has no tags" in machine(2, "tag", "--root", root).stdout
    assert "identical" in machine(2, "reproduce", first["run_id"], "--root", root).stdout
    assert "5 artifacts verified, 0 failed" in machine(2, "verify", "--root", root).stdout
    assert "nothing can be deleted" in machine(2, "gc", "--root", root).stdout


@pytest.mark.thorough
def test_models_are_used_without_the_other_artifacts(
    machine: Machine, root: str, fake_config: Path, tmp_path: Path, s3_proxy: FaultyProxy
) -> None:
    run = json.loads(machine(1, "run", "--config", fake_config, "--root", root, "--json").stdout)
    s3_proxy.plan(error("AccessDenied", match="^(PUT|POST|DELETE)"))  # permission to read is enough
    picture, model = write_square(tmp_path), run["steps"][2]["path"]
    machine(2, "predict", picture, "--root", root, "--as-is")
    assert downloaded(tmp_path, 2) == {"history.csv", "weights.npz"}
    by_path = machine(3, "predict", picture, "--model", model, "--as-is")
    assert f"model: {model}  trained on made-up squares" in by_path.stderr
    machine(3, "predict", picture, "--model", model, "--as-is", "--out", tmp_path / "predictions")
    machine(3, "compare", "latest", run["run_id"], "--root", root)
    refused = machine(3, "export", tmp_path / "export", "--model", model, exit_code=2).stderr
    assert f"the model in {model} is linear" in refused


@pytest.mark.thorough
def test_run_whose_last_uploads_fail_is_a_failure(
    machine: Machine, root: str, fake_config: Path, s3_proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_REMOTE_RETRIES", "0")
    s3_proxy.plan(error("SlowDown", match="PUT .*/index.html"))
    failed = machine(1, "run", "--config", fake_config, "--root", root, "--json", exit_code=5)
    assert "too many requests" in failed.stderr
    assert (failed.record["outcome"], failed.record["exit_code"]) == ("failed", 5)
    s3_proxy.plan()
    assert {
        step["status"] for step in machine(2, "run", "--config", fake_config, "--root", root, "--json").record["steps"]
    } == {"reused"}


@pytest.mark.thorough
def test_shares_of_a_sweep_on_two_machines_have_one_state(
    machine: Machine, s3: Bucket, root: str, tmp_path: Path
) -> None:
    config = tmp_path / "sweep.yaml"
    config.write_text(yaml.safe_dump(FAKES | {"sweep": {"trainer.seed": [1, 2]}}, sort_keys=False))
    share = ("sweep", "--config", config, "--root", root, "--count", 2, "--json", "--index")
    assert not json.loads(machine(1, *share, 0).stdout)["finished"]
    sweep = json.loads(machine(2, *share, 1).stdout)
    assert sweep["directory"] == f"{root}/sweeps/{sweep['id']}"
    assert [trial["state"] for trial in sweep["trials"]] == ["finished", "finished"]
    assert json.loads(machine(1, *share, 0).stdout)["winner"] == sweep["winner"]
    pages = {key for key in s3.objects() if key.endswith("index.html")}
    assert pages == {"teams/digits/index.html", f"teams/digits/sweeps/{sweep['id']}/index.html"}


def test_local_paths_are_required_where_files_are_written(machine: Machine, root: str) -> None:
    for arguments in (
        ("export", "s3://bucket/exported"),
        ("predict", "image.png", "--out", "s3://bucket/predictions"),
        ("predict", "s3://bucket/pictures"),
        ("compare", "a", "b", "--html", "s3://bucket/page.html"),
        ("reproduce", "latest", "--into", "s3://bucket/rebuilt"),
    ):
        refused = machine(1, *arguments, "--root", root, exit_code=2).stderr
        assert "is a URL; expected a path on this machine" in refused


@pytest.mark.thorough
def test_real_run_is_used_from_another_machine(
    machine: Machine, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = ("run", "--config", DIGITS, "--root", root, "--set", "evaluator.thresholds.accuracy.minimum=0.1")
    machine(1, *short, "--name", "real", "--set", "trainer.epochs=2", "--set", "tracking.tensorboard={}")
    shutil.rmtree(tmp_path / "cache-1")
    machine(2, "export", tmp_path / "exported", "--root", root, "--format", "keras")
    machine(2, *short, "--set", "trainer.epochs=1", "--until", "evaluator")
    machine(2, "compare", "real", "latest", "--root", root, "--html", tmp_path / "compared.html")
    monkeypatch.setenv("JOB_CACHE", str(tmp_path / "cache-3"))
    run = load_run("real", root)
    assert run.report is not None
    assert "How to reproduce" in run.report.read_text()
    assert len(run.history) == run.artifact("trainer").artifact.history[-1].epoch
    assert len(run.predictions) == len(run.examples("test").labels)
    assert run.model().predict(run.examples("test").images[:3])["prediction"].tolist()
    assert "report.html" in run._repr_html_()
