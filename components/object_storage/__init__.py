"""Object storage: S3, Azure Blob Storage and Google Cloud Storage, behind one protocol.

A process that uses only local files imports this package, too. The modules that it does not need are therefore not
imported here: `transfer` (many files in parallel) and `cache` (the bounded local cache).
"""

from components.object_storage.access import check_read_access, check_write_access
from components.object_storage.local_copies import local_copies, open_local
from components.object_storage.local_files import LocalFiles
from components.object_storage.location import Location, UserLocation, require_location
from components.object_storage.objects import Content, Listing, ObjectInfo, Objects
from components.object_storage.open import open_objects
from components.object_storage.reports import TransferListener, report_transfer, transfers_reported_to
from components.object_storage.url import ObjectUrl, is_object_url

__all__ = [
    "Content",
    "Listing",
    "LocalFiles",
    "Location",
    "ObjectInfo",
    "ObjectUrl",
    "Objects",
    "TransferListener",
    "UserLocation",
    "check_read_access",
    "check_write_access",
    "is_object_url",
    "local_copies",
    "open_local",
    "open_objects",
    "report_transfer",
    "require_location",
    "transfers_reported_to",
]
