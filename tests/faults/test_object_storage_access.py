"""Roots in object storage that cannot be used: one sentence and the exit code, before any work."""

import base64
from pathlib import Path

import pytest

from tests.conftest import Command, CommandResult
from tests.faults.test_object_storage import check_no_secrets
from tests.support.faulty_proxy import Fault, FaultyProxy, error
from tests.support.object_servers import Bucket

REFUSALS = {
    "InvalidAccessKeyId": "rejects the credentials",
    "SignatureDoesNotMatch": "rejects the credentials",
    "ExpiredToken": "credentials have expired",
    "AccessDenied": "no permission to",
    "NoSuchBucket": "does not exist",
    "PermanentRedirect": "is not in the region us-east-1",
    "AuthorizationHeaderMalformed": "is not in the region us-east-1",
}


def check_refused(result: CommandResult, exit_code: int, says: str) -> None:
    assert result.exit_code == exit_code, result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("error")]
    assert len(errors) == 1, result.stderr
    assert says in errors[0]
    assert "Traceback" not in result.stderr
    assert "example_gen" not in result.stdout, "nothing runs"


@pytest.mark.parametrize(("code", "says"), REFUSALS.items())
def test_refused_requests_exit_before_any_work(
    mnist_job: Command, fake_config: Path, tmp_path: Path, s3: Bucket, s3_proxy: FaultyProxy, code: str, says: str
) -> None:
    s3_proxy.plan(error(code))
    result = mnist_job("run", "--config", fake_config, "--root", f"{s3.url}/root")
    check_refused(result, 2, says)
    check_no_secrets(s3, tmp_path, result.stdout, result.stderr)
    assert s3.objects() == {}


def test_traceback_of_debug_has_no_response_of_the_server(
    mnist_job: Command, fake_config: Path, tmp_path: Path, s3: Bucket, s3_proxy: FaultyProxy
) -> None:
    s3_proxy.plan(error("AccessDenied"))
    result = mnist_job("run", "--config", fake_config, "--root", f"{s3.url}/root", "--debug")
    assert "Traceback" in result.stderr
    check_no_secrets(s3, tmp_path, result.stdout, result.stderr)


@pytest.mark.thorough
def test_run_needs_permission_to_write_and_show_does_not(
    mnist_job: Command, fake_config: Path, s3: Bucket, s3_proxy: FaultyProxy
) -> None:
    arguments = ("run", "--config", fake_config, "--root", f"{s3.url}/root")
    assert mnist_job(*arguments).exit_code == 0
    before = s3.objects()
    s3_proxy.plan(error("AccessDenied", match="^(PUT|POST|DELETE)"))
    check_refused(mnist_job(*arguments), 2, "no permission to")
    for command in ("show", "runs", "plan"):
        options = ("--config", fake_config) if command == "plan" else ()
        result = mnist_job(command, *options, "--root", f"{s3.url}/root")
        assert result.exit_code == 0, result.stderr
    assert s3.objects() == before


@pytest.mark.thorough
def test_unreachable_store_is_a_missing_resource(
    mnist_job: Command, fake_config: Path, s3: Bucket, s3_proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_REMOTE_TIMEOUT", "1")
    s3_proxy.plan(Fault("hang", seconds=3))
    result = mnist_job("run", "--config", fake_config, "--root", f"{s3.url}/root")
    check_refused(result, 5, "in time")


@pytest.mark.thorough
def test_rejected_key_and_missing_container_of_azure(
    mnist_job: Command, fake_config: Path, tmp_path: Path, azurite: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = mnist_job("run", "--config", fake_config, "--root", "az://missing/root")
    check_refused(missing, 2, "container `missing` does not exist")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", base64.b64encode(bytes(64)).decode())
    rejected = mnist_job("run", "--config", fake_config, "--root", f"{azurite.url}/root")
    check_refused(rejected, 2, "no permission to")  # Azurite's code for it; that of Azure is AuthenticationFailed
    check_no_secrets(azurite, tmp_path, missing.stderr, rejected.stderr)
