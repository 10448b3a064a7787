"""Object storage: S3, Azure Blob Storage and Google Cloud Storage, behind one protocol."""

from components.object_storage.objects import Content, Listing, ObjectInfo, Objects
from components.object_storage.open import open_objects
from components.object_storage.url import Location, ObjectUrl, is_object_url

__all__ = ["Content", "Listing", "Location", "ObjectInfo", "ObjectUrl", "Objects", "is_object_url", "open_objects"]
