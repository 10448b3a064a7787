"""The benchmark: its peers run, its arithmetic is right, and it loses no results. Timings are not asserted.

`make thorough` runs these tests; `make test ARGS="tests/benchmarks -m thorough"` runs only these.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks import commands, disturbance, workers
from tests.benchmarks.claims import Claim, check_claims, cpu_to_accuracy
from tests.benchmarks.comparison import in_rounds, run_comparison
from tests.benchmarks.corrections import FILE_LABELS, MAJORITY_LABELS, corrected_accuracy
from tests.benchmarks.disturbance import CpuTimes, Disturbance, Watch, processors, undisturbed
from tests.benchmarks.experiments import measure_variant
from tests.benchmarks.growth import COMPONENTS, GrowthPlan, GrowthPoint, measure_growth
from tests.benchmarks.growth_plot import draw_growth
from tests.benchmarks.large import LargeData
from tests.benchmarks.machine import torch_version
from tests.benchmarks.measure import ProcessMeasurement, measure_process
from tests.benchmarks.options import parse, select_seeds
from tests.benchmarks.peers.common import read_idx
from tests.benchmarks.process_tree import read_tree
from tests.benchmarks.programs import (
    PROGRAMS,
    Inputs,
    Peer,
    Preset,
    Program,
    ProgramOutput,
    idx_source,
    parse_peer_result,
    parse_run_record,
    preset_path,
)
from tests.benchmarks.remote import measure_remote
from tests.benchmarks.results import ResultsFile, earlier_measurements
from tests.benchmarks.resuming import VARIANTS, measure_checkpoints, measure_termination
from tests.benchmarks.samples import Sample, ratio, summarize
from tests.benchmarks.scaling import fit_exponent, fit_scalings
from tests.benchmarks.synthetic import write_synthetic
from tests.benchmarks.workers import Model, measure_workers, modelled_step
from tests.conftest import FAKES
from tests.support import namespaces
from tests.support.data import write_idx_folder
from tests.support.processes import REPOSITORY, environment

pytestmark = pytest.mark.thorough

PYTHON = sys.executable
TORCH = os.environ.get("TORCH") or PYTHON
"""Set by `make thorough TORCH=python`."""
BY_NAME = {program.name: program for program in PROGRAMS}
GB = 1_000_000_000


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a few hundred synthetic images."""
    return write_idx_folder(tmp_path_factory.mktemp("tiny"), train=400, test=100, gz=True)


def run_peer(name: str, folder: Path, scratch: Path, *more: str) -> dict[str, Any]:
    """Run a peer as a user does and return the JSON object of its last line."""
    command = BY_NAME[name].command(Inputs(mnist=folder, torch=TORCH), seed=1, scratch=scratch)
    measured = measure_process([*command, *more], timeout=300)
    assert not measured.failure
    result: dict[str, Any] = json.loads(measured.stdout.splitlines()[-1])
    assert result["training"].keys() == {"seconds", "cpu_seconds"}
    return result


class TestPeers:
    def test_bare_script_writes_the_files_of_the_job(self, tiny: Path, tmp_path: Path) -> None:
        result = run_peer("bare", tiny, tmp_path / "out")
        assert {"read", "import TensorFlow", "predict", "draw", "training"} < result["parts"].keys()
        written = {path.name for path in (tmp_path / "out").iterdir()}
        splits = {f"{split}{rest}" for split in ("train", "validation", "test") for rest in (".parquet", "_images.npy")}
        figures = {"curves", "confusion_matrix", "feature_maps", "class_distribution", "mistakes"}
        assert splits | {f"{figure}.png" for figure in figures} < written
        assert {"model.keras", "saved_model", "history.csv", "metrics.json", "predictions.parquet"} < written
        assert np.load(tmp_path / "out" / "validation_images.npy").shape == (40, 28, 28, 1)

    def test_plain_script_reports_its_accuracy_for_every_epoch(self, tiny: Path, tmp_path: Path) -> None:
        result = run_peer("plain-keras", tiny, tmp_path / "out", "--epochs", "2")
        assert result["parameters"] == 138_506
        assert [point["epoch"] for point in result["curve"]] == [1, 2]
        first, second = (point["cpu_seconds"] for point in result["curve"])
        assert 0 < first < second <= result["training"]["cpu_seconds"]
        assert result["excluded"]["cpu_seconds"] > 0
        assert len(list((tmp_path / "out").glob("*.png"))) == 3

    def test_keras_example_runs(self, tiny: Path, tmp_path: Path) -> None:
        assert run_peer("keras-io", tiny, tmp_path, "--epochs", "1")["parameters"] == 34_826

    @pytest.mark.parametrize(("name", "parameters"), [("record", 215_194), ("pytorch-basic", 1_199_882)])
    def test_pytorch_recipes_run(self, name: str, parameters: int, tiny: Path, tmp_path: Path) -> None:
        if torch_version(TORCH) is None:
            pytest.skip("PyTorch is missing (make thorough TORCH=python selects an interpreter)")
        result = run_peer(name, tiny, tmp_path, "--epochs", "1")
        assert result["parameters"] == parameters
        assert 0 <= result["accuracy"] <= 1

    def test_pytorch_peers_are_skipped_without_pytorch(self, tiny: Path) -> None:
        missing = {
            name
            for name, one in BY_NAME.items()
            if isinstance(one, Peer) and one.why_missing(Inputs(mnist=tiny, torch=None))
        }
        assert missing == {"record", "record-1", "pytorch-basic"}

    def test_peers_import_nothing_of_the_project(self) -> None:
        for script in (REPOSITORY / "tests" / "benchmarks" / "peers").glob("*.py"):
            for package in ("components", "job", "tests"):
                assert f"import {package}" not in script.read_text()
                assert f"from {package}" not in script.read_text()


