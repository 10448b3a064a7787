"""The weights of a network, named by their digest."""

from __future__ import annotations

import hashlib
from typing import Any


def weights_digest(network: Any) -> str:
    """Return the SHA-256 over the bytes of all weights, with names, dtypes and shapes, in their order."""
    digest = hashlib.sha256()
    for variable in network.weights:
        array = variable.numpy()
        digest.update(f"{variable.path} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
