"""Open an object store; the only place that selects an implementation."""

from components.base.errors import ConfigError
from components.object_storage.objects import Objects
from components.object_storage.url import ObjectUrl


def open_objects(url: ObjectUrl) -> Objects:
    """Return the objects below a URL, without a request; raise ConfigError if the extra `remote` is not installed."""
    try:
        from components.object_storage.obstore_objects import ObstoreObjects
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{url} needs the package obstore, which is not installed",
            expected="the requirements of object storage",
            remedy='install them with `pip install "mnist-job[remote]"`',
        ) from error
    return ObstoreObjects(url)
