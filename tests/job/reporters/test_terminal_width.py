"""Output on terminals of 80 and 120 columns: complete, and without broken numbers or paths."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from components.base.errors import ConfigError
from job.config.config import load_config
from job.reporters.console import ConsoleReporter
from job.reporters.tables import print_run
from job.reporters.terminal import print_error, print_path
from job.runner.runner import run
from job.store.runs import Runs
from job.store.store import Store
from tests.conftest import FAKES, run_job_in_process
from tests.support.report_data import run_record

ANSI_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
TREE_GUIDES = re.compile("[│├└─]")
NUMBERS_AND_PATHS = "0.123456 of output/artifacts/trainer/78d3e3757924 differs, " * 5
at_both_widths = pytest.mark.parametrize("width", [80, 120])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the root `output`, in which two runs pushed models to `served`."""
    folder = tmp_path_factory.mktemp("width")
    trainer = {"use": "components.testing:FakeTrainer", "saved_model": True}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        pusher = {"destination": "served", "allow_rubber_stamped": True}
        Path("config.yaml").write_text(json.dumps({**FAKES, "trainer": trainer, "pusher": pusher}))
        for seed in (0, 1):
            config = load_config(Path("config.yaml"), [f"example_gen.seed={seed}"], root=Path("output"))
            run(config, console=Console(file=io.StringIO()))
    return folder


def check_output(terminal: str, plain: str, width: int) -> None:
    """Check that a terminal shows every word of the plain output in one piece, and no line that is too long."""
    terminal = ANSI_CODES.sub("", terminal)
    assert TREE_GUIDES.sub("", terminal).split() == TREE_GUIDES.sub("", plain).split()
    assert [line for line in terminal.splitlines() if len(line) > width] == []


def rendered(show: Callable[[Console], None], width: int | None = None) -> str:
    """Return the output on a terminal of the given width, or without a terminal."""
    file = io.StringIO()
    show(Console(file=file, force_terminal=width is not None, width=width or 1000))
    return file.getvalue()


@at_both_widths
@pytest.mark.parametrize("command", ["show", "show trainer/{fingerprint}", "verify", "gc --keep 1", "versions served"])
def test_commands_print_everything(folder: Path, command: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    fingerprint = next(step.fingerprint for step in Runs(Path("output")).read().steps if step.component == "trainer")
    arguments = command.format(fingerprint=fingerprint[:12]).split()
    options = [] if arguments[0] == "versions" else ["--root", "output"]
    plain = run_job_in_process(*arguments, *options)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    terminal = run_job_in_process(*arguments, *options)
    assert terminal.exit_code == plain.exit_code == 0
    # The age of an item changes; the directory of an artifact is longer than 80 columns and stays in one line.
    ignored = re.compile(r"\d+ s |^directory .*$", re.MULTILINE)
    shown, expected = (ignored.sub("", ANSI_CODES.sub("", result.stdout)) for result in (terminal, plain))
    check_output(shown, expected, width)


@at_both_widths
def test_reporter_prints_everything(folder: Path, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    record, store = Runs(Path("output")).read(), Store(Path("output"))

    def show(console: Console) -> None:
        reporter = ConsoleReporter(console)
        reporter.begin(record, Path("output"))
        for step in record.steps:
            reporter.end_step(step, store.read(step.component, store.directory(step.component, step.fingerprint)))
        reporter.message(NUMBERS_AND_PATHS)
        reporter.warning(NUMBERS_AND_PATHS)
        print_error(console, ConfigError(NUMBERS_AND_PATHS, expected=NUMBERS_AND_PATHS, remedy=NUMBERS_AND_PATHS))

    check_output(rendered(show, width), rendered(show), width)


@at_both_widths
def test_epoch_is_one_line(width: int) -> None:
    def show(console: Console) -> None:
        reporter = ConsoleReporter(console)
        reporter.epoch_begin(epoch=12, epochs=28, steps=1875)
        reporter.training_step(step=1875, images=60_000, metrics={"loss": 0.5, "accuracy": 0.875})
        if reporter.progress is not None:
            reporter.progress.refresh()
        reporter.epoch_end(metrics={"loss": 0.4, "accuracy": 0.9, "val_loss": 0.3, "val_accuracy": 0.95})

    lines = ANSI_CODES.sub("", rendered(show, width)).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= width
    assert any("1875/1875 loss 0.5000  accuracy 0.8750" in line and "images/s" in line for line in lines)
    assert any("loss 0.4000  accuracy 0.9000  val_loss 0.3000  val_accuracy 0.9500" in line for line in lines)


@at_both_widths
def test_run_of_all_parts_is_complete(width: int) -> None:
    def show(console: Console) -> None:
        print_run(console, record, Path("output/runs") / record.run_id)

    record = run_record()
    check_output(rendered(show, width), rendered(show), width)


def test_path_moves_to_its_own_line_if_it_fits_there() -> None:
    path = "/" + "x" * 75
    assert rendered(lambda console: print_path(console, "record", path), 80) == f"record\n  {path}\n"
    longer = "/" + "x" * 90
    assert rendered(lambda console: print_path(console, "record", longer), 80) == f"record        {longer}\n"
