"""The frame around every command: standard streams, signals, and one sentence for every failure."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from job.cli import app
from job.errors import as_job_error
from tests.conftest import FAKES, Command, WriteConfig, run_job_process
from tests.support.cases import parametrize_sample
from tests.support.processes import REPOSITORY, environment, interfered, start

COMMANDS = {
    "run": ("--config", "config.yaml"),
    "plan": ("--config", "config.yaml"),
    "sweep": ("--config", "config.yaml"),
    "reproduce": ("latest",),
    "show": (),
    "runs": (),
    "compare": ("latest", "latest-blessed"),
    "tag": (),
    "verify": (),
    "predict": ("image.png",),
    "export": ("exports",),
    "gc": (),
    "doctor": (),
    "versions": ("served",),
    "rollback": ("served",),
    "schema": (),
}
PRINTING = ["--help", "run --help", "schema", "show", "show --json", "runs", "verify", "gc --keep 1"]
"""Commands that print something on standard output and take no time."""


def test_every_command_is_covered() -> None:
    assert {command.callback.__name__ for command in app.registered_commands if command.callback} == set(COMMANDS)


# Standard streams.


def run_with_output(stream: io.TextIOBase, arguments: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command in this process with a standard output, and return the exit code."""
    monkeypatch.setenv("JOB_ROOT", str(root))
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(SystemExit) as raised:
        app(arguments.split(), prog_name="mnist-job")
    assert isinstance(raised.value.code, int)
    return raised.value.code


@parametrize_sample(3, "arguments", PRINTING)
def test_full_standard_output_is_one_sentence_and_code_1(
    finished_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: str
) -> None:
    with Path("/dev/full").open("w") as full:
        assert run_with_output(full, arguments, finished_root, monkeypatch) == 1
    assert capsys.readouterr().err == "error: cannot write to standard output: No space left on device\n"


