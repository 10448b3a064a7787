"""Machines whose clock is wrong or whose disk is full, on a root that other machines use."""

import json
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from components.object_storage import ObjectUrl, open_objects
from job.store.remote import lease
from tests.conftest import FAKES, Command, WriteConfig, run_job_process
from tests.faults.test_object_storage import artifacts_of, digests
from tests.support.disks import small_disk
from tests.support.faulty_proxy import Fault, error
from tests.support.object_servers import Bucket
from tests.support.processes import start

IMAGES = {"use": "components.testing:FakeExampleGen", "per_class": 1000}
"""3,000 images, whose scaled pixels have 3 MB."""


@pytest.mark.thorough
@pytest.mark.parametrize("clock", [300, -300])
def test_live_lease_is_kept_whatever_the_clocks_are(
    mnist_job: Command, fake_config: Path, finished_root: Path, s3: Bucket, monkeypatch: pytest.MonkeyPatch, clock: int
) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(lease, "LIFE_SECONDS", 3.0)
    local = mnist_job("show", "--root", finished_root, "--json").record
    (fingerprint,) = (step["fingerprint"] for step in local["steps"] if step["component"] == "trainer")
    key, is_released, uploads = f"artifacts/trainer/{fingerprint}.lock", threading.Event(), list[bool]()
    objects = open_objects(ObjectUrl.parse(f"{s3.url}/root"))  # of another machine, without the proxy
    other = ExitStack()
    other.enter_context(lease.Leases(objects, "another machine").acquire(key, name="another"))

    def release() -> None:
        is_released.set()
        other.close()

    with s3.proxy(monkeypatch, clock=clock) as proxy:
        proxy.plan(
            Fault("slow", match=f"PUT .*/{fingerprint}/", call=lambda _: uploads.append(is_released.is_set())),
            Fault("slow", match=f"GET .*{key}", skip=5, count=1, call=lambda _: threading.Timer(2.0, release).start()),
        )
        result = mnist_job("run", "--config", fake_config, "--root", f"{s3.url}/root", "--json")
    assert result.exit_code == 0, result.stderr
    assert digests(result.record) == digests(local)
    assert uploads
    assert all(uploads), "nothing was produced while the other machine had the lease"


@pytest.mark.thorough
def test_full_disk_of_the_cache_leaves_the_store_as_it_was(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config({**FAKES, "example_gen": IMAGES})
    arguments = ("run", "--config", config, "--root", f"{s3.url}/root", "--json")
    assert mnist_job(*arguments, "--until", "transform").exit_code == 0
    before = {key: data for key, data in s3.objects().items() if "/artifacts/" in key}
    with small_disk(tmp_path / "disk", 1_000_000) as disk:
        monkeypatch.setenv("JOB_CACHE", str(disk))
        full = run_job_process(*arguments)  # in this process, open files would keep the disk busy
    assert full.exit_code == 1, full.stderr
    assert "error: no space for" in full.stderr
    assert "Traceback" not in full.stderr
    assert {key: data for key, data in s3.objects().items() if "/artifacts/" in key} == before
    monkeypatch.setenv("JOB_CACHE", str(tmp_path / "third"))
    finished = mnist_job(*arguments)
    assert finished.exit_code == 0, finished.stderr
    assert [step["status"] for step in finished.record["steps"]] == ["reused", "reused", "ran", "ran", "ran"]
    assert len(artifacts_of(s3)) == 5


@pytest.mark.thorough
def test_two_machines_with_bad_networks_make_each_artifact_once(
    mnist_job: Command,
    fake_config: Path,
    tmp_path: Path,
    finished_root: Path,
    s3: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ("run", "--config", fake_config, "--root", f"{s3.url}/root", "--json")
    with ExitStack() as stack:
        processes = []
        for machine in ("first", "second"):
            proxy = stack.enter_context(s3.proxy(monkeypatch))
            proxy.plan(Fault("reset_after", match="^(PUT|POST|DELETE)", every=3), error("SlowDown", every=5))
            monkeypatch.setenv("JOB_CACHE", str(tmp_path / machine))
            processes.append(start(*arguments))
        printed = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], printed
    first, second = (json.loads(stdout) for stdout, _ in printed)
    assert digests(first) == digests(second) == digests(mnist_job("show", "--root", finished_root, "--json").record)
    objects = s3.objects()
    sealed = {key.removesuffix(".json"): json.loads(objects[key])["attempt"] for key in artifacts_of(s3)}
    assert len(sealed) == 5
    others = {key for key in objects if key.startswith("root/artifacts/")} - {*artifacts_of(s3)}
    files = {key for key in others if any(key.startswith(f"{path}/{attempt}/") for path, attempt in sealed.items())}
    assert others == files, "no lease, and no file of an attempt that lost"
