"""`predict --out`: files, reuse, refusal, interruption, and changes of the images."""

import json
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from job.store.manifest import MANIFEST, Manifest
from tests.conftest import Command
from tests.job.commands.test_predict import Trained
from tests.support.cases import parametrize_sample
from tests.support.data import write_idx
from tests.support.imports import HEAVY, imported_by
from tests.support.processes import interfered, start, start_interfered, wait_until_stopped

EXITS = {"TERM": 143, "KILL": -9}

MOMENTS: list[dict[str, Any]] = [
    {"at": "open", "path": "*/checkpoints/draft"},
    {"at": "rename", "path": "*/checkpoints/draft"},
    {"at": "rename", "path": "*/checkpoints/.0000*.json"},
    {"at": "mkdir", "path": "*/files-*/predictions"},
    {"at": "open", "path": "*/files-*/manifest.json"},
    {"at": "rename", "path": "*/files-*"},
]
"""Moments of writing and finishing a shard, of collecting the shards, and of sealing."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained"))


Arguments = Callable[..., tuple[object, ...]]


@pytest.fixture
def arguments(trained: Trained, tmp_path: Path) -> Arguments:
    """Return a function: the arguments that predict the test images and one picture into `tmp_path / "out"`."""

    def make(*more: object) -> tuple[object, ...]:
        return ("predict", trained.idx, trained.png, "--root", trained.root, "--out", tmp_path / "out", *more)

    return make


def manifest(folder: Path) -> Manifest:
    return Manifest.from_bytes((folder / MANIFEST).read_bytes(), where=str(folder))


def beside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.parent.iterdir() if path.name.startswith(folder.name))


def test_files_match_the_evaluation(trained: Trained, mnist_job: Command, arguments: Arguments, tmp_path: Path) -> None:
    outcome = mnist_job(*arguments("--shard-rows", 10, "--json"))
    assert outcome.exit_code == 0, outcome.stderr
    count = len(trained.images)
    frame = pd.read_parquet(tmp_path / "out" / "predictions")
    evaluated = pd.read_parquet(trained.artifact("evaluator") / "predictions.parquet")
    assert [*frame.columns] == ["path", "row", "label", "probability", "probabilities", "image"]
    np.testing.assert_allclose(np.stack(frame.probabilities[:count].to_list()), trained.probabilities(), atol=1e-6)
    assert frame.label[:count].tolist() == evaluated.prediction.tolist()
    assert frame.image[:count].tolist() == evaluated.image.tolist()
    assert frame.row[:count].tolist() == [*range(count)]
    assert frame.iloc[count].path == str(trained.png)
    assert pd.isna(frame.row[count])
    assert frame.probability.tolist() == [row.max() for row in frame.probabilities]
    printed = json.loads(outcome.stdout)
    assert printed["predicted"] == len(frame) == count + 1
    assert printed["label_counts"] == {str(label): int((frame.label == label).sum()) for label in range(3)}
    assert printed["files"][0] == f"predictions/predictions-00000-of-{len(printed['files']):05}.parquet"
    assert {len(pd.read_parquet(tmp_path / "out" / name)) for name in printed["files"][:-1]} == {10}
    sealed = manifest(tmp_path / "out")
    model = manifest(trained.artifact("trainer"))
    assert sealed.inputs == {"model": model.digest}
    assert sealed.producer.config["input"]["files"] == 2


def test_repeated_call_reuses_verified_predictions(mnist_job: Command, arguments: Arguments, tmp_path: Path) -> None:
    first = json.loads(mnist_job(*arguments("--json")).stdout)
    again = json.loads(mnist_job(*arguments("--json")).stdout)
    assert (first["status"], again["status"], again["digest"]) == ("ran", "reused", first["digest"])
    file = tmp_path / "out" / first["files"][0]
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"x")
    repaired = mnist_job(*arguments("--json"))
    assert json.loads(repaired.stdout)["digest"] == first["digest"]
    assert "has been changed" in repaired.stderr
    assert file.read_bytes() == content
    assert beside(tmp_path / "out") == ["out", "out.quarantined-1"]


@parametrize_sample(
    1,
    ("more", "expected"),
    [
        (("--transpose",), "config transpose False → True"),
        (("more.png",), "config input.bytes"),
        (("--model", "another"), "new model"),
    ],
)
def test_folder_with_other_predictions_is_refused(
    trained: Trained, mnist_job: Command, arguments: Arguments, tmp_path: Path, more: tuple[str, ...], expected: str
) -> None:
    assert mnist_job(*arguments()).exit_code == 0
    shutil.copy(trained.png, tmp_path / "more.png")
    named: dict[str, object] = {"more.png": tmp_path / "more.png"}
    if "another" in more:
        fails = "evaluator.thresholds.accuracy.minimum=1"
        named["another"] = trained.run("trainer.use=tests.support.components:OneSidedTrainer", fails).run_id
    outcome = mnist_job(*arguments(*(named.get(word, word) for word in more)))
    assert outcome.exit_code == 2, outcome.stderr
    assert f"{tmp_path / 'out'} has other predictions: " in outcome.stderr
    assert expected in outcome.stderr
    assert beside(tmp_path / "out") == ["out"]


@pytest.mark.parametrize("what", ["folder", "file", "damaged manifest", "partial"])
def test_files_of_others_are_left_alone(mnist_job: Command, arguments: Arguments, tmp_path: Path, what: str) -> None:
    names = {"folder": "out/notes.txt", "file": "out", "damaged manifest": "out/manifest.json"}
    file = tmp_path / names.get(what, "out.partial/files/notes.txt")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{}")
    outcome = mnist_job(*arguments())
    assert outcome.exit_code == (3 if what == "damaged manifest" else 2), outcome.stderr
    assert file.read_text() == "{}"
    assert beside(tmp_path / "out") == [file.relative_to(tmp_path).parts[0]]


def test_folder_inside_a_sealed_one_or_the_root_is_refused(
    trained: Trained, mnist_job: Command, tmp_path: Path
) -> None:
    (tmp_path / "sealed").mkdir()
    shutil.copy(trained.artifact("trainer") / MANIFEST, tmp_path / "sealed")
    (tmp_path / MANIFEST).write_text("{}")  # of another program
    (tmp_path / "link").symlink_to(trained.root)
    for folder, owner in (
        (tmp_path / "sealed" / "sub" / "new", tmp_path / "sealed"),
        (tmp_path / "link" / "artifacts" / "trainer" / "new", trained.root.resolve() / "artifacts"),
        (trained.root / "reproductions" / "new", trained.root.resolve() / "reproductions"),
    ):
        outcome = mnist_job("predict", trained.png, "--root", trained.root, "--out", folder)
        assert outcome.exit_code == 2
        assert f"is in {owner}, which " in outcome.stderr
        assert not folder.parent.exists() or not beside(folder)


def test_unreadable_images_are_recorded(
    trained: Trained, mnist_job: Command, arguments: Arguments, tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in ("bad.png", "nowhere.png", "blank-idx3-ubyte")]
    paths[0].write_text("no picture")
    write_idx(paths[2], np.full((3, 20, 20), 9))
    for status in ("ran", "reused"):
        outcome = mnist_job(*arguments(*paths, "--json"))
        assert outcome.exit_code == 3, outcome.stderr
        printed = json.loads(outcome.stdout)
        assert (printed["status"], printed["predicted"], printed["skipped"]) == (status, len(trained.images) + 1, 5)
    reasons = {"is not a whole picture": 1, "does not exist": 1, "shows no digit": 3}
    assert {reason.split(": ")[0]: count for reason, count in printed["skipped_reasons"].items()} == reasons
    skipped = pd.read_parquet(tmp_path / "out" / "skipped.parquet")
    assert skipped.path.tolist() == [*map(str, paths[:2]), *[str(paths[2])] * 3]
    assert skipped.row.astype("Int64").tolist() == [pd.NA, pd.NA, 0, 1, 2]


def test_nothing_is_sealed_if_no_image_can_be_read(trained: Trained, mnist_job: Command, tmp_path: Path) -> None:
    outcome = mnist_job("predict", tmp_path / "nowhere", "--root", trained.root, "--out", tmp_path / "out")
    assert outcome.exit_code == 3
    assert f"no image can be read: {tmp_path / 'nowhere'} does not exist" in outcome.stderr
    assert beside(tmp_path / "out") == []


@pytest.mark.parametrize("do", ["KILL", pytest.param("TERM", marks=pytest.mark.thorough)])
def test_interrupted_prediction_continues(mnist_job: Command, arguments: Arguments, tmp_path: Path, do: str) -> None:
    undisturbed = json.loads(mnist_job(*arguments("--shard-rows", 4, "--json")).stdout)
    shutil.rmtree(tmp_path / "out")
    plan = {"at": "rename", "path": "*/checkpoints/draft", "count": 3, "do": do}
    ended = interfered(plan, *arguments("--shard-rows", 4))
    assert ended.returncode == EXITS[do], ended.stderr
    checkpoints = tmp_path / "out.partial" / "checkpoints"
    finished = [path.stat().st_ino for path in sorted(checkpoints.glob("*.parquet"))]
    assert len(finished) == (2 if do == "KILL" else 3)
    assert not (tmp_path / "out").exists()
    resumed = mnist_job(*arguments("--shard-rows", 4, "--json"))
    printed = json.loads(resumed.stdout)
    assert printed["digest"] == undisturbed["digest"]
    assert printed["reason"] == f"continued after {len(finished)} of {len(undisturbed['files'])} files"
    files = [tmp_path / "out" / name for name in undisturbed["files"]]
    assert [path.stat().st_ino for path in files[: len(finished)]] == finished, "predicted once"
    assert beside(tmp_path / "out") == ["out"]


@pytest.mark.thorough
def test_killed_after_sealing_leaves_nothing_in_the_end(
    mnist_job: Command, arguments: Arguments, tmp_path: Path
) -> None:
    plan = {"at": "remove", "path": "00000.json", "do": "KILL"}
    assert interfered(plan, *arguments()).returncode == EXITS["KILL"]
    assert beside(tmp_path / "out") == ["out", "out.lock", "out.partial"]
    assert json.loads(mnist_job(*arguments("--json")).stdout)["status"] == "reused"
    assert beside(tmp_path / "out") == ["out"]


@pytest.mark.thorough
def test_checkpoints_of_another_model_are_not_used(
    trained: Trained, mnist_job: Command, arguments: Arguments, tmp_path: Path
) -> None:
    plan = {"at": "rename", "path": "*/checkpoints/draft", "count": 3, "do": "KILL"}
    assert interfered(plan, *arguments("--shard-rows", 4, "--transpose")).returncode == EXITS["KILL"]
    assert mnist_job(*arguments("--shard-rows", 4)).exit_code == 0
    frame = pd.read_parquet(tmp_path / "out" / "predictions")
    expected = trained.probabilities()
    np.testing.assert_allclose(np.stack(frame.probabilities.to_list())[: len(expected)], expected, atol=1e-6)


@pytest.mark.parametrize(
    "moment",
    [
        {"at": "rename", "count": 2},
        pytest.param({"at": "mkdir", "path": "*/files-*/predictions"}, marks=pytest.mark.thorough),
    ],
)
def test_images_that_change_meanwhile_seal_nothing(
    trained: Trained, arguments: Arguments, tmp_path: Path, moment: dict[str, Any]
) -> None:
    changing = tmp_path / "changing-idx3-ubyte"
    shutil.copy(trained.idx, changing)
    plan = {"path": "*/checkpoints/draft", **moment, "do": "STOP"}
    process = start_interfered(plan, *arguments(changing, "--shard-rows", 10))
    wait_until_stopped(process)
    content = bytearray(changing.read_bytes())
    content[-1] ^= 1
    changing.write_bytes(content)
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 3, errors
    assert "changed while" in errors
    assert beside(tmp_path / "out") == []


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3))
def test_random_kills_give_the_same_bits(mnist_job: Command, arguments: Arguments, tmp_path: Path, seed: int) -> None:
    undisturbed = json.loads(mnist_job(*arguments("--shard-rows", 3, "--json")).stdout)
    shutil.rmtree(tmp_path / "out")
    chosen = random.Random(seed)  # noqa: S311
    for _ in range(6):
        moment = chosen.choice(MOMENTS)
        plan = {
            **moment,
            "count": chosen.randint(1, 3),
            "do": chosen.choice([*EXITS]),
            "delay": chosen.choice([0, 0.01]),
        }
        ended = interfered(plan, *arguments("--shard-rows", 3))
        assert ended.returncode in (0, EXITS[plan["do"]]), (plan, ended.stderr)
        assert (tmp_path / "out").exists() == (ended.returncode == 0)
    assert json.loads(mnist_job(*arguments("--shard-rows", 3, "--json")).stdout)["digest"] == undisturbed["digest"]
    assert mnist_job("verify", tmp_path / "out").exit_code == 0
    assert beside(tmp_path / "out") in (["out"], ["out", "out.lock"]), "a killed process may leave its lock"


@pytest.mark.thorough
def test_concurrent_commands_predict_once(arguments: Arguments, tmp_path: Path) -> None:
    processes = [start(*arguments("--json")) for _ in range(3)]
    printed = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    assert sorted(values["status"] for values in printed) == ["ran", "reused", "reused"]
    assert len({values["digest"] for values in printed}) == 1
    assert beside(tmp_path / "out") == ["out"]


def test_show_and_verify_read_the_folder(
    trained: Trained, mnist_job: Command, arguments: Arguments, tmp_path: Path
) -> None:
    printed = json.loads(mnist_job(*arguments("--json")).stdout)
    shown = mnist_job("show", tmp_path / "out", "--root", trained.root)
    assert f"digest        {printed['digest']}" in shown.stdout
    assert f"{printed['predicted']} images, 0 skipped" in shown.stdout
    assert "source: made-up squares" in shown.stdout, "the lineage leads to the data of the training"
    elsewhere = mnist_job("show", tmp_path / "out", "--root", tmp_path / "empty")
    assert f"digest        {printed['digest']}" in elsewhere.stdout
    assert mnist_job("verify", tmp_path / "out").stdout == "1 artifact verified, 0 failed\n"
    (tmp_path / "out" / printed["files"][0]).write_bytes(b"")
    assert mnist_job("verify", tmp_path / "out").exit_code == 3
    assert mnist_job("verify", tmp_path).exit_code == 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--out", "out", "--show", "shown"), "--show is not possible with --out"),
        (("--out", "out", "--format", "csv"), "--format is not possible with --out"),
        (("--json",), "--json is not possible without --out"),
        (("--shard-rows", "5"), "--shard-rows is not possible without --out"),
    ],
)
def test_options_that_do_not_fit_are_refused(mnist_job: Command, more: tuple[str, ...], message: str) -> None:
    outcome = mnist_job("predict", "one.png", *more)
    assert outcome.exit_code == 2
    assert message in outcome.stderr


def test_uses_no_tensorflow_or_numpy_if_reused(mnist_job: Command, arguments: Arguments) -> None:
    assert mnist_job(*arguments()).exit_code == 0
    assert not imported_by(*arguments()) & {*HEAVY}
