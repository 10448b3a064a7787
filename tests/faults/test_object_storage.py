"""Runs on a root in object storage, while requests fail with transient errors."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command
from tests.support.faulty_proxy import RESPONSE_MARK, Fault, FaultyProxy, error
from tests.support.object_servers import ACCESS_KEY, AZURE_KEY, SECRET_KEY, Bucket

SECRETS = (SECRET_KEY, ACCESS_KEY, AZURE_KEY, "X-Amz-Signature", "Authorization", RESPONSE_MARK)
TRANSIENT: dict[str, list[Fault]] = {
    "errors of the server": [error("InternalError", every=3), error("ServiceUnavailable", every=4)],
    "too many requests": [error("TooManyRequests", every=3), error("SlowDown", every=4)],
    "lost responses to writes": [Fault("reset_after", match="^(PUT|POST|DELETE)", every=2)],
    "resets": [Fault("reset", every=3)],
    "short responses": [Fault("truncate", method="GET", every=2)],
}
SOME = [error("SlowDown", every=9), Fault("reset_after", match="^(PUT|POST|DELETE)", every=5)]


def digests(record: dict[str, Any]) -> dict[str, str]:
    return {step["component"]: step["digest"] for step in record["steps"]}


def artifacts_of(bucket: Bucket) -> list[str]:
    """Return the keys of the sealing objects."""
    keys = [key for key in bucket.objects() if key.startswith("root/artifacts/")]
    return [key for key in keys if key.count("/") == 3 and key.endswith(".json")]


def check_no_secrets(bucket: Bucket, folder: Path, *printed: str) -> None:
    """Check that no object, no file and no output contains a secret or a response of the server."""
    contents = [*(text.encode() for text in printed), *bucket.objects().values()]
    contents += [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert not [secret for secret in SECRETS for content in contents if secret.encode() in content]


@pytest.fixture
def local_digests(mnist_job: Command, finished_root: Path) -> dict[str, str]:
    return digests(mnist_job("show", "--root", finished_root, "--json").record)


@pytest.mark.thorough
@pytest.mark.parametrize("faults", [*TRANSIENT.values(), SOME], ids=[*TRANSIENT, "some"])
def test_run_survives_transient_faults(
    mnist_job: Command,
    fake_config: Path,
    tmp_path: Path,
    s3: Bucket,
    s3_proxy: FaultyProxy,
    local_digests: dict[str, str],
    faults: list[Fault],
) -> None:
    s3_proxy.plan(*faults)
    first = mnist_job("run", "--config", fake_config, "--root", f"{s3.url}/root", "--json")
    assert first.exit_code == 0, first.stderr
    assert digests(first.record) == local_digests
    assert len(artifacts_of(s3)) == len(local_digests)
    again = mnist_job("run", "--config", fake_config, "--root", f"{s3.url}/root", "--json")
    assert {step["status"] for step in again.record["steps"]} == {"reused"}
    assert {request.fault for request in s3_proxy.requests} > {""}
    check_no_secrets(s3, tmp_path, first.stdout, first.stderr, again.stdout, again.stderr)


@pytest.mark.thorough
def test_run_on_azure_survives_transient_faults(
    mnist_job: Command,
    fake_config: Path,
    tmp_path: Path,
    azurite: Bucket,
    local_digests: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with azurite.proxy(monkeypatch) as proxy:
        lost = [Fault("reset_after", match="^(PUT|POST|DELETE)", every=3), Fault("truncate", method="GET", every=5)]
        proxy.plan(error("ServerBusy", every=7), error("OperationTimedOut", every=8), *lost)
        result = mnist_job("run", "--config", fake_config, "--root", f"{azurite.url}/root", "--json")
    assert result.exit_code == 0, result.stderr
    assert digests(result.record) == local_digests
    assert len(artifacts_of(azurite)) == len(local_digests)
    check_no_secrets(azurite, tmp_path, result.stdout, result.stderr)
