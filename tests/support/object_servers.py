"""Object stores on this machine: an S3 server (moto) and Azurite, each with the environment that a client needs."""

import base64
import hashlib
import hmac
import os
import secrets
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any

import pytest

from tests.support.faulty_proxy import FaultyProxy
from tests.support.processes import REPOSITORY

ACCESS_KEY, SECRET_KEY = "AKIATESTS", "secret-of-the-tests"
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account and key of every Azurite, from its documentation."""
NO_AZURITE = "Azurite is missing: npm install --global azurite"
CREDENTIALS = ("AWS_", "AZURE_", "AZURITE_", "GOOGLE_")
"""Begin of the variables that an object store reads."""


@dataclass(frozen=True)
class ObjectServer:
    """A server on a port of this machine.

    Args:
        scheme: `s3` or `az`.
        port: that of the server, or of a proxy in front of it.
    """

    scheme: str
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """What a client of the server needs in its environment."""
        address = f"http://127.0.0.1:{self.port}"
        direct = {"no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"}
        if self.scheme == "s3":
            credentials = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
            return {"AWS_ENDPOINT_URL": address, "AWS_REGION": "us-east-1", **credentials, **direct}
        account = {"AZURE_STORAGE_ACCOUNT_NAME": AZURE_ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY}
        return {"AZURE_STORAGE_ENDPOINT": f"{address}/{AZURE_ACCOUNT}", **account, **direct}

    def create_bucket(self) -> str:
        """Create a bucket, which Azure calls a container, and return its name."""
        name = f"bucket-{secrets.token_hex(4)}"
        if self.scheme == "s3":
            request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{name}", method="PUT")
        else:
            request = self._azure_request("PUT", name)
        with urllib.request.urlopen(request, timeout=30):
            return name

    def _azure_request(self, method: str, container: str) -> urllib.request.Request:
        """Return a request for a container, with the signature of a shared key."""
        date = formatdate(usegmt=True)
        resource = f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{container}\nrestype:container"
        signed = f"{method}\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:2021-12-02\n{resource}"
        signature = hmac.digest(base64.b64decode(AZURE_KEY), signed.encode(), hashlib.sha256)
        return urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{AZURE_ACCOUNT}/{container}?restype=container",
            method=method,
            headers={
                "x-ms-date": date,
                "x-ms-version": "2021-12-02",
                "Authorization": f"SharedKey {AZURE_ACCOUNT}:{base64.b64encode(signature).decode()}",
            },
        )


@dataclass(frozen=True)
class Bucket:
    """An empty bucket for one test.

    Args:
        server: the server that has the bucket.
        name: name of the bucket.
    """

    server: ObjectServer
    name: str

    @property
    def url(self) -> str:
        """URL of the bucket, such as `s3://bucket-1234`."""
        return f"{self.server.scheme}://{self.name}"

    def objects(self) -> dict[str, bytes]:
        """Return the content of each object by key, from the server itself."""
        import obstore

        address, http = f"http://127.0.0.1:{self.server.port}", {"client_options": {"allow_http": True}}
        store: Any
        if self.server.scheme == "s3":
            keys = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY, "region": "us-east-1"}
            store = obstore.store.S3Store(self.name, endpoint=address, **keys, **http)  # type: ignore[arg-type]
        else:
            account = {"account_name": AZURE_ACCOUNT, "account_key": AZURE_KEY}
            store = obstore.store.AzureStore(self.name, endpoint=f"{address}/{AZURE_ACCOUNT}", **account, **http)  # type: ignore[arg-type]
        found = [info["path"] for info in obstore.list(store).collect()]
        return {key: bytes(obstore.get(store, key).bytes()) for key in found}

    @contextmanager
    def proxy(
        self, monkeypatch: pytest.MonkeyPatch, *, latency: float = 0.0, clock: float = 0.0
    ) -> Iterator[FaultyProxy]:
        """Start a proxy in front of the server, and use it in the environment instead."""
        with FaultyProxy(self.server.port, latency=latency, clock=clock) as proxy:
            use_environment(monkeypatch, replace(self.server, port=proxy.port))
            yield proxy


@contextmanager
def s3_server() -> Iterator[ObjectServer]:
    """Start an S3 server, and end it afterwards."""
    with _process([sys.executable, "-m", "tests.support.s3_server"]) as process:
        assert process.stdout is not None
        yield ObjectServer("s3", int(process.stdout.readline()))


@contextmanager
def azurite_server() -> Iterator[ObjectServer]:
    """Start Azurite, and end it afterwards; skip the test if it is not installed."""
    if (program := shutil.which("azurite-blob")) is None:
        pytest.skip(NO_AZURITE)
    options = ("--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent")
    with _process([program, *options]) as process:
        assert process.stdout is not None
        listening = next(line for line in process.stdout if "successfully listens" in line)
        yield ObjectServer("az", int(listening.strip().rpartition(":")[2]))


@contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(OSError):
            process.communicate(timeout=30)


def use_environment(monkeypatch: pytest.MonkeyPatch, server: ObjectServer) -> None:
    """Replace all variables of object stores in the environment by those of a server."""
    for name in [*os.environ]:
        if name.startswith(CREDENTIALS):
            monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
