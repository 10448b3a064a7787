"""Output on terminals of 80 and 120 columns: complete, and without broken numbers or paths."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from components.base.errors import ConfigError
from job import run
from job.config.config import load_config
from job.reporters.console import ConsoleReporter
from job.reporters.tables import print_run
from job.reporters.terminal import print_error, print_path
from job.store.runs import Runs
from job.store.store import Store
from tests.conftest import FAKES, run_job_in_process
from tests.support.cases import parametrize_sample
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
@parametrize_sample(4, "command", ["show", "show trainer/{fingerprint}", "verify", "gc --keep 1", "versions served"])
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


@pytest.mark.parametrize(("width", "bar"), [(60, 0), (80, 4), (100, 24), (120, 24)])  # at 60 columns without the speed
def test_bar_shrinks_before_the_text(width: int, bar: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def show(console: Console) -> None:
        reporter = ConsoleReporter(console)
        reporter.epoch_begin(epoch=12, epochs=28, steps=1875)
        assert reporter.progress is not None
        reporter.progress.refresh()
        now[0] += 4
        reporter.training_step(step=1875, images=60_000, metrics={"loss": 0.5, "accuracy": 0.875})
        reporter.progress.refresh()
        reporter.epoch_end(metrics={"loss": 0.4, "accuracy": 0.9, "val_loss": 0.3, "val_accuracy": 0.95})

    now = [100.0]
    monkeypatch.setattr("job.reporters.console.time.perf_counter", lambda: now[0])
    lines = ANSI_CODES.sub("", rendered(show, width)).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= width
    before, after = (next(line for line in lines if f" {step}/1875 " in line) for step in ("   0", "1875"))
    assert re.match(f" epoch 12/28 ━{{{bar}}} ", after)
    speed = width >= 80
    assert before.split(" ━")[-1].endswith("loss      -  accuracy      - " + "     - images/s " * speed + "-:--:--")
    assert "loss 0.5000  accuracy 0.8750 " + "15,000 images/s " * speed in after
    assert "…" not in "".join(lines)
    assert any("loss 0.4000  accuracy 0.9000  val_loss 0.3000" in line for line in lines)


@pytest.mark.parametrize("width", [40, 80])
def test_current_part_is_shown_and_leaves_no_trace(folder: Path, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def show(console: Console) -> None:
        config = load_config(Path("config.yaml"), ["example_gen.seed=2"], root=Path(f"output-{width}"))
        run(config, console=console)

    monkeypatch.chdir(folder)
    written = rendered(show, width)
    parts = re.findall(r"(\w+): ([\w-]+) \.\.\.", ANSI_CODES.sub("", written))
    assert [part for step, part in parts if step == "example_gen"][-2:] == ["look-up", "sealing"]
    assert {step for step, _ in parts} == {"example_gen", "transform", "trainer", "evaluator", "visualizer", "pusher"}
    assert "..." not in final_screen(written)


def test_messages_appear_above_the_current_part() -> None:
    def show(console: Console) -> None:
        reporter = ConsoleReporter(console)
        reporter.begin_step("example_gen")
        reporter.begin_part("a part with a long name")
        reporter.message("short")
        reporter.warning("odd")

    assert final_screen(rendered(show, 80)).splitlines() == [
        "  short",
        "warning: odd",
        "example_gen: a part with a long name ...",
    ]
    assert rendered(show) == "  short\nwarning: odd\n"


def final_screen(written: str) -> str:
    """Return what a terminal displays in the end: a carriage return goes back, and `ESC [ 2 K` erases the line."""
    lines = []
    for written_line in written.split("\n"):
        line = ""
        for piece in re.split(r"(\r|\x1b\[2K)", written_line):
            text = ANSI_CODES.sub("", piece)
            line = "" if piece == "\x1b[2K" else line if piece == "\r" else text + line[len(text) :]
        lines.append(line)
    return "\n".join(lines)


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
