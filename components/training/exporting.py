"""The trained network in the forms that one deploys, the same bytes for the same weights."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from components.transform_graph import apply_tensorflow

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from components.artifacts import GraphOperation

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP archive can state."""


def weights_digest(network: Any) -> str:
    """Return the SHA-256 over the bytes of all weights, with names, dtypes and shapes, in their order."""
    digest = hashlib.sha256()
    for variable in network.weights:
        array = variable.numpy()
        digest.update(f"{variable.path} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_keras(network: Any, path: Path) -> None:
    """Write a `.keras` file that Keras loads in safe mode and without code of ours.

    Keras states in it when it was saved, and ZIP when each member was: both are put to a fixed
    time, so that the same network is the same file.
    """
    buffer = io.BytesIO()
    network.save(buffer)
    with zipfile.ZipFile(buffer) as saved, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(saved.namelist()):
            content = saved.read(name)
            if name == "metadata.json":
                metadata = json.loads(content) | {"date_saved": "1980-01-01@00:00:00"}
                content = json.dumps(metadata, sort_keys=True).encode()
            archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), content)
