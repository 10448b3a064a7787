"""Exceptions that end a command become errors of the job."""

import errno
from pathlib import Path

import pytest

from components.base.errors import JobError
from components.runtime.disk import disk_full_error
from job.errors import as_job_error


def full_disk(path: Path) -> OSError:
    return OSError(errno.ENOSPC, "No space left on device", str(path))


def test_full_disk_of_the_cache_suggests_another_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_CACHE", str(tmp_path / "cache"))
    remedies = {}
    for name in ("cache/roots/s3-1", "root"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        errors: list[JobError] = [
            as_job_error(disk_full_error(folder), folder),
            as_job_error(full_disk(folder / "x"), folder),
        ]
        assert errors[0].remedy == errors[1].remedy
        remedies[name] = errors[0].remedy
    assert "JOB_CACHE" in remedies["cache/roots/s3-1"]
    assert "JOB_CACHE" not in remedies["root"]
    assert "--root" in remedies["root"]
