"""Data sets in object storage, for tests."""

import urllib.request
from pathlib import Path

from components.object_storage import ObjectUrl, open_objects
from components.object_storage.transfer import Transfer, upload_files
from tests.support.object_servers import Bucket


def upload(bucket: Bucket, path: Path, name: str) -> str:
    """Upload a file, or all files below a folder; return their URL."""
    files = {f"{name}/{file.relative_to(path).as_posix()}": file for file in path.rglob("*") if file.is_file()}
    files = files or {name: path}
    upload_files(open_objects(ObjectUrl.parse(bucket.url)), [Transfer(file, key) for key, file in files.items()])
    return f"{bucket.url}/{name}"


def put(bucket: Bucket, key: str, content: bytes = b"") -> None:
    """Create or replace an object."""
    open_objects(ObjectUrl.parse(bucket.url)).upload(content, key)


def put_folder(bucket: Bucket, key: str) -> None:
    """Create the empty object whose key ends with a slash that consoles create for a folder; obstore cannot."""
    address = f"http://127.0.0.1:{bucket.server.port}/{bucket.name}/{key}/"
    with urllib.request.urlopen(urllib.request.Request(address, data=b"", method="PUT"), timeout=30):
        pass


def remove(bucket: Bucket, *keys: str) -> None:
    """Delete objects."""
    open_objects(ObjectUrl.parse(bucket.url)).delete(keys)
