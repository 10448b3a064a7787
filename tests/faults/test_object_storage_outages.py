"""Object storage that fails during a run: the run ends with one sentence, and the next one continues."""

from collections.abc import Callable
from pathlib import Path

import pytest

from job.store.remote import lease
from tests.conftest import Command, CommandResult
from tests.faults.test_object_storage import artifacts_of, check_no_secrets
from tests.support.faulty_proxy import Fault, FaultyProxy, error
from tests.support.object_servers import ACCESS_KEY, SECRET_KEY, Bucket

REQUESTS_BEFORE = 30
"""Requests of a run before its second step is sealed."""
OUTAGES = {
    "no connection": (Fault("reset", skip=REQUESTS_BEFORE), 5, "connection"),
    "no response": (Fault("hang", seconds=5, skip=REQUESTS_BEFORE), 5, "in time"),
    "overload": (error("SlowDown", skip=REQUESTS_BEFORE), 5, "too many requests"),
    "no permission": (error("AccessDenied", method="PUT", skip=REQUESTS_BEFORE), 2, "no permission to write"),
    "expired credentials": (error("ExpiredToken", skip=REQUESTS_BEFORE), 5, "credentials have expired"),
    "no bucket": (error("NoSuchBucket", skip=REQUESTS_BEFORE), 2, "does not exist"),
}

Run = Callable[..., CommandResult]


@pytest.fixture
def run(mnist_job: Command, fake_config: Path, s3: Bucket) -> Run:
    """Return a function that runs the fakes on a root in the bucket."""
    arguments = ("run", "--config", fake_config, "--root", f"{s3.url}/root", "--json")
    return lambda *options: mnist_job(*arguments, *options)


@pytest.mark.thorough
@pytest.mark.parametrize(("outage", "exit_code", "says"), OUTAGES.values(), ids=OUTAGES)
def test_run_ends_at_an_outage_and_the_next_continues(
    run: Run,
    tmp_path: Path,
    s3: Bucket,
    s3_proxy: FaultyProxy,
    monkeypatch: pytest.MonkeyPatch,
    outage: Fault,
    exit_code: int,
    says: str,
) -> None:
    monkeypatch.setattr(lease, "LIFE_SECONDS", 1.0)  # the lease of the run that cannot release it
    monkeypatch.setenv("JOB_REMOTE_TIMEOUT", "2")
    monkeypatch.setenv("JOB_REMOTE_RETRIES", "2")
    s3_proxy.plan(outage)
    ended = run()
    assert ended.exit_code == exit_code, ended.stderr
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error")]
    assert [says in line for line in errors] == [True], ended.stderr
    assert "Traceback" not in ended.stderr
    s3_proxy.plan()
    monkeypatch.setattr("job.store.root._remote", {})  # as in another process
    finished = run()
    assert finished.exit_code == 0, finished.stderr
    # How many steps end before the outage depends on the background uploads, which are requests too.
    assert {"ran"} <= {step["status"] for step in finished.record["steps"]} <= {"ran", "reused"}
    assert len(artifacts_of(s3)) == len(finished.record["steps"])
    check_no_secrets(s3, tmp_path, ended.stdout, ended.stderr, finished.stdout, finished.stderr)


@pytest.mark.thorough
def test_credentials_of_a_file_are_read_again_when_they_expire(
    run: Run, tmp_path: Path, s3: Bucket, s3_proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "credentials"

    def issue(access_key: str) -> None:
        path.write_text(f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = {SECRET_KEY}\n")

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    issue("AKIAFIRST")
    s3_proxy.plan(error("ExpiredToken", access_key="AKIAFIRST", skip=REQUESTS_BEFORE, call=lambda _: issue(ACCESS_KEY)))
    finished = run()
    assert finished.exit_code == 0, finished.stderr
    assert {request.fault for request in s3_proxy.requests} == {"", "status"}
    path.unlink()
    check_no_secrets(s3, tmp_path, finished.stdout, finished.stderr)
