"""Names that users give to runs: the name of a run, and tags, which are small files that contain the id of a run.

<root>/tags/<tag>     the id of the run
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from components.base.errors import ConfigError, DataError, IntegrityError
from components.base.text import is_utf8, printable
from components.io.atomic import write_atomically
from components.io.files import catch_read_errors, open_regular
from job.store.root import root_at
from job.store.runs import LATEST, RUN_ID

LATEST_BLESSED = "latest-blessed"
RESERVED = (LATEST, LATEST_BLESSED)
MAX_NAME_LENGTH = 64
MAX_NOTE_LENGTH = 2000
OTHER_CHARACTER = re.compile(r"[^A-Za-z0-9._-]")
NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME_LENGTH - 1}}}")
MAX_TAG_BYTES = 100
EXPECTED_TAG = "the id of a run"


def check_name(name: str, *, role: str = "the name of a run") -> None:
    """Raise ConfigError if a name cannot have its role: the name of a run, or a tag."""
    if problem := _problem(name):
        characters = f"1 to {MAX_NAME_LENGTH} of the characters a-z, A-Z, 0-9, `.`, `_` and `-`"
        raise ConfigError(
            f"`{printable(name)}` cannot be {role}: {problem}",
            expected=f"{characters}, but not {' or '.join(f'`{word}`' for word in RESERVED)}",
            remedy="choose another one",
        )


def _problem(name: str) -> str:
    """Return why a run or tag cannot have a name; empty if it can."""
    if not name:
        return "it is empty"
    if name.lower() in RESERVED:  # some file systems do not distinguish upper and lower case
        return "it is reserved"
    if RUN_ID.fullmatch(name):
        return "it is the id of a run"
    if len(name) > MAX_NAME_LENGTH:
        return f"it has {len(name)} characters"
    if other := OTHER_CHARACTER.search(name):
        return f"it contains `{printable(other[0])}`"
    return "" if NAME.fullmatch(name) else f"it begins with `{name[0]}`"


def check_note(note: str) -> None:
    """Raise ConfigError if a run cannot have this note."""
    if not is_utf8(note):
        raise ConfigError(f"the note `{printable(note)}` is not UTF-8", expected="text", remedy="write it as UTF-8")
    if len(note) > MAX_NOTE_LENGTH:
        problem, expected = f"the note has {len(note):,} characters", f"at most {MAX_NOTE_LENGTH:,}"
        raise ConfigError(problem, expected=expected, remedy="shorten it, or name a file in it")


@dataclass(frozen=True)
class Tags:
    """The tags below one root: each refers to one run, and can be moved to another one."""

    root: Path

    @property
    def directory(self) -> Path:
        """The folder of the tags."""
        return self.root / "tags"

    def read(self) -> dict[str, str]:
        """Return the id of the run by tag; a file that is not a tag is skipped."""
        tags = {}
        for name in self._names():
            with suppress(DataError):
                tags[name] = self._read(name)
        return tags

    def check(self) -> None:
        """Raise IntegrityError if a file in the folder is not a readable tag."""
        for name in self._names():
            self._read(name)

    def write(self, tag: str, run_id: str) -> None:
        """Set the run of a tag; if that fails, the tag is unchanged.

        Raises:
            ConfigError: if no tag can have this name, or the folder cannot be written to.
            StorageError: if the disk is full.
        """
        check_name(tag, role="a tag")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            write_atomically(self.directory / tag, f"{run_id}\n", what="the tag")
            root_at(self.root).wrote(self.directory / tag)
            root_at(self.root).flush()
        except OSError as error:
            raise ConfigError.not_writable(self.directory, error, remedy="give the job permission") from error

    def remove(self, tag: str) -> str:
        """Delete a tag, and return the id of its run; errors as for `write`."""
        tags = self.read()
        if (run_id := tags.get(tag)) is None:
            near = get_close_matches(tag, tags, n=1)
            expected = f"one of its {len(tags)} tags" if len(tags) > 1 else "".join(f"its tag `{one}`" for one in tags)
            raise ConfigError(
                f"{self.root} has no tag `{printable(tag)}`",
                expected=expected or "a root with tags",
                remedy=f"did you mean `{near[0]}`?" if near else "list the tags with `python -m job tag`",
            )
        try:
            (self.directory / tag).unlink(missing_ok=True)
            root_at(self.root).removed(self.directory / tag)
        except OSError as error:
            raise ConfigError.not_writable(self.directory, error, remedy="give the job permission") from error
        return run_id

    def _names(self) -> list[str]:
        """Return the names of files that can be tags."""
        paths = self.directory.iterdir() if self.directory.is_dir() else ()
        return sorted(path.name for path in paths if NAME.fullmatch(path.name))

    def _read(self, tag: str) -> str:
        path = self.directory / tag
        with open_regular(path, EXPECTED_TAG) as file, catch_read_errors(path, EXPECTED_TAG):
            run_id = file.read(MAX_TAG_BYTES).decode(errors="replace").strip()
        if not RUN_ID.fullmatch(run_id):
            raise IntegrityError(f"{path} is not a tag", expected=EXPECTED_TAG, remedy="delete it, or move it away")
        return run_id
