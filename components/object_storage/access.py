"""Checks before any work: credentials, bucket, region and permissions, with one request or a few."""

import secrets

from components.base.errors import ConfigError
from components.object_storage.objects import Objects

PROBES = ".access"
"""Folder of the objects that are created and deleted."""


def create_probe(objects: Objects) -> str:
    """Create an object below a URL, and return its key; raise ConfigError or ResourceError if that is not possible."""
    key = f"{PROBES}/{secrets.token_hex(8)}"
    objects.create(key, secrets.token_bytes(16))
    return key


def check_read_access(objects: Objects) -> None:
    """Raise ConfigError or ResourceError if the objects below a URL cannot be listed."""
    objects.list_folder(PROBES)


def check_write_access(objects: Objects) -> None:
    """Raise ConfigError or ResourceError if objects below a URL cannot be listed, created and deleted.

    Raise ConfigError if the store ignores the condition of `create`: two runs could then create the same object.
    """
    check_read_access(objects)
    key = create_probe(objects)
    try:
        if objects.create(key, secrets.token_bytes(16)):
            raise ConfigError(
                f"the store of {objects.url} ignores the condition If-None-Match",
                expected="a store that rejects a second creation of an object",
                remedy="use another store, or upgrade it; `python -m job doctor --root URL` tests all guarantees",
            )
    finally:
        objects.delete([key])
