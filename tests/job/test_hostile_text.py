"""Hostile texts from data, paths and components: no command, log or page contains them raw."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.base.errors import ConfigError, DataError
from components.example_gen.sources import ImageFolderSource
from job.options import RunOptions
from job.store.resolved_model import resolve_model
from job.store.runs import Runs
from tests.conftest import FAKES, Command, CommandResult, WriteConfig
from tests.support.text import HOSTILE, check_printable

ROOT = "r\x1b[31m\u202e[/b]:cat:"
FILES = [b"e\x1b[31m.png", "r\u202e.png".encode(), b"n\nl.png", b"caf\xe9.png", b"[b].png"]


def configured(**components: str) -> dict[str, Any]:
    return FAKES | {slot: {"use": f"tests.support.components:{name}"} for slot, name in components.items()}


def check(result: CommandResult, exit_code: int) -> str:
    """Check the exit code and the output of a command, and return its standard output."""
    assert result.exit_code == exit_code, result.stderr
    check_printable(result.stdout)
    check_printable(result.stderr)
    return result.stdout


@pytest.fixture
def termination_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "termination-log"
    monkeypatch.setenv("JOB_TERMINATION_LOG", str(path))
    return path


def test_no_command_prints_a_hostile_text_raw(mnist_job: Command, write_config: WriteConfig, tmp_path: Path) -> None:
    config, root = write_config(configured(example_gen="HostileExampleGen")), tmp_path / ROOT
    run = ("run", "--config", config, "--root", root)
    printed = check(mnist_job(*run), 0)
    assert r"\x1b[31mred\u202e[/b] [bold]<b>|`$\x$\n\x9blong long" in printed
    assert r"/r\x1b[31m\u202e[/b]:cat:/runs/" in printed
    check(mnist_job(*run, "--log-format", "json"), 0)
    record = json.loads(check(mnist_job(*run, "--json"), 0))
    assert record["config"]["root"] == str(root)
    examples = Path(record["steps"][0]["path"])
    for command in ("show", f"show {examples.parent.name}/{examples.name}", "verify", "gc --keep 1"):
        check(mnist_job(*command.split(" "), "--root", root), 0)
    check(mnist_job("predict", "--root", root, tmp_path / "no\x1b\u202e.png"), 3)
    check(mnist_job("run", "--config", tmp_path / "no\x1b\u202e.yaml"), 2)
    check(mnist_job("show", "no\x1b\u202e", "--root", root), 2)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_failure_is_reported_printable_and_without_secrets(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, termination_log: Path, log_format: str
) -> None:
    config = write_config(configured(trainer="HostileTrainer"))
    check(mnist_job("run", "--config", config, "--root", tmp_path / ROOT, "--log-format", log_format), 1)
    check_printable(termination_log.read_text())
    record = (tmp_path / ROOT / "runs" / "latest" / "run.json").read_text()
    check_printable(record)
    assert json.loads(record)["failure"]["headline"].startswith(r"internal error: ValueError: \x1b[31mred\u202e[/b]")


@pytest.mark.parametrize("uri", ["https://me:a5ecret@host", "https://host?api_key=a5ecret"])
@pytest.mark.parametrize("key", ["tracking.mlflow.uri", "trainer.nonsense", "root"])
def test_secret_on_the_command_line_is_in_no_message(
    mnist_job: Command,
    fake_config: Path,
    tmp_path: Path,
    termination_log: Path,
    monkeypatch: pytest.MonkeyPatch,
    uri: str,
    key: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    check(mnist_job("run", "--config", fake_config, "--set", f"{key}={uri}"), 2)
    check_printable(termination_log.read_text())
    assert not (tmp_path / "https:").exists(), "the URI is not used as a path"


def test_overridden_secret_is_not_in_the_record_or_command(
    mnist_job: Command, fake_config: Path, tmp_path: Path
) -> None:
    overrides = ["tracking.mlflow.uri=https://me:a5ecret@host", "tracking.mlflow=null"]
    arguments = ["run", "--config", fake_config, "--root", tmp_path / "root", "--until", "nonsense"]
    check(mnist_job(*arguments, *(word for override in overrides for word in ("--set", override))), 2)
    command = RunOptions(config=fake_config, overrides=overrides).command()
    assert command.endswith("--set tracking.mlflow.uri=https://host --set tracking.mlflow=null")


def test_file_names_are_exact_in_data_and_escaped_for_people(
    mnist_job: Command, finished_root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pic\x1b[31mtures"
    folder.mkdir()
    (folder / "skipped.txt").touch()  # one warning names the folder
    for name in FILES:
        Image.fromarray(np.zeros((16, 16), dtype=np.uint8)).save(folder / os.fsdecode(name), format="png")
    predict = ("predict", folder, "--root", finished_root, "--format")
    table = check(mnist_job(*predict, "table"), 0)
    assert len(table.splitlines()) == 1 + len(FILES)
    assert r"/caf\udce9.png" in table
    lines = check(mnist_job(*predict, "jsonl"), 0).splitlines()
    assert {os.fsencode(Path(json.loads(line)["path"]).name) for line in lines} == {*FILES}
    rows = csv.DictReader(mnist_job(*predict, "csv").stdout.splitlines(keepends=True))
    assert {Path(row["path"]).name for row in rows} == {
        name.decode("utf-8", "backslashreplace").replace("xe9", "udce9") for name in FILES
    }


@pytest.mark.parametrize(
    ("path", "exit_code"),
    [(b"1/caf\xe9.png", 3), (b"caf\xe9/1.png", 3), (b"\x1b[31m/1.png", 3), ("\u202e/1.png".encode(), 3)],
)
def test_training_data_with_unusable_names_are_refused(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, path: bytes, exit_code: int
) -> None:
    for name in (b"1/a.png", b"2/a.png", path):
        file = tmp_path / "data" / os.fsdecode(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).save(file, format="png")
    with pytest.raises(DataError):
        ImageFolderSource(kind="image_folder", path=tmp_path / "data").identity()  # before the pictures are read
    source = {"kind": "image_folder", "path": str(tmp_path / "data")}
    config = write_config({**FAKES, "example_gen": {"source": source}})
    result = mnist_job("run", "--config", config, "--root", tmp_path / "root")
    check(result, exit_code)
    assert "rename" in result.stderr
    assert not list((tmp_path / "root" / "artifacts").glob("*/*"))


def test_record_of_a_run_can_have_any_text(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    record = runs.begin(config={"a\udcff": ["\ud800", "\U0001f600", "\\ud800"]}, environment={"revision": HOSTILE})
    assert runs.read(record.run_id) == record
    assert record.config == {r"a\udcff": [r"\ud800", "\U0001f600", r"\ud800"]}
    assert record.environment["revision"] == HOSTILE
    check_printable((runs.path(record.run_id) / "run.json").read_text(), has_secrets=True)


def test_link_to_a_path_that_is_not_utf8_is_refused(finished_root: Path, tmp_path: Path) -> None:
    finished_root.rename(tmp_path / "caf\udce9")
    (tmp_path / "link").symlink_to("caf\udce9")
    with pytest.raises(ConfigError, match=r"^--model: the path .*caf\\udce9.* is not UTF-8"):
        resolve_model(finished_root, str(tmp_path / "link" / "runs" / "latest"))
