"""Processes that produce and seal an artifact on a root in object storage, each as a machine with its own cache.

They are forked from a process that has imported what they need: a real process that starts in 20 ms.
"""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from components import Context
from components.object_storage import ObjectUrl, open_objects
from components.object_storage.settings import StorageSettings, configure_storage
from components.runtime.locks import LockLostError
from components.testing import FakeExampleGen
from job.store.fingerprint import fingerprint_inputs
from job.store.remote import lease
from job.store.remote.root import RemoteRoot
from job.store.remote.store import RemoteStore
from job.store.sealed import SealedArtifact
from tests.support.object_servers import ObjectServer

SLOT = "example_gen"
FINGERPRINT = fingerprint_inputs(FakeExampleGen(), {}).fingerprint
FILES = ("test/00000.parquet", "train/00000.parquet", "validation/00000.parquet")
PRELOADED = [
    "tests.support.sealing",
    "pandas",
    "pyarrow.parquet",
    "sklearn.model_selection",
    "components.example_gen.write",
]


def open_store(url: str, cache: Path) -> RemoteStore:
    """Return the store of a root, as of a machine with this cache."""
    store = RemoteStore(RemoteRoot(open_objects(ObjectUrl.parse(url)), cache / "roots" / "root"))
    store.remote.refresh(store.root)
    return store


def seal(store: RemoteStore, *, seed: int = 0, warn: Callable[[str], None] = print) -> SealedArtifact:
    """Produce the artifact and seal it, without its lease; another seed gives another result."""
    key = fingerprint_inputs(FakeExampleGen(), {})
    component = FakeExampleGen(FakeExampleGen.Config(seed=seed))
    with store.staged(SLOT, FINGERPRINT) as stage:
        return store.seal(stage, key, component.run(Context(output=stage.files)), warn)


def produce(store: RemoteStore, *, seed: int = 0, warn: Callable[[str], None] = print) -> str:
    """Find the artifact, or produce it with its lease, as a step of a run does; return `reused` or `ran`."""
    while True:
        with store.acquire(SLOT, FINGERPRINT, owner="run") as held:
            try:
                if store.find(SLOT, FINGERPRINT) is not None:
                    return "reused"
                held.check()
                seal(store, seed=seed, warn=warn)
            except LockLostError:
                continue
            return "ran"


def start(
    server: ObjectServer, url: str, cache: Path, *, leased: bool = True, seed: int = 0, life: float = 60.0
) -> BaseProcess:
    """Start a process that produces the artifact; it writes to `cache / "result"` what it did, and its warnings.

    Args:
        life: seconds after which an unchanged lease is taken over.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=_work, args=(server.environment, url, cache, leased, seed, life), daemon=True)
    process.start()
    return process


def _work(environment: dict[str, str], url: str, cache: Path, leased: bool, seed: int, life: float) -> None:
    os.environ.update(environment)
    lease.LIFE_SECONDS, lease.HEARTBEAT_SECONDS, lease.POLL_SECONDS = life, life / 10, 0.2
    configure_storage(StorageSettings(timeout=20.0))
    warnings: list[Any] = []
    store = open_store(url, cache)
    result = produce(store, seed=seed, warn=warnings.append) if leased else ""
    if not leased:
        result = seal(store, seed=seed, warn=warnings.append).manifest.digest
    (cache / "result").write_text("\n".join([result, *warnings]))