@parametrize_sample(3, "arguments", PRINTING)
def test_a_reader_that_is_gone_changes_nothing(
    finished_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        assert run_with_output(pipe, arguments, finished_root, monkeypatch) == 0
    assert capsys.readouterr().err == ""


@parametrize_sample(3, "arguments", PRINTING)
def test_characters_outside_of_ascii_are_replaced(
    finished_root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: str
) -> None:
    with (tmp_path / "printed").open("w", encoding="ascii") as file:
        assert run_with_output(file, arguments, finished_root.rename(tmp_path / "rööt"), monkeypatch) == 0
    assert (tmp_path / "printed").read_text(encoding="ascii")


def test_a_full_log_of_a_run_does_not_fail_the_run(
    fake_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = f"run --config {fake_config} --until example_gen"
    for option, exit_code in (("--log-format json", 0), ("--json", 1)):
        with Path("/dev/full").open("w") as full:
            assert run_with_output(full, f"{arguments} {option}", tmp_path / "root", monkeypatch) == exit_code
        assert "cannot write to standard output" in capsys.readouterr().err


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_log_without_a_reader_does_not_end_the_run(
    fake_config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    log_format: str,
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        arguments = f"run --config {fake_config} --log-format {log_format}"
        assert run_with_output(pipe, arguments, tmp_path / "root", monkeypatch) == 0
    assert capsys.readouterr().err == ""
    assert json.loads((tmp_path / "root/runs/latest/run.json").read_text())["outcome"] == "succeeded"


def closed_streams(numbers: str, *command: object) -> subprocess.CompletedProcess[str]:
    """Run a command with some standard streams closed before its start."""
    closing = " ".join(f"{number}>&-" for number in numbers)
    words = ["sh", "-c", f'exec "$@" {closing}', "sh", sys.executable, *map(str, command)]
    return subprocess.run(words, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("numbers", ["0", "1", "2", "012"])
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path, numbers: str) -> None:
    """It would receive the output of libraries that write to standard output."""
    program = (
        "import sys; from job.reporters.streams import pipe_safe_streams\n"
        "with pipe_safe_streams(), open(sys.argv[1], 'w') as file:\n"
        "    print('text', file.fileno(), sys.stdin.read(), file=sys.stderr)\n"
        "    print('text', file=file)"
    )
    assert closed_streams(numbers, "-c", program, tmp_path / "file").returncode == 0
    assert (tmp_path / "file").read_text() == "text\n"


@pytest.mark.parametrize("kind", ["reused", pytest.param("new", marks=pytest.mark.thorough)])
def test_a_command_without_standard_streams_succeeds(finished_root: Path, fake_config: Path, kind: str) -> None:
    root = finished_root if kind == "reused" else finished_root / "new"
    (finished_root / "runs" / "latest").unlink()
    assert closed_streams("012", "-m", "job", "run", "--config", fake_config, "--root", root).returncode == 0
    assert json.loads((root / "runs/latest/run.json").read_text())["outcome"] == "succeeded"
    assert closed_streams("012", "-m", "job", "show", "--root", root / "none").returncode == 2


# Failures.


def raising(kind: str) -> str:
    """Return a module that raises when it is imported, or whose trainer raises when it runs."""
    return f"""
import os
from components import Model, Stored, TransformedExamples
from components.testing import FakeTrainer

class Own(BaseException):
    pass

if os.environ.get("AT_IMPORT"):
    raise {kind}("oh")

class Raising(FakeTrainer):
    def run(self, context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        raise {kind}("oh")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Return a function that writes a module, which `use` can import, and returns its name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(source: str) -> str:
        name = f"module_{tmp_path.name}"
        (tmp_path / f"{name}.py").write_text(source)
        return name

    return write


@parametrize_sample(1, "kind", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "Own", "RecursionError"])
def test_a_component_may_raise_anything(
    mnist_job: Command,
    write_config: WriteConfig,
    tmp_path: Path,
    module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    name = module(raising(kind))
    config = write_config({**FAKES, "trainer": {"use": f"{name}:Raising"}})
    arguments = ("run", "--config", config, "--root", tmp_path / "root")
    monkeypatch.setenv("AT_IMPORT", "1")
    at_import = mnist_job(*arguments)
    assert at_import.exit_code == 2
    assert f"{name} cannot be imported: {kind}: oh" in at_import.stderr
    assert not (tmp_path / "root").exists()
    monkeypatch.delenv("AT_IMPORT")
    while_running = mnist_job(*arguments)
    assert while_running.exit_code == 1
    assert f"error: internal error: {kind}: oh" in while_running.stderr
    record = json.loads((tmp_path / "root/runs/latest/run.json").read_text())
    assert (record["outcome"], record["failure"]["component"]) == ("failed", "trainer")


@pytest.mark.parametrize(
    ("error", "exit_code", "headline"),
    [
        (OSError(errno.EACCES, "Permission denied", "/a"), 2, "/a: Permission denied"),
        (OSError(errno.ENAMETOOLONG, "File name too long", b"/a"), 2, "/a: File name too long"),
        (OSError(errno.EROFS, "Read-only file system"), 2, "Read-only file system"),
        (OSError(errno.EMFILE, "Too many open files", "/a"), 5, "/a: Too many open files"),
        (OSError(errno.EIO, "Input/output error", "/a"), 5, "/a: Input/output error"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 5, "there is not enough memory"),
        (MemoryError(), 5, "there is not enough memory"),
        (OSError(errno.EFBIG, "File too large"), 5, "a file is larger than the limit for this process (`ulimit -f`)"),
        (OSError(errno.ENOSPC, "No space left on device", "/a"), 1, "no space for "),
        (FileNotFoundError(errno.ENOENT, "No such file", "/a"), 1, "internal error: FileNotFoundError: "),
        (RecursionError("too deep"), 1, "internal error: RecursionError: too deep"),
        (KeyboardInterrupt(), 1, "internal error: KeyboardInterrupt: KeyboardInterrupt"),
    ],
)
def test_every_exception_has_an_exit_code(error: BaseException, exit_code: int, headline: str) -> None:
    found = as_job_error(error)
    assert found.exit_code == exit_code
    assert found.headline.startswith(headline)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_deleted_working_directory_is_reported(
    mnist_job: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "deleted").mkdir()
    monkeypatch.chdir(tmp_path / "deleted")
    (tmp_path / "deleted").rmdir()
    outcome = mnist_job(command, *COMMANDS[command])
    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("error: the working directory cannot be used: No such file or directory\n")
    assert mnist_job(command, "--help").exit_code == 0


LONG = "n" * 300


@pytest.mark.parametrize(
    "arguments",
    [
        *(f"{command} --root {LONG}" for command in ("show", "verify", "predict x", "export x", "gc", "doctor")),
        *(f"{command} {LONG}" for command in ("export", "versions", "rollback")),
        f"run --config {LONG}",
        f"run --config config.yaml --root {LONG}",
        f"run --config config.yaml --set pusher.destination={LONG}",
        f"predict x --show {LONG}",
        f"predict x --model {LONG}",
        "versions ~no-such-user/served",
        "predict x --model ~no-such-user",
    ],
)
def test_an_impossible_path_is_reported_before_any_work(
    mnist_job: Command, finished_root: Path, fake_config: Path, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    monkeypatch.chdir(fake_config.parent)
    monkeypatch.setenv("JOB_ROOT", str(finished_root))
    outcome = mnist_job(*arguments.split())
    assert outcome.exit_code == 2
    headline, *_ = outcome.stderr.splitlines()
    assert headline.startswith("error: ")
    problems = ("name of 300 bytes", "File name too long", "no-such-user", "has no run or artifact")
    assert any(problem in headline for problem in problems)
    assert len(outcome.stderr.splitlines()) <= 3
    assert len(list((finished_root / "runs").glob("*/run.json"))) == 2  # the run, and the link to the latest


def test_a_usage_error_has_the_form_of_every_error(mnist_job: Command) -> None:
    outcome = mnist_job("show", "--rooot", "x")
    assert outcome.exit_code == 2
    assert outcome.stderr == (
        "error: No such option: --rooot (Possible options: --root)\n"
        "  remedy:   `mnist-job show --help` lists what is possible\n"
    )
    assert outcome.stdout == ""


@pytest.mark.thorough
def test_a_limit_of_file_size_is_a_missing_resource(tmp_path: Path, write_config: WriteConfig) -> None:
    config = write_config({**FAKES, "example_gen": {"source": {"kind": "digits"}, "use": None}})
    config.write_text(config.read_text().replace("  use: null\n", ""))
    job = [sys.executable, "-m", "job", "run", "--config", str(config), "--root", str(tmp_path / "root")]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 200 && exec "$@"', "sh", *job],
        cwd=REPOSITORY,
        env={**environment(), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5, done.stderr
    assert "error: a file is larger than the limit of 102.4 kB for this process (`ulimit -f`)" in done.stderr
    assert not list(tmp_path.rglob("manifest.json"))


def printed_without_docstrings(*arguments: str) -> str:
    command = [sys.executable, "-OO", "-m", "job", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=True).stdout


@pytest.mark.thorough
def test_schema_is_the_same_in_a_python_without_docstrings() -> None:
    schema = (REPOSITORY / "configs/schema.json").read_text()
    assert json.loads(printed_without_docstrings("schema")) == json.loads(schema)


@pytest.mark.thorough
def test_works_in_a_python_without_docstrings(finished_root: Path) -> None:
    assert printed_without_docstrings("--help") == run_job_process("--help").stdout
    assert "5 artifacts verified" in printed_without_docstrings("verify", "--root", str(finished_root))


# Signals.


SLEEPING = """
import os, signal, time
{caught}
os.kill(os.getpid(), signal.{number})
time.sleep(40)
"""
CAUGHT = """
try:
    os.kill(os.getpid(), signal.{number})
    time.sleep(40)
except BaseException:
    pass
"""


@parametrize_sample(
    1, ("number", "caught"), [("SIGTERM", ""), ("SIGINT", ""), ("SIGTERM", CAUGHT)], ids=("SIGTERM", "SIGINT", "caught")
)
def test_a_signal_interrupts_the_loading_of_a_configuration(
    mnist_job: Command,
    write_config: WriteConfig,
    tmp_path: Path,
    module: Callable[[str], str],
    number: str,
    caught: str,
) -> None:
    """Also if the module that is imported catches every exception."""
    name = module(SLEEPING.format(number=number, caught=caught.format(number=number)))
    config = write_config({**FAKES, "trainer": {"use": f"{name}:Trainer"}})
    outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root")
    assert outcome.exit_code == 143
    assert f"error: the job was interrupted ({number})" in outcome.stderr
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    "command",
    [
        "verify",
        *(pytest.param(command, marks=pytest.mark.thorough) for command in ("show", "gc", "doctor", "versions served")),
    ],
)
def test_a_signal_interrupts_every_command(finished_root: Path, command: str) -> None:
    destination = finished_root.parent / "served"
    (destination / "1").mkdir(parents=True)
    (destination / "1" / "saved_model.pb").touch()
    opened = {"doctor": "*/.writable-*", "gc": "*/run.json", "versions served": "*/saved_model.pb"}
    name, *arguments = command.replace("served", str(destination)).split()
    plan = {"at": "open", "path": opened.get(command, "*/manifest.json"), "do": "TERM"}
    options = () if arguments else ("--root", finished_root)
    done = interfered(plan, name, *arguments, *options)
    assert (done.returncode, done.stdout) == (143, "")
    assert done.stderr.splitlines()[0] == "error: the job was interrupted (SIGTERM)"
    assert len(done.stderr.splitlines()) == 2


def test_a_signal_before_the_first_import_is_code_143(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(40)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "job", "--help"],
        cwd=REPOSITORY,
        env={**environment(), "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (143, b"", b"")


@pytest.mark.thorough
def test_a_signal_ends_a_command_whose_reader_is_stuck() -> None:
    with start("schema") as process:
        assert process.stdout is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        process.stdout.read(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
