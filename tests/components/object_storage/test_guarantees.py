"""The tests of `doctor` find guarantees that an object store lacks, and leave no object."""

import pytest

from components.base.errors import ExitCode
from components.object_storage import ObjectUrl, guarantees, open_objects
from components.object_storage.guarantees import Guarantee, check_guarantees
from tests.support.faulty_proxy import Fault, FaultyProxy, error
from tests.support.object_servers import Bucket

TESTS = ["access", "create once", "replace once", "lists", "reads", "clock", "throughput"]


@pytest.fixture(autouse=True)
def _small_transfers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarantees, "THROUGHPUT_BYTES", 100_000)
    monkeypatch.setattr(guarantees, "ROUNDS", 3)


def check(bucket: Bucket) -> dict[str, Guarantee]:
    return {found.name: found for found in check_guarantees(ObjectUrl.parse(f"{bucket.url}/prefix"))}


def test_a_good_store_passes_and_keeps_nothing(bucket: Bucket) -> None:
    found = check(bucket)
    assert list(found) == TESTS
    assert [guarantee.failure for guarantee in found.values()] == [""] * len(TESTS)
    assert found["clock"].detail == "that of this machine agrees"
    assert "per second up" in found["throughput"].detail
    assert open_objects(ObjectUrl.parse(bucket.url)).list() == []


def test_a_store_that_ignores_conditions_fails(s3: Bucket, s3_proxy: FaultyProxy) -> None:
    s3_proxy.plan(Fault("unconditional"))
    failed = {name: guarantee for name, guarantee in check(s3).items() if guarantee.failure}
    assert list(failed) == ["create once", "replace once"]
    assert "ignores If-None-Match" in failed["create once"].failure
    assert "ignores If-Match" in failed["replace once"].failure
    assert {guarantee.exit_code for guarantee in failed.values()} == {ExitCode.USAGE}


@pytest.mark.thorough
@pytest.mark.parametrize(("seconds", "expected"), [(300.0, "behind that of"), (-300.0, "ahead of that of")])
def test_five_minutes_between_the_clocks_are_reported(
    s3: Bucket, monkeypatch: pytest.MonkeyPatch, seconds: float, expected: str
) -> None:
    with s3.proxy(monkeypatch, clock=seconds):
        clock = check(s3)["clock"]
    assert clock.failure == ""
    assert expected in clock.detail


def test_twenty_minutes_between_the_clocks_fail(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3.proxy(monkeypatch, clock=1200):
        assert "behind that of the store" in check(s3)["clock"].failure


def test_without_access_there_are_no_other_tests(s3: Bucket, s3_proxy: FaultyProxy) -> None:
    s3_proxy.plan(error("AccessDenied", method="PUT"))
    assert list(found := check(s3)) == ["access"]
    assert "no permission to write s3://" in found["access"].failure


def test_incomplete_credentials_fail(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "the credentials are missing" in check(s3)["access"].failure
