"""`doctor` tries what the job rests on, says what it found, and exits by it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.runtime.devices import check_device
from components.runtime.resources import cpu_limit
from components.runtime.tensorflow import import_tensorflow
from job import __version__
from job.commands import doctor as diagnosis
from tests.conftest import Command
from tests.support.processes import REPOSITORY


def test_it_tells_versions_limits_devices_and_places(tmp_path: Path, mnist_job: Command) -> None:
    outcome = mnist_job("doctor", "--root", tmp_path / "root")
    assert outcome.exit_code == 0, outcome.stderr
    told = dict(line.split(maxsplit=1) for line in outcome.stdout.splitlines() if not line.startswith("temporary"))
    assert told["mnist-job"].startswith(f"{__version__}, revision ")
    assert f"tensorflow {import_tensorflow().__version__}" in told["libraries"]
    assert told["processors"].startswith(f"{cpu_limit()} of ")
    assert "jitted convolution right" in told["CPU:0"]
    assert told["root"].startswith(f"{tmp_path / 'root'}: writable, ")


def test_it_leaves_nothing_behind_in_the_root(tmp_path: Path, mnist_job: Command) -> None:
    for root in (tmp_path, tmp_path / "root"):
        assert mnist_job("doctor", "--root", root).exit_code == 0
        assert list(tmp_path.iterdir()) == []


def test_a_gpu_that_is_required_and_not_there_is_exit_5_and_all_else_is_told(
    tmp_path: Path, mnist_job: Command
) -> None:
    outcome = mnist_job("doctor", "--require-gpu", "--json", "--root", tmp_path)
    told = json.loads(outcome.stdout)
    assert outcome.exit_code == 5
    assert told["no_gpu"]
    assert [failure["headline"] for failure in told["failures"]] == [f"a GPU is required, but {told['no_gpu']}"]
    assert [device["name"] for device in told["devices"]] == ["CPU:0"]


@pytest.mark.skipif(os.geteuid() != 0, reason="root only can become somebody else")
def test_a_root_that_may_not_be_entered_is_exit_2(tmp_path: Path, mnist_job: Command) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)
    os.seteuid(12345)
    try:
        outcome = mnist_job("doctor", "--root", tmp_path / "mine" / "root")
    finally:
        os.seteuid(0)
    assert outcome.exit_code == 2
    assert "error: root: cannot write to the root at " in outcome.stderr


def test_a_root_that_cannot_be_made_is_exit_2(mnist_job: Command) -> None:
    outcome = mnist_job("doctor", "--root", "/proc/root")
    assert outcome.exit_code == 2
    assert "error: root: cannot write to the root at /proc/root" in outcome.stderr


@pytest.mark.parametrize("lacking", ["pathlib.Path.symlink_to", "pathlib.Path.rename", "fcntl.flock"])
def test_a_file_system_that_lacks_what_the_store_rests_on_is_told_before_a_run_needs_it(
    tmp_path: Path, mnist_job: Command, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    """As vfat, and object stores mounted as folders, refuse them."""

    def refuse(path: object, *_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))

    monkeypatch.setattr(lacking, refuse)
    outcome = mnist_job("doctor", "--root", tmp_path)
    assert outcome.exit_code == 2
    assert f"the file system of {tmp_path} lacks locks, links or renames" in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_a_place_for_temporary_files_is_told(tmp_path: Path) -> None:
    """As a container with a read-only root and no /tmp."""
    script = (
        "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/proc']; from job.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "doctor", "--root", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: temporary files: ")
    assert "Traceback" not in done.stderr


def test_a_device_that_works_only_because_another_does_its_work_is_told() -> None:
    tf = import_tensorflow()
    assert check_device(tf, "CPU:0").failure == ""
    checked = check_device(tf, "GPU:7")
    # TensorFlow silently takes another one for a device that is not there.
    assert checked.failure == "TensorFlow used /job:localhost/replica:0/task:0/device:CPU:0 instead"


def test_a_wrong_result_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    tf = import_tensorflow()
    ones = tf.ones
    monkeypatch.setattr(tf, "ones", lambda shape: 1.01 * ones(shape))
    assert check_device(tf, "CPU:0").failure.startswith("the convolution is wrong: 9.1")


def test_a_wrong_gradient_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    tf = import_tensorflow()
    gradient = tf.GradientTape.gradient
    monkeypatch.setattr(tf.GradientTape, "gradient", lambda *arguments: 1.01 * gradient(*arguments))
    assert check_device(tf, "CPU:0").failure == "the gradient of the convolution is wrong, by up to 0.0025"


def test_devices_that_cannot_even_be_listed_are_a_failure(
    tmp_path: Path, mnist_job: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    tf = import_tensorflow()

    def busy() -> None:
        raise tf.errors.InternalError(None, None, "CUDA-capable device(s) is/are busy or unavailable")

    monkeypatch.setattr(tf.config, "list_logical_devices", busy)
    outcome = mnist_job("doctor", "--root", tmp_path)
    assert outcome.exit_code == 5
    assert (
        "error: the list of devices does not work: InternalError: CUDA-capable device(s) is/are busy" in outcome.stderr
    )


def test_a_cache_of_a_user_without_a_home_is_told_and_harms_nothing(
    tmp_path: Path, mnist_job: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", "~nobody-of-this-name/keras")
    outcome = mnist_job("doctor", "--root", tmp_path)
    assert outcome.exit_code == 0
    assert "keras           ~nobody-of-this-name/keras: Could not determine home directory" in outcome.stdout


def test_a_device_that_fails_is_exit_5(tmp_path: Path, mnist_job: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = check_device(import_tensorflow(), "GPU:7")
    monkeypatch.setattr(diagnosis, "check_devices", lambda _: [broken])
    outcome = mnist_job("doctor", "--root", tmp_path)
    assert outcome.exit_code == 5
    assert "error: GPU:7 does not work: " in outcome.stderr


def test_the_root_can_come_from_the_environment_and_the_option_wins(
    tmp_path: Path, mnist_job: Command, fake_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_ROOT", str(tmp_path / "named"))
    assert mnist_job("run", "--config", fake_config).exit_code == 0
    assert mnist_job("show", "--json").record["outcome"] == "succeeded"
    assert "5 artifacts" in mnist_job("verify").stdout
    assert mnist_job("run", "--config", fake_config, "--root", tmp_path / "other").exit_code == 0
    assert (tmp_path / "other" / "runs").is_dir()
    assert len(list((tmp_path / "named" / "runs").glob("2*"))) == 1


def test_the_revision_of_an_image_is_in_the_record(
    tmp_path: Path, mnist_job: Command, fake_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_REVISION", "0123abcd")
    environment = mnist_job("run", "--config", fake_config, "--root", tmp_path, "--json").record["environment"]
    assert (environment["version"], environment["revision"]) == (__version__, "0123abcd")
