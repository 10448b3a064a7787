"""`Objects` with obstore, the Python interface of the Rust library object_store."""

import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import IO, Any, TypeVar, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError, PreconditionError

from components.base.errors import ConfigError, IntegrityError
from components.object_storage.connect import Connection
from components.object_storage.download import Download
from components.object_storage.errors import Failure, check_bucket
from components.object_storage.objects import Content, Listing, ObjectInfo, OnBytes, ignore_bytes
from components.object_storage.retry import Attempts
from components.object_storage.settings import UPLOAD_TIMEOUTS, StorageSettings, storage_settings
from components.object_storage.threads import run_interruptibly
from components.object_storage.url import ObjectUrl

PARTS_AT_ONCE = 2
"""Of one file. Each is 5 MB in memory, and several files are uploaded at once."""
BUFFERED_BYTES = (PARTS_AT_ONCE + 1) * 5 * 1024**2
"""What obstore reads from a file before the first part is uploaded."""

T = TypeVar("T")


class ObstoreObjects:
    """The objects below a URL. Credentials and endpoint are those of the environment, as each cloud names them."""

    def __init__(self, url: ObjectUrl, settings: StorageSettings | None = None) -> None:
        self._url = url
        self._settings = settings or storage_settings()
        self._connection = Connection(url, self._settings)
        self._lock = Lock()
        self._worked = False
        """Whether a request succeeded."""

    @property
    def url(self) -> ObjectUrl:
        return self._url

    @property
    def _store(self) -> Any:
        return self._connection.requests

    def create(self, key: str, data: bytes) -> bool:
        attempts = self._attempts()

        def request() -> bool:
            try:
                obstore.put(self._store, key, data, mode="create", use_multipart=False)
            except (AlreadyExistsError, GenericError) as error:
                if attempts.are_over and isinstance(error, GenericError):
                    raise
                found = self._read(key)  # the response to an earlier attempt of this call may be lost
                if found is None:
                    raise
                return found.data == data
            return True

        return self._run("write", key, request, attempts)

    def replace(self, key: str, data: bytes, tag: str) -> str | None:
        attempts = self._attempts()

        def request() -> str | None:
            try:
                result = obstore.put(self._store, key, data, mode=self._condition(tag), use_multipart=False)
            except (AlreadyExistsError, PreconditionError, FileNotFoundError, GenericError) as error:
                if attempts.are_over and isinstance(error, GenericError):
                    raise
                found = self._read(key)
                if found is not None and found.data == data:
                    return found.tag
                if found is None or found.tag != tag:
                    return None
                raise
            return self._tag(result)

        return self._run("write", key, request, attempts)

    def read(self, key: str) -> Content | None:
        return self._run("read", key, lambda: self._read(key))

    def info(self, key: str) -> ObjectInfo | None:
        def request() -> ObjectInfo | None:
            try:
                meta = obstore.head(self._store, key)
            except FileNotFoundError:
                return None
            except BaseError:  # a response to HEAD does not say why it fails
                meta = obstore.get(self._store, key).meta
            return self._info(meta, key)

        return self._run("read", key, request)

    def upload(self, source: Path | bytes, key: str, *, on_bytes: OnBytes = ignore_bytes) -> None:
        attempts = self._attempts(timeouts=UPLOAD_TIMEOUTS)

        def request() -> None:
            if isinstance(source, bytes):
                obstore.put(self._connection.uploads, key, source, max_concurrency=PARTS_AT_ONCE)
                on_bytes(len(source))
                return
            with _ReportingFile(source, on_bytes, on_progress=attempts.extend) as file:
                try:
                    content = cast("IO[bytes]", file)
                    obstore.put(self._connection.uploads, key, content, max_concurrency=PARTS_AT_ONCE)
                except BaseException as error:
                    file.rewind()
                    raise file.failure or error from None

        self._run("write", key, request, attempts)

    def download(self, key: str, path: Path, *, sha256: str | None = None, on_bytes: OnBytes = ignore_bytes) -> None:
        draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        attempts = self._attempts()
        try:
            with draft.open("wb") as file:
                download = Download(lambda: self._connection.downloads, key, file, on_bytes, attempts.extend)
                found = self._run("read", key, download.run, attempts)
                if found is not None and sha256 not in (None, found):
                    download.reset()  # it may be damaged in transit
                    found = self._run("read", key, download.run, attempts)
            if found is None:
                raise IntegrityError(f"{self.url / key} does not exist", expected="an object")
            if sha256 is not None and sha256 != found:
                raise IntegrityError(f"{self.url / key} has been changed: its SHA-256 is {found}", expected=sha256)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def copy(self, source: str, target: str) -> bool:
        def request() -> bool:
            try:
                obstore.copy(self._store, source, target)
            except FileNotFoundError as error:
                check_bucket(error)
                return False
            return True

        return self._run("copy", source, request)

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        folder = prefix.rpartition("/")[0]

        def request() -> list[ObjectInfo]:
            found = (info for batch in obstore.list(self._store, folder or None) for info in batch)
            infos = (self._info(info, info["path"]) for info in found if info["path"].startswith(prefix))
            return sorted(infos, key=lambda info: info.key)

        return self._run("list", folder, request)

    def list_folder(self, folder: str = "") -> Listing:
        result = self._run("list", folder, lambda: obstore.list_with_delimiter(self._store, folder or None))
        objects = (self._info(info, info["path"]) for info in result["objects"])
        names = (prefix.rstrip("/").rpartition("/")[2] for prefix in result["common_prefixes"])
        return Listing(tuple(sorted(objects, key=lambda info: info.key)), tuple(sorted(names)))

    def delete(self, keys: Iterable[str]) -> None:
        remaining = [*keys]

        def request() -> None:
            try:
                obstore.delete(self._store, remaining)
            except FileNotFoundError as error:
                check_bucket(error)

        if remaining:
            self._run("delete", remaining[0], request)

    def address(self) -> str:
        signed = self._run("read", "", lambda: str(obstore.sign(self._store, "HEAD", "address", timedelta(minutes=1))))
        return signed.partition("?")[0]

    def _run(self, action: str, key: str, request: Callable[[], T], attempts: Attempts | None = None) -> T:
        """Return what a request returns; raise the JobError for its last failure."""
        attempts = attempts or self._attempts()
        result = run_interruptibly(lambda: attempts.run(request))
        if isinstance(result, Failure):  # raised here, outside of `except`: no traceback contains the response
            raise result.as_job_error(self.url / key, action, worked_before=self._worked)
        self._worked = True
        return result

    def _attempts(self, *, timeouts: int = 1) -> Attempts:
        connection = self._connection

        def renew() -> bool:
            nonlocal connection
            connection = self._renew(connection)
            return connection.is_renewable

        # Other programs renew credentials that worked, possibly a few seconds after they expire.
        max_renewals = self._settings.retries if self._worked else 1
        return Attempts(self._settings, renew=renew, max_renewals=max_renewals, timeouts=timeouts)

    def _renew(self, rejected: Connection) -> Connection:
        """Return a connection with credentials that are read after those of another one were rejected."""
        with self._lock:
            if self._connection is rejected and rejected.is_renewable:
                with suppress(ConfigError):  # a file that is being written
                    self._connection = Connection(self.url, self._settings)
            return self._connection

    def _read(self, key: str) -> Content | None:
        try:
            result = obstore.get(self._store, key)
            data = bytes(result.bytes())
        except FileNotFoundError as error:
            check_bucket(error)
            return None
        return Content(data, self._tag(result.meta), result.meta["last_modified"])

    def _condition(self, tag: str) -> Any:
        return {"e_tag": None, "version": tag} if self.url.scheme == "gs" else {"e_tag": f'"{tag}"'}

    def _tag(self, meta: Any) -> str:
        """Return what `replace` expects: the generation in Google Cloud Storage, the ETag elsewhere."""
        return str(meta["version"]) if self.url.scheme == "gs" else _e_tag(meta)

    def _info(self, meta: Any, key: str) -> ObjectInfo:
        return ObjectInfo(key=key, size=meta["size"], tag=_e_tag(meta), modified=meta["last_modified"])


def _e_tag(meta: Any) -> str:
    """Return an ETag without its quotes, which Azure omits in lists."""
    return str(meta["e_tag"]).strip('"')


class _ReportingFile:
    """A file that reports how much of it is read, for obstore, which reads it.

    Args:
        on_progress: called with each part of the file that is read after others were uploaded.
    """

    def __init__(self, path: Path, on_bytes: OnBytes, *, on_progress: Callable[[], None]) -> None:
        self._file, self._on_bytes, self._on_progress, self._reported = path.open("rb"), on_bytes, on_progress, 0
        self.failure: BaseException | None = None
        """The exception of reading or reporting; obstore replaces it by an OSError with its text."""

    def __enter__(self) -> "_ReportingFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._file.read(size)
            self._reported += len(data)
            if data and self._reported > BUFFERED_BYTES:
                self._on_progress()
            self._on_bytes(len(data))
        except BaseException as error:
            self.failure = error
            raise
        return data

    def rewind(self) -> None:
        """Report that the upload begins again."""
        if self.failure is None:
            self._on_bytes(-self._reported)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)
