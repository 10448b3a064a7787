"""Files are transferred in parallel, with progress; the first error ends the others."""

import hashlib
from pathlib import Path
from threading import current_thread

import pytest

from components.base.errors import IntegrityError
from components.object_storage import ObjectUrl, open_objects
from components.object_storage.transfer import Transfer, download_files, upload_files
from tests.support.object_servers import Bucket


def test_many_files_arrive_with_progress(bucket: Bucket, tmp_path: Path) -> None:
    objects = open_objects(ObjectUrl.parse(f"{bucket.url}/prefix"))
    files = {f"{number}/file": bytes([number]) * number * 30_000 for number in range(20)}
    files["big"] = bytes(6_000_000)  # in parts
    for name, content in files.items():
        (tmp_path / "from" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "from" / name).write_bytes(content)
    sent: list[int] = []
    received: list[int] = []
    threads = set()

    def receive(count: int) -> None:
        received.append(count)
        threads.add(current_thread())

    upload_files(objects, [Transfer(tmp_path / "from" / name, name) for name in files], on_bytes=sent.append)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    wanted = [Transfer(tmp_path / "to" / name, name, digests[name]) for name in files]
    download_files(objects, wanted, on_bytes=receive)
    assert {name: (tmp_path / "to" / name).read_bytes() for name in files} == files
    assert sum(sent) == sum(received) == sum(map(len, files.values()))
    assert threads == {current_thread()}


def test_the_first_error_is_raised_and_leaves_no_partial_file(s3: Bucket, tmp_path: Path) -> None:
    objects = open_objects(ObjectUrl.parse(f"{s3.url}/prefix"))
    objects.upload(b"content", "exists")
    transfers = [Transfer(tmp_path / "a", "exists"), Transfer(tmp_path / "b", "exists", sha256="0" * 64)]
    with pytest.raises(IntegrityError, match="prefix/exists has been changed"):
        download_files(objects, transfers)
    assert {file.name for file in tmp_path.iterdir()} <= {"a"}


def test_an_error_of_the_callback_ends_the_transfers(s3: Bucket, tmp_path: Path) -> None:
    objects = open_objects(ObjectUrl.parse(f"{s3.url}/prefix"))
    (tmp_path / "big").write_bytes(bytes(12_000_000))

    def end(_: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        upload_files(objects, [Transfer(tmp_path / "big", f"key-{number}") for number in range(9)], on_bytes=end)
    assert len(objects.list()) < 9
