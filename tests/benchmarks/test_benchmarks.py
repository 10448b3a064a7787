"""The benchmark: its peers run, its arithmetic is right, and it loses nothing. No timing is asserted."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks.claims import Claim, judge, to_accuracy
from tests.benchmarks.contest import hold_contest, in_turn
from tests.benchmarks.contestants import CONTESTANTS, Contestant, Peer, Place, Preset, Told, read_job, read_peer
from tests.benchmarks.corrections import GIVEN, SEEN, corrected_accuracy
from tests.benchmarks.growth import COMPONENTS, Grown, Growth, measure_growth
from tests.benchmarks.growth_plot import draw_growth
from tests.benchmarks.ledger import Ledger
from tests.benchmarks.machine import torch_version
from tests.benchmarks.measuring import measure
from tests.benchmarks.options import parse, seeds_of
from tests.benchmarks.peers.peer import read_idx
from tests.benchmarks.samples import Sample, summarize
from tests.benchmarks.scaling import fit_exponent, scale
from tests.benchmarks.synthetic import write_synthetic
from tests.support.data import write_idx_folder
from tests.support.processes import REPOSITORY, environment

PYTHON = sys.executable
TORCH = os.environ.get("TORCH") or PYTHON
"""`make test TORCH=python` hands it down."""
BY_NAME = {contestant.name: contestant for contestant in CONTESTANTS}
GB = 1_000_000_000


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of a few hundred made-up images."""
    return write_idx_folder(tmp_path_factory.mktemp("tiny"), train=400, test=100, gz=True)


def run_peer(name: str, folder: Path, scratch: Path, *more: str) -> dict[str, Any]:
    """Run a peer on its own, as a person does, and return what its last line says."""
    command = BY_NAME[name].command(Place(mnist=folder, torch=TORCH), seed=1, scratch=scratch)
    took = measure([*command, *more], timeout=300)
    assert not took.failure
    facts: dict[str, Any] = json.loads(took.stdout.splitlines()[-1])
    assert facts["training"].keys() == {"seconds", "cpu_seconds"}
    return facts


class TestPeers:
    @pytest.mark.thorough
    def test_the_bare_script_writes_what_the_job_writes(self, tiny: Path, tmp_path: Path) -> None:
        facts = run_peer("bare", tiny, tmp_path / "out")
        assert {"read", "import TensorFlow", "predict", "draw", "training"} < facts["parts"].keys()
        written = {path.name for path in (tmp_path / "out").iterdir()}
        splits = {f"{split}{rest}" for split in ("train", "validation", "test") for rest in (".parquet", "_images.npy")}
        pictures = {"curves", "confusion_matrix", "feature_maps", "class_distribution", "mistakes"}
        assert splits | {f"{picture}.png" for picture in pictures} < written
        assert {"model.keras", "saved_model", "history.csv", "metrics.json", "predictions.parquet"} < written
        assert np.load(tmp_path / "out" / "validation_images.npy").shape == (40, 28, 28, 1)

    @pytest.mark.thorough
    def test_the_plain_script_tells_its_accuracy_after_every_epoch(self, tiny: Path, tmp_path: Path) -> None:
        facts = run_peer("plain-keras", tiny, tmp_path / "out", "--epochs", "2")
        assert facts["parameters"] == 138_506
        assert [point["epoch"] for point in facts["curve"]] == [1, 2]
        first, second = (point["cpu_seconds"] for point in facts["curve"])
        assert 0 < first < second <= facts["training"]["cpu_seconds"]
        assert facts["aside"]["cpu_seconds"] > 0
        assert len(list((tmp_path / "out").glob("*.png"))) == 3

    @pytest.mark.thorough
    def test_the_example_of_keras_runs(self, tiny: Path, tmp_path: Path) -> None:
        assert run_peer("keras-io", tiny, tmp_path, "--epochs", "1")["parameters"] == 34_826

    @pytest.mark.parametrize(("name", "parameters"), [("record", 215_194), ("pytorch-basic", 1_199_882)])
    def test_the_recipes_of_pytorch_run(self, name: str, parameters: int, tiny: Path, tmp_path: Path) -> None:
        if torch_version(TORCH) is None:
            pytest.skip("no PyTorch here (make test TORCH=python names an interpreter that has it)")
        facts = run_peer(name, tiny, tmp_path, "--epochs", "1")
        assert facts["parameters"] == parameters
        assert 0 <= facts["accuracy"] <= 1

    def test_peers_of_pytorch_are_skipped_where_there_is_none(self, tiny: Path) -> None:
        missing = {
            name
            for name, one in BY_NAME.items()
            if isinstance(one, Peer) and one.missing(Place(mnist=tiny, torch=None))
        }
        assert missing == {"record", "pytorch-basic"}

    def test_none_imports_anything_of_the_project(self) -> None:
        for script in (REPOSITORY / "tests" / "benchmarks" / "peers").glob("*.py"):
            for package in ("components", "job", "tests"):
                assert f"import {package}" not in script.read_text()
                assert f"from {package}" not in script.read_text()