def in_child(code: str) -> str:
    """Return code that runs other code in a child process."""
    return f"subprocess.run([sys.executable, '-c', {code!r}])"


class TestMeasuring:
    def test_reports_time_and_memory_of_the_process(self) -> None:
        work = "import time\nheld = bytearray(300_000_000)\nwhile time.process_time() < 0.3: pass\nprint('done')"
        measured = measure_process([PYTHON, "-c", work], timeout=60)
        assert measured.stdout == "done\n"
        assert measured.peak > 300_000_000
        assert measured.cpu >= 0.3
        assert measured.failure == ""

    def test_process_is_killed_after_the_timeout(self) -> None:
        measured = measure_process([PYTHON, "-c", "import time; time.sleep(600)"], timeout=0.3)
        assert measured.exit_code == -9
        assert measured.failure.startswith("not finished after")

    def test_child_processes_are_included(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tests.benchmarks.measure.TREE_SECONDS", 0.05)
        work = "import time\nwhile time.process_time() < 0.4: pass"
        both = f"{work}\nimport subprocess, sys\n{in_child(work)}"
        measured = measure_process([PYTHON, "-c", both], timeout=60)
        assert 0.3 < measured.own_cpu < 0.6
        assert measured.cpu >= 0.8
        assert measured.tree_peak >= measured.peak

    def test_memory_of_child_processes_is_added(self) -> None:
        held = "held = bytearray(200_000_000)\nprint(flush=True)\ninput()"
        parent = f"import subprocess, sys\nheld = bytearray(200_000_000)\n{in_child(held)}"
        with subprocess.Popen([PYTHON, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            usage = read_tree(process.pid)
            process.communicate(b"\n")
        assert 400_000_000 < usage.resident < 500_000_000
        assert usage.cpu >= usage.own_cpu

    def test_server_does_not_disturb_a_run(self) -> None:
        server = iter([10.0, 1010.0])
        measured = measure_process([PYTHON, "-c", ""], timeout=60, server_cpu=server.__next__)
        assert measured.disturbance.other_cpu == 0

    def test_failure_contains_the_error_output(self) -> None:
        measured = measure_process([PYTHON, "-c", "raise SystemExit('there is no such thing')"], timeout=60)
        assert "exit code 1" in measured.failure
        assert "there is no such thing" in measured.failure


class EchoProgram(Program):
    """Prints its title, which is parsed as its accuracy."""

    def why_missing(self, inputs: Inputs) -> str:  # noqa: ARG002
        return ""

    def command(self, inputs: Inputs, *, seed: int, scratch: Path) -> list[str]:  # noqa: ARG002
        return [PYTHON, "-c", f"print({self.title!r}.format(seed={seed}))"]

    def parse(self, stdout: str) -> ProgramOutput:
        return ProgramOutput(accuracy=float(stdout), training=0.0, training_wall=0.0)


@pytest.fixture
def results(tmp_path: Path) -> ResultsFile:
    return ResultsFile(tmp_path / "bench.json", machine={})


class TestComparison:
    def test_every_program_runs_once_in_each_round(self) -> None:
        often, seldom = (EchoProgram(name=name, title="", rounds=0) for name in ("often", "seldom"))
        turns = [(number, one.name, seed) for number, one, seed in in_rounds({often: [0, 1, 2], seldom: [7]})]
        assert turns == [(0, "often", 0), (0, "seldom", 7), (1, "often", 1), (2, "often", 2)]

    def test_results_are_on_disk_and_a_failure_stops_no_other(
        self, results: ResultsFile, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        good, bad = (EchoProgram(name=title, title=title, rounds=2) for title in ("0.{seed}", "nothing"))
        failing = Peer(name="failing", title="failing", rounds=2, script="there_is_none.py")
        inputs = Inputs(mnist=tiny, torch=None)
        seeds = {bad: [0, 1], failing: [0, 1], good: [2, 3]}
        samples = run_comparison(seeds, inputs, scratch=tmp_path, timeout=60, results=results, attempts=1)
        assert [(one.program, one.seed, bool(one.failure)) for one in samples] == [
            ("nothing", 0, True),
            ("failing", 0, True),
            ("0.{seed}", 2, False),
            ("0.{seed}", 3, False),
        ]
        written = json.loads(results.path.read_text())["samples"]
        assert [sample["accuracy"] for sample in written] == [None, None, 0.2, 0.3]
        assert results.has_failures
        assert "FAILED: failing, seed 0" in capsys.readouterr().out

    def test_resumed_comparison_keeps_valid_samples(self, tiny: Path, tmp_path: Path) -> None:
        program = EchoProgram(name="echo", title="0.{seed}", rounds=2)
        machine, arguments = {"processor": "p", "load_average": (1, 2, 3)}, ["comparison"]

        def run(**kept: Any) -> ResultsFile:
            results = ResultsFile(tmp_path / "bench.json", arguments=arguments, machine=machine, code="c", **kept)
            inputs = Inputs(mnist=tiny, torch=None)
            run_comparison({program: [7, 8]}, inputs, scratch=tmp_path, timeout=60, results=results, attempts=1)
            return results

        earlier = run()
        first, second = earlier.items("samples", Sample)
        earlier.put("samples", [first, change(second, failure="killed")])
        moved = {**machine, "load_average": (0, 0, 0)}
        kept = earlier_measurements(earlier.path, arguments=arguments, machine=moved, code="c")
        again = run(**kept).items("samples", Sample)
        assert (again[0].cpu, again[0].disturbance) == (first.cpu, first.disturbance)
        assert (again[1].seed, again[1].failure) == (8, "")
        same: dict[str, Any] = {"arguments": arguments, "machine": machine, "code": "c"}
        others: list[dict[str, Any]] = [{"arguments": []}, {"machine": {"processor": "q"}}, {"code": "d"}]
        for other in others:
            with pytest.raises(SystemExit, match="has results of"):
                earlier_measurements(earlier.path, **same | other)
        with pytest.raises(SystemExit, match="there is no interrupted benchmark"):
            earlier_measurements(tmp_path / "none.json", arguments=[], machine={}, code="")

    def test_excluded_time_is_separate(self) -> None:
        result = {"accuracy": 0.9, "training": {"seconds": 1.0, "cpu_seconds": 2.0}}
        output = parse_peer_result(
            {**result, "excluded": {"seconds": 3.0, "cpu_seconds": 4.0}, "parts": {"training": 2.0, "read": 1.0}}
        )
        assert (output.training, output.excluded, output.excluded_wall, output.parts) == (2.0, 4.0, 3.0, {"read": 1.0})

    def test_run_record_is_parsed_by_parts(self) -> None:
        parts = [
            {"name": "training", "seconds": 4.0, "cpu_seconds": 7.0},
            {"name": "export", "seconds": 1, "cpu_seconds": 1},
        ]
        steps = [
            {"component": "transform", "cpu_seconds": 0.5, "seconds": 0.5},
            {"component": "trainer", "cpu_seconds": 11.0, "seconds": 9.0, "parts": parts},
        ]
        output = parse_run_record({"metrics": {"accuracy": 0.99}, "steps": steps})
        assert (output.accuracy, output.training, output.training_wall) == (0.99, 7.0, 4.0)
        assert output.parts == {"transform": 0.5, "trainer: export": 1, "trainer: other": 3.0}
        assert parse_run_record({"metrics": None, "steps": steps[:1]}).training is None


class TestCorrections:
    def write_run(self, folder: Path, *, source: str = "test", changed: int | None = None) -> Path:
        """Write the files of a run on 10,000 shuffled test images with predictions equal to the labels of the file."""
        rows = np.random.default_rng(0).permutation(10_000)
        labels = np.array([FILE_LABELS.get(int(row), int(row) % 10) for row in rows])
        if changed is not None:
            labels[rows == changed] = 1 - labels[rows == changed]
        ids = [f"{source}/{row}" for row in rows]
        for part, frame in (
            ("example_gen/test/00000", pd.DataFrame({"id": ids, "label": labels})),
            ("evaluator/predictions", pd.DataFrame({"label": labels, "prediction": labels})),
        ):
            path = folder / f"{part}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            frame.to_parquet(path)
        return folder

    def test_label_errors_count_and_disputed_images_do_not(self, tmp_path: Path) -> None:
        assert (len(FILE_LABELS), len(MAJORITY_LABELS), MAJORITY_LABELS.keys() < FILE_LABELS.keys()) == (15, 10, True)
        assert not any(FILE_LABELS[row] == label for row, label in MAJORITY_LABELS.items())
        assert corrected_accuracy(self.write_run(tmp_path)) == pytest.approx(1 - 10 / 9995)

    def test_other_test_sets_have_no_corrected_accuracy(self, tmp_path: Path) -> None:
        assert corrected_accuracy(self.write_run(tmp_path, source="train")) is None
        assert corrected_accuracy(self.write_run(tmp_path, changed=1621)) is None

    def test_summary_has_the_mean_corrected_accuracy(self) -> None:
        both = [sample("mnist", cpu=1, corrected=corrected) for corrected in (0.5, 0.7)]
        assert summarize(both)["mnist"].corrected == pytest.approx(0.6)
        assert summarize([sample("bare", cpu=1)])["bare"].corrected is None


def sample(program: str, *, cpu: float, training: float | None = None, **more: Any) -> Sample:
    return Sample(**{"program": program, "seed": 0, "round": 0, "cpu": cpu, "training": training, "peak": GB, **more})


FAST = sample("mnist-fast", cpu=15, wall=12, training=6.5, training_wall=4.5, accuracy=0.9905)
FAST_ON_ONE_THREAD = sample("mnist-fast-1", cpu=14, training=6)
RECORD = sample("record", cpu=14, training=10, training_wall=5, accuracy=0.9905)
RECORD_ON_ONE_THREAD = sample("record-1", cpu=14, training=10)
BARE = sample("bare", cpu=9, training=1.5)
CURVE = (
    {"accuracy": 0.97, "cpu_seconds": 40},
    {"accuracy": 0.988, "cpu_seconds": 80},
    {"accuracy": 0.9905, "cpu_seconds": 190},
)
PLAIN = sample("plain-keras", cpu=400, training=380, accuracy=0.992, curve=CURVE)
MNIST = sample("mnist", cpu=100, training=90, accuracy=0.9955)
BEST = sample("mnist-best", cpu=300, accuracy=0.997)
TINY = sample("mnist-tiny", cpu=90, accuracy=0.99)
ALL_SAMPLES = (FAST, FAST_ON_ONE_THREAD, RECORD, RECORD_ON_ONE_THREAD, BARE, PLAIN, MNIST, BEST, TINY)
QUIET = Disturbance(load_before=0, load_after=1, other_cpu=0, steal=0, speed=0.9, seconds=10, fastest=1)
BUSY = dataclasses.replace(QUIET, load_before=4, load_after=4, other_cpu=9)


def claims(*changed: Sample) -> list[Claim]:
    """Return the claims about all programs, some with other samples."""
    names = {one.program for one in changed}
    return check_claims([*(one for one in ALL_SAMPLES if one.program not in names), *changed])


def change(original: Sample, **changes: Any) -> Sample:
    return dataclasses.replace(original, **changes)


class TestClaims:
    def test_claims_hold_at_their_bounds(self) -> None:
        assert [claim.holds for claim in claims()] == [True] * 14
        values = [claim.value for claim in claims()]
        bounds = (14, 0.65, 0.9, 0.6, 0.0, 15, 12, 8.5 / 7.5, GB, 0.9905, 0.9955, 90, 0.997, 0.99)
        assert values == [pytest.approx(value) for value in bounds]

    @pytest.mark.parametrize(
        ("number", "changed"),
        [
            (0, change(PLAIN, curve=({"accuracy": 0.9906, "cpu_seconds": 120},))),
            (1, change(RECORD, training=9.9)),
            (2, change(RECORD, training_wall=4.9)),
            (3, change(RECORD_ON_ONE_THREAD, training=9.9)),
            (4, change(RECORD, accuracy=0.99051)),
            (5, change(FAST, cpu=15.1)),
            (6, change(FAST, wall=12.1)),
            (7, change(BARE, cpu=8.8)),
            (8, change(FAST, peak=GB * 3 // 2 + 1)),
            (9, change(FAST, accuracy=0.99049)),
            (10, change(MNIST, accuracy=0.99549)),
            (11, change(MNIST, training=90.1)),
            (12, change(BEST, accuracy=0.99699)),
            (13, change(TINY, accuracy=0.98999)),
        ],
    )
    def test_claims_fail_just_beyond_their_bounds(self, number: int, changed: Sample) -> None:
        assert claims(changed)[number].holds is False

    def test_highest_memory_of_any_job_counts(self) -> None:
        big = change(BEST, peak=2 * GB)
        assert (claims(big)[8].value, claims(big)[8].holds) == (2 * GB, False)

    def test_missing_samples_leave_claims_undecided(self) -> None:
        assert [claim.holds for claim in check_claims([])] == [None] * 14
        of_fast = [None] * 5 + [True, True, None, True, True] + [None] * 4
        assert [claim.holds for claim in check_claims([FAST])] == of_fast
        assert [claim.holds for claim in check_claims([change(FAST, failure="it broke")])] == [None] * 14

    def test_ratios_need_undisturbed_runs_of_the_same_round(self) -> None:
        assert [claim.holds for claim in claims(change(RECORD, disturbance=BUSY))][1:3] == [None, None]
        assert claims(change(RECORD, round=1))[1].measured == "no undisturbed pair of runs"
        later = [change(one, round=1) for one in (FAST, RECORD)]
        assert (
            ratio([FAST, RECORD, *later, change(RECORD, round=2)], "mnist-fast", "record", attrgetter("cpu")) == 15 / 14
        )

    def test_cpu_to_accuracy_ends_where_it_is_first_reached(self) -> None:
        assert cpu_to_accuracy(PLAIN, 0.97) == 60
        assert cpu_to_accuracy(PLAIN, 0.9701) == 100
        assert cpu_to_accuracy(PLAIN, 0.9906) is None

    def test_run_that_never_reaches_it_counts_with_its_whole_time(self) -> None:
        claim = claims(change(PLAIN, curve=CURVE[:2]))[0]
        assert claim.value == pytest.approx(400 / 15)
        assert "1 of 1 never reached it" in claim.measured


class TestSummaries:
    def test_summary_has_medians_and_deviation(self) -> None:
        samples = [
            sample("a", cpu=cpu, training=1, accuracy=accuracy, peak=peak, parts={"read": cpu - 1})
            for cpu, accuracy, peak in ((5, 0.98, 3), (2, 0.99, 9), (3, 0.97, 1))
        ]
        summary = summarize([*samples, sample("a", cpu=99, failure="it broke")])["a"]
        assert (summary.count, summary.cpu, summary.other_cpu, summary.peak) == (3, 3, 2, 9)
        assert summary.parts == {"read": 2}
        assert summary.accuracy == pytest.approx(0.98)
        assert summary.deviation == pytest.approx(0.01)
        assert summary.accuracies == (0.98, 0.99, 0.97)

    def test_times_are_those_of_undisturbed_samples(self) -> None:
        samples = [sample("a", cpu=1, accuracy=0.5), sample("a", cpu=5, accuracy=0.7, disturbance=BUSY)]
        summary = summarize(samples)["a"]
        assert (summary.count, summary.disturbed, summary.cpu, summary.accuracies) == (2, 1, 1, (0.5, 0.7))
        assert summarize(samples[1:])["a"].cpu == 5, "marked as disturbed"

    def test_single_sample_has_no_deviation(self) -> None:
        assert summarize([FAST])["mnist-fast"].deviation is None


class TestDisturbance:
    def test_other_processes_and_steal_are_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        times = iter([CpuTimes(busy=10, steal=1), CpuTimes(busy=15, steal=1.5)])
        monkeypatch.setattr(CpuTimes, "now", lambda: next(times))
        found = Watch().stop(own_cpu=3)
        assert (found.other_cpu, found.steal) == (2, 0.5)
        assert found.is_disturbed

    def test_busy_process_beside_a_run_disturbs_it(self) -> None:
        with subprocess.Popen([PYTHON, "-c", "while True: pass"]) as other:
            try:
                measured = measure_process([PYTHON, "-c", "import time; time.sleep(1)"], timeout=60)
            finally:
                other.kill()
        assert measured.disturbance.other_cpu > 0.5
        assert measured.disturbance.is_disturbed

    def test_slower_processors_disturb_a_run(self) -> None:
        assert not QUIET.is_disturbed
        assert dataclasses.replace(QUIET, speed=0.7).is_disturbed

    def test_rounding_of_a_short_run_does_not_disturb_it(self) -> None:
        rounded = 0.02 * len(processors())
        assert not dataclasses.replace(QUIET, seconds=0.1, other_cpu=rounded).is_disturbed
        assert dataclasses.replace(QUIET, seconds=0.1, other_cpu=2 * rounded).is_disturbed

    def test_disturbed_run_is_repeated_and_the_best_one_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(disturbance, "wait_until_quiet", lambda: None)
        runs = [dataclasses.replace(BUSY, other_cpu=cpu) for cpu in (9, 5, 7, 0)]
        assert undisturbed(iter(runs[1:]).__next__, lambda run: run) is runs[3]
        assert undisturbed(iter(runs[:3]).__next__, lambda run: run) is runs[1]


def point(component: str, factor: int, *, seconds: float, peak: int = GB) -> GrowthPoint:
    return GrowthPoint(
        component=component,
        factor=factor,
        images=factor * 70_000,
        seconds=seconds,
        cpu=seconds,
        process_cpu=1,
        peak=peak,
        disturbance=QUIET,
    )


class TestGrowth:
    @pytest.mark.parametrize("power", [-1.0, 0.0, 1.0, 1.37, 2.0])
    def test_exponent_of_a_power_law_is_its_power(self, power: float) -> None:
        sizes = [1, 3, 10, 30]
        assert fit_exponent(sizes, [4.2 * size**power for size in sizes]) == pytest.approx(power)

    def test_each_component_has_both_exponents(self) -> None:
        points = [point("transform", factor, seconds=seconds) for factor, seconds in ((10, 10), (1, 5), (30, 30))]
        scaling = {one.quantity: one for one in fit_scalings([*points, point("trainer", 1, seconds=1)])}
        assert scaling["seconds"].last_exponent == pytest.approx(1)
        assert 0 < scaling["seconds"].exponent < 1
        assert scaling["gigabytes"].exponent == pytest.approx(0)
        assert {one.component for one in fit_scalings(points)} == {"transform"}

    def test_figure_is_drawn_for_one_size_or_more(self, tmp_path: Path) -> None:
        points = [point("transform", 1, seconds=1)]
        assert draw_growth(points, fit_scalings(points), tmp_path / "one.png").stat().st_size > 10_000
        points.append(point("transform", 3, seconds=3))
        assert draw_growth(points, fit_scalings(points), tmp_path / "two.png").stat().st_size > 10_000

    def test_synthetic_images_are_reproducible_and_unique(self, tmp_path: Path) -> None:
        one, other = (write_synthetic(tmp_path / name, images=25_000) for name in ("one", "other"))
        shapes = [(path.name, read_idx(path).shape) for path in sorted(one.glob("*images*"))]
        assert [shape for _, shape in shapes] == [(3571, 28, 28), (21_429, 28, 28)]
        for path in one.iterdir():
            assert path.read_bytes() == (other / path.name).read_bytes()
        labels = read_idx(one / "train-labels-idx1-ubyte")
        assert np.bincount(labels).min() > 2100
        images = read_idx(one / "train-images-idx3-ubyte")
        assert len({image.tobytes() for image in images}) == len(images)

    def test_size_without_disk_space_is_skipped(
        self, results: ResultsFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        plan = GrowthPlan(factors=[10**9], base=70_000, preset="mnist", timeout=1)
        assert measure_growth(plan, scratch=tmp_path, results=results) == []
        assert capsys.readouterr().out.startswith("skipped: 70,000,000,000,000 images need")

    def test_growth_is_measured_and_resumed(self, tmp_path: Path) -> None:
        output = tmp_path / "output"
        arguments = ("growth", "--preset", "mnist", "--base", "700", "--attempts", "1", "--output", str(output))
        done = bench(*arguments, "--sizes", "1,2")
        assert done.returncode == 0, done.stdout + done.stderr
        path = output / "bench.json"
        written = json.loads(path.read_text())
        expected = [(component, 700 * factor) for factor in (1, 2) for component in COMPONENTS]
        assert [(one["component"], one["images"]) for one in written["growth"]] == expected
        assert all(one["disturbance"]["seconds"] > 0 for one in written["growth"])
        assert len(written["scaling"]) == 3 * len(COMPONENTS)
        assert (output / "bench-growth.png").exists()
        assert not list(output.glob("bench-*/")), "the scratch folder is deleted"

        written["growth"][0]["disturbance"]["fastest"] = 1e9
        interrupted = written | {"growth": written["growth"][:-1]}  # all of the first size, a part of the second
        path.write_text(json.dumps(interrupted))
        refused = bench(*arguments, "--sizes", "1", "--resume")
        assert (refused.returncode, refused.stdout.count("\ngrowth\n")) == (1, 0)
        assert f"error: {path} has results of other arguments (growth --preset mnist" in refused.stderr
        resumed = bench(*arguments, "--sizes", "1,2", "--resume")
        assert resumed.returncode == 0, resumed.stdout + resumed.stderr
        again = json.loads(path.read_text())["growth"]
        assert [(one["component"], one["images"]) for one in again] == expected
        assert [one in written["growth"] for one in again] == [True] * 5 + [False] * 5
        assert all(one["disturbance"]["fastest"] == 1e9 for one in again[5:])

    def test_disturbed_component_runs_again(
        self, results: ResultsFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(disturbance, "wait_until_quiet", lambda: None)
        monkeypatch.setattr(Disturbance, "is_disturbed", True)
        finished: list[tuple[str, str]] = []

        def measure(command: Sequence[str], **options: Any) -> ProcessMeasurement:
            measured = measure_process(command, **options)
            finished.append((command[-1], json.loads(measured.stdout)["steps"][-1]["status"]))
            return measured

        monkeypatch.setattr("tests.benchmarks.measure.measure_process", measure)
        plan = GrowthPlan(factors=[1], base=700, preset="mnist", timeout=300, attempts=2)
        points = measure_growth(plan, scratch=tmp_path, results=results)
        assert [point.component for point in points] == list(COMPONENTS)
        assert finished == [(component, "ran") for component in COMPONENTS for _ in range(2)]


class TestCommands:
    def test_all_are_measured_once_and_kept(
        self, results: ResultsFile, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(commands, "MANY_RUNS", 3)
        measure = partial(
            commands.measure_commands, tiny, preset="mnist", scratch=tmp_path, timeout=300, attempts=1, results=results
        )
        measure()
        assert not results.has_failures, results.sections
        measured = results.items("commands", Sample)
        assert (len(measured), len({one.program for one in measured})) == (36, 10)
        monkeypatch.setattr(commands, "measure_undisturbed", None)  # a call fails
        measure()
        assert results.items("commands", Sample) == measured


class TestRemoteRoot:
    def test_both_kinds_of_root_are_measured(
        self, results: ResultsFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tests.benchmarks.remote.CACHED", 1)
        monkeypatch.setattr("tests.benchmarks.remote.RESUMED", "trainer.seed=3")
        config = tmp_path / "fakes.json"
        config.write_text(json.dumps(FAKES))
        measure_remote(config, [], times=1, scratch=tmp_path, timeout=60, attempts=1, results=results)
        assert not results.has_failures, results.sections
        rows = {(one.root, one.name): one for one in results.sections["remote"]}
        assert len({root for root, _ in rows}) == 2
        for (root, _), one in rows.items():
            assert (one.requests > 0) == root.startswith("S3")
        first, reused = (rows["S3, 20 ms", name] for name in ("first run", "everything reused"))
        assert first.sent > reused.sent > 0
        assert first.requests > reused.requests


class TestResuming:
    def test_checkpoints_and_terminations_are_measured(self, tiny: Path, tmp_path: Path) -> None:
        config, overrides = preset_path("mnist-fast"), idx_source(tiny)
        found = measure_checkpoints(config, overrides, tmp_path / "roots", times=1, timeout=300, attempts=1)
        assert [one.variant for one in found] == list(VARIANTS)
        assert all(one.checkpoint_seconds for one in found)
        terminations = measure_termination(config, overrides, tmp_path / "terminated", times=2, attempts=1)
        assert all(one.seconds > 0 for one in terminations)


class TestLargeData:
    def test_each_step_is_measured(
        self, results: ResultsFile, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = LargeData(preset="mnist", mnist=tiny, scratch=tmp_path, timeout=300, attempts=1, results=results)
        data.measure(repetitions=2)
        assert not results.has_failures, results.sections
        assert [one.name for one in results.sections["large"]][1:] == [
            "ExampleGen",
            "Transform",
            "reading of one epoch",
        ]
        assert all(one.cpu > one.own_cpu >= 0 and one.peak > 0 for one in results.sections["large"])
        assert "\n2 variants of each image" in f"\n{capsys.readouterr().out}"

    def test_missing_disk_space_is_reported(
        self, results: ResultsFile, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = LargeData(preset="mnist", mnist=tiny, scratch=tmp_path, timeout=300, attempts=1, results=results)
        data.measure(repetitions=10**9)
        assert capsys.readouterr().out.startswith("skipped: 70,000,000,000,000 images need 245000000.0 GB in")


class TestWorkers:
    def test_cost_of_a_step_is_measured(
        self, results: ResultsFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if reason := namespaces.why_skipped():
            pytest.skip(reason)
        monkeypatch.setattr(workers, "NETWORKS", {"tiny": {"filters": [2], "dense": [4]}})
        monkeypatch.setattr(workers, "COUNTS", (1, 2))
        measure_workers(tmp_path, times=2, attempts=1, results=results)
        costs = [(one.workers, one.sent_bytes > 0) for one in results.sections["workers"]]
        assert costs == [(1, False), (1, False), (2, True), (2, True)]
        assert all(one.cpu_seconds > 0 for one in results.sections["workers"])


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-m", "tests.benchmarks", *arguments],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


class TestCommandLine:
    def test_quick_extent_runs_the_main_programs(self) -> None:
        quick = select_seeds(extent="quick", only=None, seeds=None)
        assert {one.name for one in quick} == {"mnist-fast", "mnist-fast-1", "bare", "record", "record-1"}
        assert all(list(seeds) == [0] for seeds in quick.values())

    def test_full_extent_runs_all_programs(self) -> None:
        assert set(select_seeds(extent="full", only=None, seeds=None)) == set(PROGRAMS)

    def test_programs_and_seeds_are_selectable(self) -> None:
        chosen = select_seeds(extent="quick", only=["plain-keras"], seeds=[4, 5])
        assert {one.name: seeds for one, seeds in chosen.items()} == {"plain-keras": [4, 5]}

    @pytest.mark.parametrize("wrong", [["nothing"], ["comparison", "--only", "none"], ["growth", "--preset", "none"]])
    def test_unknown_names_are_reported(self, wrong: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            parse(wrong)
        assert f"unknown {'section' if wrong == ['nothing'] else ''}" in capsys.readouterr().err

    def test_missing_preset_is_skipped_with_a_reason(self, tiny: Path) -> None:
        assert "does not exist" in Preset(name="none", title="", rounds=1).why_missing(Inputs(mnist=tiny, torch=None))

    def test_comparison_writes_its_results(self, tiny: Path, tmp_path: Path) -> None:
        where = ("--mnist", str(tiny), "--output", str(tmp_path), "--json", str(tmp_path / "here.json"))
        done = bench("comparison", "--only", "bare,mnist", "--seeds", "0", "--attempts", "1", *where)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "\nClaims\n" in done.stdout
        written = json.loads((tmp_path / "here.json").read_text())
        assert written["machine"]["kernel"]
        assert {one["program"] for one in written["samples"]} == {"bare", "mnist"}
        assert written["summaries"]["mnist"]["peak"] > 0
        assert len(written["claims"]) == 14


class TestVariants:
    @pytest.mark.parametrize("name", ["images from the input pipeline", "images as uint8, scaled in the step"])
    def test_patched_training_reaches_its_end(self, name: str, tiny: Path, tmp_path: Path) -> None:
        assert measure_variant(name, 0, tmp_path, tiny)["training"] > 0

    def test_patches_apply_to_existing_code(self) -> None:
        code = "from tests.benchmarks.variants import VARIANTS\nfor variant in VARIANTS.values(): variant.change()"
        measured = measure_process([PYTHON, "-c", code], timeout=300)
        assert measured.failure == ""


def test_modelled_step_adds_computation_transfer_and_latency() -> None:
    model = Model(name="", seconds=0.1, parameters=25_000_000, added_per_worker=0.2)
    step = modelled_step(model, workers=4, gigabits=10)
    assert step == pytest.approx(0.02 + 0.02 + 0.12 + 0.0009)  # 150 MB over 10 Gbit/s, 18 messages of 50 microseconds
    assert modelled_step(model, workers=1, gigabits=10) == pytest.approx(0.1)
