"""The page of a sweep as a file; tests/browser opens it."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from job.sweep.page import refresh_page
from job.sweep.page.page import SECONDS_PER_TRIAL, render_page
from job.sweep.page.parallel import Axis
from job.sweep.state import Sweep, SweepFolder
from tests.conftest import FAKES, Command, WriteConfig
from tests.support.sweeps import FILTERS, grid_sweep


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    folder = SweepFolder(tmp_path, "0123456789ab")
    folder.prepare()
    return folder


def in_progress(sweep: Sweep, results: int) -> Sweep:
    """Return the sweep when only some trials have results."""
    waiting = {"state": "waiting", "accuracy": None, "history": (), "run_ids": ()}
    trials = [*sweep.trials[:results], *(trial.model_copy(update=waiting) for trial in sweep.trials[results:])]
    return replace(sweep, trials=tuple(trials), winner=None)


@pytest.mark.parametrize("results", [0, 1, 5])
def test_page_is_complete_while_a_sweep_runs(results: int) -> None:
    page = render_page(in_progress(grid_sweep(), results))
    assert "IN PROGRESS" in page
    assert f"{results} finished, " in page or not results
    assert f"{12 - results} waiting" in page
    assert "on the test split" not in page


def test_page_of_a_sampler_without_trials_is_valid() -> None:
    sweep = grid_sweep()
    space = {"trainer.learning_rate.peak": {"log": [0.001, 0.1]}}
    head = sweep.head.model_copy(update={"sweep": {"space": space, "tpe": 20, "seed": 0}, "trial_count": 20})
    page = render_page(Sweep(head, (), None))
    assert "20 settings, chosen by the results of earlier ones" in page
    assert "20 trials: 20 waiting" in page


def test_texts_of_the_user_are_escaped() -> None:
    sweep = grid_sweep()
    hostile = "</script><script>alert(1)</script>\n\x1b[2J"
    trials = [trial.model_copy(update={"parameters": {**trial.parameters, FILTERS: hostile}}) for trial in sweep.trials]
    page = render_page(replace(sweep, trials=tuple(trials)))
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert "<b>not</b>" not in page, "a failure is text too"


def test_refresh_waits_after_the_page_was_written(folder: SweepFolder) -> None:
    sweep = grid_sweep()
    refresh_page(in_progress(sweep, 3), folder)
    before = folder.page.read_text()
    refresh_page(sweep, folder)
    assert folder.page.read_text() == before
    past = time.time() - SECONDS_PER_TRIAL * len(sweep.trials) - 1
    os.utime(folder.page, (past, past))
    refresh_page(sweep, folder)
    assert "FINISHED" in folder.page.read_text()
    assert not list(folder.directory.glob(".*")), "the draft was renamed"


@pytest.mark.thorough
def test_page_that_cannot_be_written_is_a_warning(
    mnist_job: Command, tmp_path: Path, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr("job.sweep.page.page.write_atomically", refuse)
    config = write_config({**FAKES, "sweep": {"trainer.saved_model": [False, True]}})
    outcome = mnist_job("sweep", "--config", config, "--root", tmp_path / "root")
    assert outcome.exit_code == 0
    assert "the page of the sweep was not written: read-only" in outcome.stdout + outcome.stderr


def test_axis_with_few_numbers_is_evenly_spaced_and_sorted() -> None:
    axis = Axis.of("epochs", [30, 3, 10, 3], str, logarithmic=False)
    assert axis.values == (3, 10, 30)
    low, middle, high = axis.pixels
    assert middle == pytest.approx((low + high) / 2, abs=0.02)


@pytest.mark.parametrize(("logarithmic", "middle"), [(True, 10.0), (False, 50.5)])
def test_axis_with_many_numbers_is_to_scale(logarithmic: bool, middle: float) -> None:
    values = [1, 2, 5, middle, 60, 70, 80, 90, 100]
    axis = Axis.of("rate", values, str, logarithmic=logarithmic)
    low, half, high = (axis.pixels[axis.values.index(value)] for value in (1, middle, 100))
    assert half == pytest.approx((low + high) / 2, abs=0.02)