class TestMeasuring:
    def test_it_says_what_the_operating_system_says(self) -> None:
        work = "import time\nheld = bytearray(300_000_000)\nwhile time.process_time() < 0.3: pass\nprint('done')"
        took = measure([PYTHON, "-c", work], timeout=60)
        assert took.stdout == "done\n"
        assert took.peak > 300_000_000
        assert took.cpu >= 0.3
        assert took.failure == ""

    def test_one_that_does_not_end_is_killed(self) -> None:
        took = measure([PYTHON, "-c", "import time; time.sleep(600)"], timeout=0.3)
        assert took.exit_code == -9
        assert took.failure.startswith("not done after")

    def test_one_that_fails_says_why(self) -> None:
        took = measure([PYTHON, "-c", "raise SystemExit('there is no such thing')"], timeout=60)
        assert "exit code 1" in took.failure
        assert "there is no such thing" in took.failure


class Saying(Contestant):
    """Prints what its title is, and tells an accuracy of that."""

    def missing(self, place: Place) -> str:  # noqa: ARG002
        return ""

    def command(self, place: Place, *, seed: int, scratch: Path) -> list[str]:  # noqa: ARG002
        return [PYTHON, "-c", f"print({self.title!r}.format(seed={seed}))"]

    def read(self, stdout: str) -> Told:
        return Told(accuracy=float(stdout), training=0.0, training_wall=0.0)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "bench.json", machine={})


