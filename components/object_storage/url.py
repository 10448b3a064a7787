"""URLs of object storage, such as `s3://bucket/prefix`."""

import re
from dataclasses import dataclass

from components.base.errors import ConfigError
from components.base.paths import URL
from components.base.text import printable

SCHEMES = {"s3": "Amazon S3", "az": "Azure Blob Storage", "gs": "Google Cloud Storage"}
OBJECT_URL = re.compile(rf"({'|'.join(SCHEMES)})://", re.ASCII)
MISTYPED = re.compile(rf"({'|'.join(SCHEMES)}):/", re.ASCII | re.IGNORECASE)
BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,221}", re.ASCII)
MAX_KEY_BYTES = 1024
"""Limit for a key, in all three."""
EXPECTED = "s3://bucket/prefix, az://container/prefix or gs://bucket/prefix"


def is_object_url(text: object) -> bool:
    """Return whether a text is the URL of an object store.

    >>> is_object_url("s3://bucket/prefix"), is_object_url("output")
    (True, False)
    """
    return isinstance(text, str) and OBJECT_URL.match(text) is not None


def is_any_url(text: str) -> bool:
    """Return whether a text is meant as a URL: with any scheme, or with one of object storage that is mistyped.

    >>> is_any_url("http://host/x"), is_any_url("s3:/bucket/x"), is_any_url("./s3:/bucket/x")
    (True, True, False)
    """
    return (URL.match(text) or MISTYPED.match(text)) is not None


@dataclass(frozen=True)
class ObjectUrl:
    """A place in object storage.

    >>> url = ObjectUrl.parse("s3://bucket/runs/")
    >>> str(url), str(url / "latest")
    ('s3://bucket/runs', 's3://bucket/runs/latest')
    """

    scheme: str
    bucket: str
    """The container, in Azure."""
    prefix: str = ""
    """Without a slash at its ends."""

    @classmethod
    def parse(cls, text: str, *, where: str = "") -> "ObjectUrl":
        """Return the URL in a text; raise ConfigError, with the option or key `where` if given, if it is not one."""
        match = OBJECT_URL.match(text)
        bucket, _, prefix = text[match.end() if match else 0 :].partition("/")
        parts = prefix.strip("/").split("/")
        problem, expected = "", EXPECTED
        if match is None:
            kind = "a mistyped URL" if MISTYPED.match(text) else "a URL" if is_any_url(text) else "not a URL"
            problem, expected = f"{printable(text)} is {kind}", f"a path, or {EXPECTED}"
        elif "?" in text or "#" in text:
            problem = f"the URL has a {'query' if '?' in text else 'fragment'}"  # not shown: it may be a secret
        elif "@" in bucket:
            problem = "the URL has a user name or password"
        elif not bucket:
            problem = f"{printable(text)} names no {'container' if match[1] == 'az' else 'bucket'}"
        elif not BUCKET.fullmatch(bucket):
            problem = f"`{printable(bucket)}` cannot be the name of a bucket"
        elif prefix.strip("/") and not all(part not in ("", ".", "..") and part.isprintable() for part in parts):
            problem = f"`{printable(prefix)}` cannot be a prefix"
        elif len(prefix.encode(errors="replace")) > MAX_KEY_BYTES // 2:
            problem = f"the prefix has {len(prefix)} characters"
        if match is None or problem:
            raise ConfigError(f"{where}: {problem}" if where else problem, expected=expected, remedy="correct it")
        return cls(match[1], bucket, prefix.strip("/"))

    def __truediv__(self, key: str) -> "ObjectUrl":
        return ObjectUrl(self.scheme, self.bucket, f"{self.prefix}/{key}".strip("/"))

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.prefix}".rstrip("/")
