"""The operations on real servers: their guarantees, and their errors without an object or a bucket."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.base.errors import ConfigError, IntegrityError
from components.object_storage import Objects, ObjectUrl, check_read_access, check_write_access, open_objects
from tests.support.faulty_proxy import RESPONSE_MARK, Fault, FaultyProxy, error
from tests.support.object_servers import SECRET_KEY, Bucket


def below(bucket: Bucket, prefix: str = "a/prefix") -> Objects:
    return open_objects(ObjectUrl.parse(f"{bucket.url}/{prefix}"))


def test_of_all_that_create_a_key_one_succeeds(bucket: Bucket) -> None:
    objects = below(bucket)
    with ThreadPoolExecutor(6) as pool:
        created = list(pool.map(lambda writer: objects.create("key", b"%d" % writer), range(6)))
    assert created.count(True) == 1
    found = objects.read("key")
    assert found is not None
    assert found.data == b"%d" % created.index(True)
    assert objects.create("key", found.data)  # the same content: an earlier attempt of this caller


def test_an_object_is_replaced_only_with_its_present_tag(bucket: Bucket) -> None:
    objects = below(bucket)
    objects.create("key", b"1")
    first = objects.read("key")
    assert first is not None
    second = objects.replace("key", b"2", first.tag)
    assert second is not None
    assert objects.replace("key", b"3", first.tag) is None
    assert objects.replace("key", b"4", second)
    assert objects.replace("missing", b"5", second) is None
    found = objects.read("key")
    assert found is not None
    assert found.data == b"4"


def test_lists_reads_copies_and_deletes(bucket: Bucket) -> None:
    objects = below(bucket)
    for key in ("b/2", "b/1", "b/c/3", "bc"):
        objects.upload(key.encode(), key)
    assert [info.key for info in objects.list("b/")] == ["b/1", "b/2", "b/c/3"]
    assert [info.key for info in objects.list("b")] == ["b/1", "b/2", "b/c/3", "bc"]
    listing = objects.list_folder("b")
    assert ([info.key for info in listing.objects], listing.folders) == (["b/1", "b/2"], ("c",))
    info = objects.info("b/c/3")
    assert info is not None
    assert (info.size, info.tag) == (5, objects.list("b/c/")[0].tag)
    assert objects.copy("b/1", "copied")
    assert not objects.copy("missing", "copied")
    objects.delete(["b/1", "missing"])
    assert objects.read("b/1") is None
    assert objects.info("b/1") is None
    assert [info.key for info in below(bucket, "a").list("prefix/b")] == ["prefix/b/2", "prefix/b/c/3", "prefix/bc"]


def test_a_changed_or_missing_object_is_not_downloaded(s3: Bucket, tmp_path: Path) -> None:
    objects = below(s3)
    objects.upload(b"content", "key")
    for key, problem in (("key", "has been changed"), ("missing", "does not exist")):
        with pytest.raises(IntegrityError, match=problem):
            objects.download(key, tmp_path / "file", sha256="0" * 64)
    assert not [*tmp_path.iterdir()]


def test_a_missing_bucket_exits_with_2(bucket: Bucket, tmp_path: Path) -> None:
    objects = open_objects(ObjectUrl.parse(f"{bucket.server.scheme}://no-such-bucket/prefix"))
    for operation in (
        lambda: check_read_access(objects),
        lambda: check_write_access(objects),
        lambda: objects.read("key"),
        lambda: objects.create("key", b"1"),
        lambda: objects.download("key", tmp_path / "file"),
    ):
        with pytest.raises(ConfigError, match="`no-such-bucket` does not exist"):
            operation()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("AccessDenied", "no permission to list s3://"),
        ("InvalidAccessKeyId", "the store rejects the credentials"),
        ("SignatureDoesNotMatch", "the store rejects the credentials"),
        ("ExpiredToken", "the credentials have expired"),
        ("PermanentRedirect", "not in the region us-east-1"),
        ("AuthorizationHeaderMalformed", "not in the region us-east-1"),
    ],
)
def test_refused_access_exits_with_2(s3: Bucket, s3_proxy: FaultyProxy, code: str, expected: str) -> None:
    s3_proxy.plan(error(code))
    with pytest.raises(ConfigError, match=expected) as raised:
        check_write_access(below(s3))
    assert RESPONSE_MARK not in f"{raised.value}"
    assert SECRET_KEY not in f"{raised.value}"
    assert raised.value.__context__ is None  # a traceback would contain the response
    assert s3_proxy.count() == 1


def test_access_that_is_read_only_is_detected(s3: Bucket, s3_proxy: FaultyProxy) -> None:
    s3_proxy.plan(error("AccessDenied", method="PUT"))
    check_read_access(below(s3))
    with pytest.raises(ConfigError, match="no permission to write s3://"):
        check_write_access(below(s3))


def test_a_store_that_ignores_conditions_is_refused(s3: Bucket, s3_proxy: FaultyProxy) -> None:
    s3_proxy.plan(Fault("unconditional"))
    with pytest.raises(ConfigError, match="ignores the condition If-None-Match"):
        check_write_access(below(s3))


def test_checking_access_leaves_nothing(bucket: Bucket) -> None:
    objects = below(bucket)
    check_write_access(objects)
    assert objects.list() == []