class TestContest:
    def test_everyone_has_a_turn_each_round(self) -> None:
        often, seldom = (Saying(name=name, title="", rounds=0) for name in ("often", "seldom"))
        turns = [(number, one.name, seed) for number, one, seed in in_turn({often: [0, 1, 2], seldom: [7]})]
        assert turns == [(0, "often", 0), (0, "seldom", 7), (1, "often", 1), (2, "often", 2)]

    def test_every_sample_is_on_disk_and_one_that_fails_stops_nobody_else(
        self, ledger: Ledger, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        good, bad = (Saying(name=title, title=title, rounds=2) for title in ("0.{seed}", "nothing"))
        failing = Peer(name="failing", title="failing", rounds=2, script="there_is_none.py")
        place = Place(mnist=tiny, torch=None)
        seeds = {bad: [0, 1], failing: [0, 1], good: [2, 3]}
        samples = hold_contest(seeds, place, scratch=tmp_path, timeout=60, ledger=ledger)
        assert [(one.contestant, one.seed, bool(one.failure)) for one in samples] == [
            ("nothing", 0, True),
            ("failing", 0, True),
            ("0.{seed}", 2, False),
            ("0.{seed}", 3, False),
        ]
        written = json.loads(ledger.path.read_text())["samples"]
        assert [sample["accuracy"] for sample in written] == [None, None, 0.2, 0.3]
        assert ledger.failed
        assert "FAILED: failing, seed 0" in capsys.readouterr().out

    def test_what_is_looked_at_aside_is_not_counted(self) -> None:
        facts = {"accuracy": 0.9, "training": {"seconds": 1.0, "cpu_seconds": 2.0}}
        told = read_peer(
            {**facts, "aside": {"seconds": 3.0, "cpu_seconds": 4.0}, "parts": {"training": 2.0, "read": 1.0}}
        )
        assert (told.training, told.aside, told.aside_wall, told.parts) == (2.0, 4.0, 3.0, {"read": 1.0})

    def test_a_job_tells_its_training_by_its_parts(self) -> None:
        parts = [
            {"name": "training", "seconds": 4.0, "cpu_seconds": 7.0},
            {"name": "export", "seconds": 1, "cpu_seconds": 1},
        ]
        steps = [
            {"component": "transform", "cpu_seconds": 0.5, "seconds": 0.5},
            {"component": "trainer", "cpu_seconds": 11.0, "seconds": 9.0, "parts": parts},
        ]
        told = read_job({"metrics": {"accuracy": 0.99}, "steps": steps})
        assert (told.accuracy, told.training, told.training_wall) == (0.99, 7.0, 4.0)
        assert told.parts == {"transform": 0.5, "trainer: export": 1, "trainer: the rest": 3.0}
        assert read_job({"metrics": None, "steps": steps[:1]}).training is None


class TestCorrections:
    def run_of(self, folder: Path, *, source: str = "test", changed: int | None = None) -> Path:
        """Write what a run leaves of a test set of 10,000 in another order, every label answered as it is given."""
        rows = np.random.default_rng(0).permutation(10_000)
        labels = np.array([GIVEN.get(int(row), int(row) % 10) for row in rows])
        if changed is not None:
            labels[rows == changed] = 1 - labels[rows == changed]
        ids = [f"{source}/{row}" for row in rows]
        for part, frame in (
            ("example_gen/test", pd.DataFrame({"id": ids, "label": labels})),
            ("evaluator/predictions", pd.DataFrame({"label": labels, "prediction": labels})),
        ):
            path = folder / f"{part}.parquet"
            path.parent.mkdir(exist_ok=True)
            frame.to_parquet(path)
        return folder

    def test_who_repeats_the_errors_is_wrong_and_where_people_disagree_nobody_is_judged(self, tmp_path: Path) -> None:
        assert (len(GIVEN), len(SEEN), SEEN.keys() < GIVEN.keys()) == (15, 10, True)
        assert not any(GIVEN[row] == seen for row, seen in SEEN.items())
        assert corrected_accuracy(self.run_of(tmp_path)) == pytest.approx(1 - 10 / 9995)

    def test_another_test_set_or_another_order_is_not_judged(self, tmp_path: Path) -> None:
        assert corrected_accuracy(self.run_of(tmp_path, source="train")) is None
        assert corrected_accuracy(self.run_of(tmp_path, changed=1621)) is None

    def test_the_contest_tells_it(self) -> None:
        both = [made_up("mnist", cpu=1, corrected=corrected) for corrected in (0.5, 0.7)]
        assert summarize(both)["mnist"].corrected == pytest.approx(0.6)
        assert summarize([made_up("bare", cpu=1)])["bare"].corrected is None


def made_up(contestant: str, *, cpu: float, training: float | None = None, **more: Any) -> Sample:
    return Sample(
        **{"contestant": contestant, "seed": 0, "round": 0, "cpu": cpu, "training": training, "peak": GB, **more}
    )


FAST = made_up("mnist-fast", cpu=20, training=8, accuracy=0.9890)
RECORD = made_up("record", cpu=14, training=10, accuracy=0.9890)
BARE = made_up("bare", cpu=12, training=1.5)
CURVE = (
    {"accuracy": 0.97, "cpu_seconds": 40},
    {"accuracy": 0.988, "cpu_seconds": 80},
    {"accuracy": 0.99, "cpu_seconds": 190},
)
PLAIN = made_up("plain-keras", cpu=400, training=380, accuracy=0.992, curve=CURVE)
EVERYONE = (FAST, RECORD, BARE, PLAIN)


def claims(*changed: Sample) -> list[Claim]:
    """Return the claims of everyone, some of them changed."""
    names = {sample.contestant for sample in changed}
    return judge([*(sample for sample in EVERYONE if sample.contestant not in names), *changed])


def but(sample: Sample, **changes: Any) -> Sample:
    return dataclasses.replace(sample, **changes)


class TestClaims:
    def test_they_hold_at_their_bounds(self) -> None:
        assert [claim.holds for claim in claims()] == [True] * 6
        values = [claim.value for claim in claims()]
        assert values == [pytest.approx(value) for value in (10.5, 0.8, 0.0, 12, 12 / 10.5, GB)]

    @pytest.mark.parametrize(
        ("number", "changed"),
        [
            (0, but(PLAIN, curve=({"accuracy": 0.9891, "cpu_seconds": 170},))),
            (1, but(RECORD, training=8.8)),
            (2, but(RECORD, accuracy=0.98901)),
            (3, but(FAST, cpu=20.1)),
            (4, but(BARE, cpu=11.9)),
            (5, but(FAST, peak=GB * 3 // 2 + 1)),
        ],
    )
    def test_each_fails_just_beyond_its_bound(self, number: int, changed: Sample) -> None:
        assert claims(changed)[number].holds is False

    def test_the_highest_memory_of_any_job_counts(self) -> None:
        big = made_up("mnist-best", cpu=300, peak=2 * GB)
        assert (claims(big)[5].value, claims(big)[5].holds) == (2 * GB, False)

    def test_what_was_not_measured_is_neither_seen_nor_missed(self) -> None:
        assert [claim.holds for claim in judge([])] == [None] * 6
        assert [claim.holds for claim in judge([FAST])] == [None, None, None, True, None, True]
        assert [claim.holds for claim in judge([but(FAST, training=None)])] == [None] * 5 + [True]
        assert [claim.holds for claim in judge([but(FAST, failure="it broke")])] == [None] * 6

    def test_the_way_to_an_accuracy_ends_where_it_is_first_reached(self) -> None:
        assert to_accuracy(PLAIN, 0.97) == 60
        assert to_accuracy(PLAIN, 0.9701) == 100
        assert to_accuracy(PLAIN, 0.9901) is None

    def test_one_that_never_gets_there_counts_with_all_that_it_took(self) -> None:
        claim = claims(but(PLAIN, curve=CURVE[:2]))[0]
        assert claim.value == pytest.approx(20)
        assert "1 of 1 never got there" in claim.seen


class TestSummaries:
    def test_medians_and_the_spread_of_accuracy(self) -> None:
        samples = [
            made_up("a", cpu=cpu, training=1, accuracy=accuracy, peak=peak, parts={"read": cpu - 1})
            for cpu, accuracy, peak in ((5, 0.98, 3), (2, 0.99, 9), (3, 0.97, 1))
        ]
        summary = summarize([*samples, made_up("a", cpu=99, failure="it broke")])["a"]
        assert (summary.count, summary.cpu, summary.beside, summary.peak) == (3, 3, 2, 9)
        assert summary.parts == {"read": 2}
        assert summary.accuracy == pytest.approx(0.98)
        assert summary.deviation == pytest.approx(0.01)
        assert summary.accuracies == (0.98, 0.99, 0.97)

    def test_a_single_sample_has_no_spread(self) -> None:
        assert summarize([FAST])["mnist-fast"].deviation is None


def grown(component: str, times: int, *, seconds: float, peak: int = GB) -> Grown:
    return Grown(
        component=component, times=times, images=times * 70_000, seconds=seconds, cpu=seconds, process_cpu=1, peak=peak
    )


class TestGrowth:
    @pytest.mark.parametrize("power", [-1.0, 0.0, 1.0, 1.37, 2.0])
    def test_the_exponent_of_a_power_is_that_power(self, power: float) -> None:
        sizes = [1, 3, 10, 30]
        assert fit_exponent(sizes, [4.2 * size**power for size in sizes]) == pytest.approx(power)

    def test_each_component_has_exponents_over_all_and_at_last(self) -> None:
        measured = [grown("transform", times, seconds=seconds) for times, seconds in ((10, 10), (1, 5), (30, 30))]
        scaling = {one.quantity: one for one in scale([*measured, grown("trainer", 1, seconds=1)])}
        assert scaling["seconds"].at_last == pytest.approx(1)
        assert 0 < scaling["seconds"].exponent < 1
        assert scaling["gigabytes"].exponent == pytest.approx(0)
        assert {one.component for one in scale(measured)} == {"transform"}

    def test_the_picture_of_one_size_or_more_is_drawn(self, tmp_path: Path) -> None:
        measured = [grown("transform", 1, seconds=1)]
        assert draw_growth(measured, scale(measured), tmp_path / "one.png").stat().st_size > 10_000
        measured.append(grown("transform", 3, seconds=3))
        assert draw_growth(measured, scale(measured), tmp_path / "two.png").stat().st_size > 10_000

    def test_the_made_up_images_are_as_many_as_asked_for_and_always_the_same(self, tmp_path: Path) -> None:
        one, other = (write_synthetic(tmp_path / name, images=25_000) for name in ("one", "other"))
        shapes = [(path.name, read_idx(path).shape) for path in sorted(one.glob("*images*"))]
        assert [shape for _, shape in shapes] == [(3571, 28, 28), (21_429, 28, 28)]
        for path in one.iterdir():
            assert path.read_bytes() == (other / path.name).read_bytes()
        labels = read_idx(one / "train-labels-idx1-ubyte")
        assert np.bincount(labels).min() > 2100
        images = read_idx(one / "train-images-idx3-ubyte")
        assert len({image.tobytes() for image in images}) == len(images)

    def test_a_size_that_the_disk_is_too_small_for_is_left_out(
        self, ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        growth = Growth(sizes=[10**9], base=70_000, preset="mnist", timeout=1)
        assert measure_growth(growth, scratch=tmp_path, ledger=ledger) == []
        assert capsys.readouterr().out.startswith("skipped: 70,000,000,000,000 images need")

    @pytest.mark.thorough
    def test_a_little_growth_is_measured_component_by_component(self, tmp_path: Path) -> None:
        output = tmp_path / "output"
        done = bench("growth", "--preset", "mnist", "--base", "700", "--sizes", "1,2", "--output", str(output))
        assert done.returncode == 0, done.stdout + done.stderr
        written = json.loads((output / "bench.json").read_text())
        expected = [(component, 700 * times) for times in (1, 2) for component in COMPONENTS]
        assert [(one["component"], one["images"]) for one in written["growth"]] == expected
        assert len(written["scaling"]) == 3 * len(COMPONENTS)
        assert (output / "bench-growth.png").exists()
        assert not list(output.glob("bench-*/")), "the scratch is gone"


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
    def test_the_quick_form_measures_what_the_claims_need_most(self) -> None:
        quick = seeds_of(extent="quick", only=None, seeds=None)
        assert {one.name: list(seeds) for one, seeds in quick.items()} == {
            "mnist-fast": [0],
            "bare": [0],
            "record": [0],
        }

    def test_the_full_form_measures_everyone(self) -> None:
        assert set(seeds_of(extent="full", only=None, seeds=None)) == set(CONTESTANTS)

    def test_contestants_and_seeds_can_be_chosen(self) -> None:
        chosen = seeds_of(extent="quick", only=["plain-keras"], seeds=[4, 5])
        assert {one.name: seeds for one, seeds in chosen.items()} == {"plain-keras": [4, 5]}

    @pytest.mark.parametrize("wrong", [["nothing"], ["contest", "--only", "nobody"], ["growth", "--preset", "none"]])
    def test_a_slip_is_told(self, wrong: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            parse(wrong)
        assert f"there is no {'section' if wrong == ['nothing'] else ''}" in capsys.readouterr().err

    def test_a_preset_that_is_not_there_is_skipped_with_a_line(self, tiny: Path) -> None:
        assert "is not here" in Preset(name="none", title="", rounds=1).missing(Place(mnist=tiny, torch=None))

    @pytest.mark.thorough
    def test_a_contest_leaves_its_record(self, tiny: Path, tmp_path: Path) -> None:
        where = ("--mnist", str(tiny), "--output", str(tmp_path), "--json", str(tmp_path / "here.json"))
        done = bench("contest", "--only", "bare,mnist", "--seeds", "0", *where)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "What must be seen" in done.stdout
        written = json.loads((tmp_path / "here.json").read_text())
        assert written["machine"]["kernel"]
        assert {sample["contestant"] for sample in written["samples"]} == {"bare", "mnist"}
        assert written["summaries"]["mnist"]["peak"] > 0
        assert len(written["claims"]) == 6
