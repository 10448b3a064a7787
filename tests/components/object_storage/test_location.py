"""Locations from users: paths, and URLs of object storage; others are refused in one sentence without secrets."""

from pathlib import Path

import pytest

from components.base.errors import ConfigError
from components.object_storage import ObjectUrl, require_location
from components.object_storage.location import parse_location

URLS = "s3://bucket/prefix, az://container/prefix or gs://bucket/prefix"
REFUSED = {
    "S3://bucket/x": f"S3://bucket/x is a mistyped URL; expected a path, or {URLS}",
    "s3:/bucket/x": f"s3:/bucket/x is a mistyped URL; expected a path, or {URLS}",
    "http://bucket/x": f"http://bucket/x is a URL; expected a path, or {URLS}",
    "s3://": f"s3:// names no bucket; expected {URLS}",
    "az:///x": f"az:///x names no container; expected {URLS}",
    "s3://bucket/x?key=a5ecret": f"the URL has a query; expected {URLS}",
    "s3://bucket/x#a5ecret": f"the URL has a fragment; expected {URLS}",
    "s3://me:a5ecret@bucket/x": f"the URL has a user name or password; expected {URLS}",
}


@pytest.mark.parametrize("text", REFUSED)
def test_mistake_in_a_url_is_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        parse_location(text)
    assert str(caught.value) == REFUSED[text]
    with pytest.raises(ConfigError) as option:
        require_location("--root", text)
    assert f"{option.value.headline}; expected {option.value.expected}" == f"--root: {REFUSED[text]}"


@pytest.mark.parametrize("text", ["S3://me:a5ecret@bucket/x", "S3://bucket/x?token=a5ecret", "gs:/b/x?token=a5ecret"])
def test_message_about_a_mistyped_url_has_no_secret(text: str) -> None:
    with pytest.raises(ValueError, match="mistyped") as caught:
        parse_location(text)
    assert "a5ecret" not in str(caught.value)


def test_paths_and_urls_are_told_apart() -> None:
    assert parse_location("s3://bucket/a@b/") == ObjectUrl("s3", "bucket", "a@b")
    for path in ("./s3:/bucket", "s3", "data/s3:/x", "gs:x"):
        assert parse_location(path) == Path(path)
