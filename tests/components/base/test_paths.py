"""Paths from outside: which are refused, in configurations, options and environment variables."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.base.errors import ConfigError
from components.base.paths import parse_path, require_path
from tests.support.processes import REPOSITORY

BAD_PATHS = {
    "": "the path is empty",
    "a\0b": "a NUL character",
    "~\0/b": "a NUL character",
    "caf\udce9": r"caf\\udce9 is not UTF-8",
    "\ud800/b": r"\\ud800/b is not UTF-8",
    "~no-such-user/b": "no home folder for ~no-such-user",
    "a/" * 2500: "5000 bytes; the limit is 4095",
    "ü" * 2100 + "/b": "limit is",
    "a/" + "ü" * 150 + "/c": "a name of 300 bytes; the limit is 255",
}


@pytest.mark.parametrize("path", BAD_PATHS)
def test_path_that_no_file_can_have_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=BAD_PATHS[path]) as caught:
        parse_path(path)
    assert str(caught.value).isprintable()
    with pytest.raises(ConfigError, match="^--root: "):
        require_path("--root", path)


@pytest.mark.parametrize("path", ["a b", "x[/b]y", "‮", "a\nb", "ü" * 127, "..", "/", "a~", "./~"])
def test_unusual_path_stays_as_it_is(path: str) -> None:
    assert str(parse_path(path)) == str(Path(path))


def test_home_folder_replaces_the_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_path("~/data") == tmp_path / "data"
    monkeypatch.setenv("HOME", os.fsdecode(b"/caf\xe9"))
    with pytest.raises(ValueError, match="is not UTF-8"):
        parse_path("~/data")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs the right to become another user")
def test_unknown_user_without_home_is_an_error() -> None:
    script = (
        "import os, sys; from components.base.paths import parse_path; os.setuid(54321)\n"
        "try: parse_path('~/data')\nexcept ValueError as error: print(error)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "there is no home folder for ~\n"
