"""`Objects` with obstore, the Python interface of the Rust library object_store."""

import hashlib
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, GenericError, PreconditionError

from components.base.errors import IntegrityError
from components.object_storage.objects import Content, Listing, ObjectInfo
from components.object_storage.settings import StorageSettings, storage_settings
from components.object_storage.url import ObjectUrl

CHUNK_BYTES = 4 * 1024**2
CONNECT_TIMEOUT = timedelta(seconds=10)


class ObstoreObjects:
    """The objects below a URL. Credentials and endpoint are those of the environment, as each cloud names them."""

    def __init__(self, url: ObjectUrl, settings: StorageSettings | None = None) -> None:
        self._url = url
        settings = settings or storage_settings()
        timeout = timedelta(seconds=settings.timeout)
        self._store: Any = obstore.store.from_url(
            str(url),
            client_options={"timeout": timeout, "connect_timeout": CONNECT_TIMEOUT, "allow_http": _allows_http()},
            retry_config={"max_retries": settings.retries, "retry_timeout": timeout},
        )

    @property
    def url(self) -> ObjectUrl:
        return self._url

    def create(self, key: str, data: bytes) -> bool:
        try:
            obstore.put(self._store, key, data, mode="create", use_multipart=False)
        except (AlreadyExistsError, GenericError) as error:
            found = self.read(key)  # the response to an earlier attempt of this call may be lost
            if found is None:
                raise error from None
            return found.data == data
        return True

    def replace(self, key: str, data: bytes, tag: str) -> str | None:
        try:
            result = obstore.put(self._store, key, data, mode={"e_tag": tag}, use_multipart=False)
        except (PreconditionError, FileNotFoundError, GenericError) as error:
            found = self.read(key)
            if found is not None and found.data == data:
                return found.tag
            if isinstance(error, GenericError):
                raise
            return None
        return str(result["e_tag"])

    def read(self, key: str) -> Content | None:
        try:
            result = obstore.get(self._store, key)
            data = bytes(result.bytes())
        except FileNotFoundError:
            return None
        return Content(data, str(result.meta["e_tag"]), result.meta["last_modified"])

    def info(self, key: str) -> ObjectInfo | None:
        try:
            return _info(obstore.head(self._store, key), key)
        except FileNotFoundError:
            return None

    def upload(self, source: Path | bytes, key: str) -> None:
        obstore.put(self._store, key, source)

    def download(self, key: str, path: Path, *, sha256: str | None = None) -> None:
        draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        digest = hashlib.sha256()
        try:
            try:
                with draft.open("wb") as file:
                    for chunk in obstore.get(self._store, key).stream(min_chunk_size=CHUNK_BYTES):
                        digest.update(chunk)
                        file.write(chunk)
            except FileNotFoundError as error:
                raise IntegrityError(f"{self.url / key} does not exist", expected="a file of an artifact") from error
            if sha256 is not None and digest.hexdigest() != sha256:
                raise IntegrityError(
                    f"{self.url / key} has been changed: its SHA-256 is {digest.hexdigest()}", expected=sha256
                )
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def copy(self, source: str, target: str) -> bool:
        try:
            obstore.copy(self._store, source, target)
        except FileNotFoundError:
            return False
        return True

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        folder = prefix.rpartition("/")[0]
        found = (info for batch in obstore.list(self._store, folder or None) for info in batch)
        return sorted(
            (_info(info, info["path"]) for info in found if info["path"].startswith(prefix)), key=lambda info: info.key
        )

    def list_folder(self, folder: str = "") -> Listing:
        result = obstore.list_with_delimiter(self._store, folder or None)
        objects = tuple(sorted((_info(info, info["path"]) for info in result["objects"]), key=lambda info: info.key))
        names = (prefix.rstrip("/").rpartition("/")[2] for prefix in result["common_prefixes"])
        return Listing(objects, tuple(sorted(names)))

    def delete(self, keys: Iterable[str]) -> None:
        if found := [*keys]:
            with suppress(FileNotFoundError):
                obstore.delete(self._store, found)


def _info(meta: Any, key: str) -> ObjectInfo:
    return ObjectInfo(key=key, size=meta["size"], tag=str(meta["e_tag"]), modified=meta["last_modified"])


def _allows_http() -> bool:
    """Return whether a configured endpoint is HTTP, such as that of a store on the same machine."""
    names = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
    return any(os.environ.get(name, "").startswith("http://") for name in names)
