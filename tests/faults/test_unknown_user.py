"""A user without a name or a home, on a read-only root file system, as clusters run containers."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DIGITS, FinishedRun, WriteConfig
from tests.support.roots import copy_root
from tests.support.trackers import EPOCHS
from tests.support.unknown_user import WHY_SKIPPED, can_change_user, run_as_unknown_user

pytestmark = pytest.mark.skipif(not can_change_user(), reason=WHY_SKIPPED)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Return a folder that any user can enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.thorough
def test_unknown_user_runs_the_job(tmp_path: Path, fake_config: Path) -> None:
    output = tmp_path / "output"
    ended = run_as_unknown_user("run", "--config", fake_config, "--root", output / "root", writable=output)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "warning" not in ended.stdout
    assert [path.name for path in output.iterdir()] == ["root"]


def digests(record: dict[str, Any]) -> list[str]:
    return [step["digest"] for step in record["steps"]]


@pytest.mark.thorough
def test_unknown_user_trains_on_a_read_only_file_system(tmp_path: Path, digits_run: FinishedRun) -> None:
    output = tmp_path / "output"
    config = shutil.copy(digits_run.config, tmp_path)
    arguments = ("run", "--config", config, "--root", output / "root", "--json")
    ended = run_as_unknown_user(*arguments, writable=output, temporary=output)
    assert ended.returncode == 0, ended.stderr
    assert "warning" not in ended.stderr
    digests = [
        [step["digest"] for step in json.loads(text)["steps"]] for text in (ended.stdout, digits_run.result.stdout)
    ]
    assert digests[0] == digests[1]


@pytest.mark.thorough
def test_unknown_user_tracks_the_run(tmp_path: Path, write_config: WriteConfig) -> None:
    output = tmp_path / "output"
    config = write_config({**EPOCHS, "tracking": {"tensorboard": {}, "mlflow": {}}})
    ended = run_as_unknown_user("run", "--config", config, "--root", output / "root", writable=output, temporary=output)
    assert ended.returncode == 0, ended.stderr
    assert "warning" not in ended.stdout + ended.stderr
    assert (output / "root" / "mlflow.db").is_file()


@pytest.mark.thorough
def test_missing_folder_for_temporary_files_is_exit_code_2(tmp_path: Path) -> None:
    output = tmp_path / "output"
    ended = run_as_unknown_user("run", "--config", DIGITS, "--root", output / "root", writable=output)
    assert ended.returncode == 2
    assert "error: TensorFlow needs a folder for temporary files: " in ended.stderr
    assert "remedy:   set TMPDIR, or mount a writable folder at /tmp" in ended.stderr


def test_run_in_a_read_only_root_is_exit_code_2(finished_root: Path, fake_config: Path) -> None:
    ended = run_as_unknown_user("run", "--config", fake_config, "--root", finished_root)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error: cannot write to the root at {finished_root}")
    assert "Read-only file system\n" in ended.stderr


READERS: list[Callable[[Path], list[object]]] = [
    lambda root: ["show", "--root", root],
    lambda root: ["show", "--root", root, "--json"],
    lambda root: ["verify", "--root", root],
    lambda root: ["gc", "--root", root, "--keep", "1"],
]


@pytest.mark.thorough
@pytest.mark.parametrize("arguments", READERS)
def test_read_only_root_can_be_read(finished_root: Path, arguments: Callable[[Path], list[object]]) -> None:
    ended = run_as_unknown_user(*arguments(finished_root))
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.thorough
def test_predict_reads_a_read_only_root(tmp_path: Path, digits_run: FinishedRun) -> None:
    from PIL import Image, ImageDraw

    picture, temporary = tmp_path / "1.png", tmp_path / "temporary"
    page = Image.new("L", (28, 28), 255)
    ImageDraw.Draw(page).line((14, 5, 14, 22), fill=0, width=2)
    page.save(picture)
    root = copy_root(digits_run.root, tmp_path / "root")
    ended = run_as_unknown_user(
        "predict", picture, "--root", root, "--format", "csv", writable=temporary, temporary=temporary
    )
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) == 2


@pytest.mark.thorough
def test_delete_in_a_read_only_root_is_exit_code_2(finished_root: Path) -> None:
    ended = run_as_unknown_user("gc", "--root", finished_root, "--keep", "1", "--delete")
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: cannot write to the root at ")
