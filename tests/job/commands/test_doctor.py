"""`doctor` checks versions, devices and places, prints the results, and sets the exit code."""

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
from job.commands import doctor
from tests.conftest import Command
from tests.support.cases import parametrize_sample
from tests.support.object_servers import Bucket
from tests.support.processes import REPOSITORY


def test_prints_versions_limits_devices_and_places(tmp_path: Path, mnist_job: Command) -> None:
    outcome = mnist_job("doctor", "--root", tmp_path / "root")
    assert outcome.exit_code == 0, outcome.stderr
    printed = dict(line.split(maxsplit=1) for line in outcome.stdout.splitlines() if not line.startswith("temporary"))
    assert printed["mnist-job"].startswith(f"{__version__}, revision ")
    assert f"tensorflow {import_tensorflow().__version__}" in printed["libraries"]
    assert printed["processors"].startswith(f"{cpu_limit()} of ")
    assert "jitted convolution correct" in printed["CPU:0"]
    assert printed["root"].startswith(f"{tmp_path / 'root'}: writable, ")


def test_leaves_nothing_in_the_root(tmp_path: Path, mnist_job: Command) -> None:
    for root in (tmp_path, tmp_path / "root", tmp_path / "no" / "root"):
        assert mnist_job("doctor", "--root", root).exit_code == 0
        assert list(tmp_path.iterdir()) == []


def test_missing_required_gpu_is_exit_code_5(tmp_path: Path, mnist_job: Command) -> None:
    outcome = mnist_job("doctor", "--require-gpu", "--json", "--root", tmp_path)
    result = json.loads(outcome.stdout)
    assert outcome.exit_code == 5
    assert result["no_gpu"]
    assert [failure["headline"] for failure in result["failures"]] == [f"a GPU is required, but {result['no_gpu']}"]
    assert [device["name"] for device in result["devices"]] == ["CPU:0"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
def test_root_without_permission_is_exit_code_2(tmp_path: Path, mnist_job: Command) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    os.seteuid(12345)
    try:
        outcome = mnist_job("doctor", "--root", tmp_path / "private" / "root")
    finally:
        os.seteuid(0)
    assert outcome.exit_code == 2
    assert "error: root: cannot write to the root at " in outcome.stderr


def test_root_that_cannot_be_created_is_exit_code_2(mnist_job: Command) -> None:
    outcome = mnist_job("doctor", "--root", "/proc/root")
    assert outcome.exit_code == 2
    assert "error: root: cannot write to the root at /proc: " in outcome.stderr


@parametrize_sample(1, "lacking", ["pathlib.Path.symlink_to", "pathlib.Path.rename", "fcntl.flock"])
def test_file_system_without_links_or_locks_is_exit_code_5(
    tmp_path: Path, mnist_job: Command, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    """As vfat, and object stores mounted as folders, do."""

    def refuse(path: object, *_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))

    monkeypatch.setattr(lacking, refuse)
    outcome = mnist_job("doctor", "--root", tmp_path)
    assert outcome.exit_code == 5
    lacks = "cannot lock files" if lacking == "fcntl.flock" else "lacks links or renames"
    assert f"the file system of {tmp_path} {lacks}: " in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_reports_missing_folder_for_temporary_files(tmp_path: Path) -> None:
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


def test_reports_device_replaced_by_another() -> None:
    tf = import_tensorflow()
    assert check_device(tf, "CPU:0").failure == ""
    checked = check_device(tf, "GPU:7")
    # TensorFlow silently replaces a device that does not exist.
    assert checked.failure == "TensorFlow used /job:localhost/replica:0/task:0/device:CPU:0 instead"


def test_wrong_result_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    tf = import_tensorflow()
    ones = tf.ones
    monkeypatch.setattr(tf, "ones", lambda shape: 1.01 * ones(shape))
    assert check_device(tf, "CPU:0").failure.startswith("the convolution is wrong: 9.1")


def test_wrong_gradient_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    tf = import_tensorflow()
    gradient = tf.GradientTape.gradient
    monkeypatch.setattr(tf.GradientTape, "gradient", lambda *arguments: 1.01 * gradient(*arguments))
    assert check_device(tf, "CPU:0").failure == "the gradient of the convolution is wrong, by up to 0.0025"


def test_devices_that_cannot_be_listed_are_a_failure(
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


def test_user_without_a_home_directory_is_no_failure(
    tmp_path: Path, mnist_job: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", "~no-such-user/keras")
    outcome = mnist_job("doctor", "--root", tmp_path)
    assert outcome.exit_code == 0
    assert "keras           ~no-such-user/keras: there is no home folder for ~no-such-user" in outcome.stdout


def test_failing_device_is_exit_code_5(tmp_path: Path, mnist_job: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = check_device(import_tensorflow(), "GPU:7")
    monkeypatch.setattr(doctor, "check_devices", lambda _: [broken])
    outcome = mnist_job("doctor", "--root", tmp_path)
    assert outcome.exit_code == 5
    assert "error: GPU:7 does not work: " in outcome.stderr


def test_option_overrides_root_from_the_environment(
    tmp_path: Path, mnist_job: Command, fake_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_ROOT", str(tmp_path / "named"))
    assert mnist_job("run", "--config", fake_config).exit_code == 0
    assert mnist_job("show", "--json").record["outcome"] == "succeeded"
    assert "5 artifacts" in mnist_job("verify").stdout
    assert mnist_job("run", "--config", fake_config, "--root", tmp_path / "other").exit_code == 0
    assert (tmp_path / "other" / "runs").is_dir()
    assert len(list((tmp_path / "named" / "runs").glob("2*"))) == 1


def test_record_contains_the_revision_of_the_image(
    tmp_path: Path, mnist_job: Command, fake_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_REVISION", "0123abcd")
    environment = mnist_job("run", "--config", fake_config, "--root", tmp_path, "--json").record["environment"]
    assert (environment["version"], environment["revision"]) == (__version__, "0123abcd")


def test_a_root_in_object_storage_is_tested(s3: Bucket, mnist_job: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.object_storage.guarantees.THROUGHPUT_BYTES", 100_000)
    monkeypatch.setattr(doctor, "check_devices", lambda _: [])
    outcome = mnist_job("doctor", "--root", f"{s3.url}/root")
    assert outcome.exit_code == 0, outcome.stderr
    assert f"root            {s3.url}/root\n  access        lists, writes and deletes\n" in outcome.stdout
    assert "object cache    " in outcome.stdout
    missing = mnist_job("doctor", "--root", "s3://no-such-bucket/root", "--json")
    assert missing.exit_code == 2
    assert json.loads(missing.stdout)["failures"] == [
        {"headline": "access: the bucket `no-such-bucket` does not exist", "exit_code": 2}
    ]
