"""Names that users give to runs: the name of a run, and tags, which are small files that contain the id of a run.

<root>/tags/<tag>     the id of the run
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from components.base.errors import ConfigError
from components.base.text import printable
from components.io.atomic import write_atomically
from job.store.runs import LATEST, RUN_ID

LATEST_BLESSED = "latest-blessed"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def check_name(name: str) -> None:
    """Raise ConfigError if a run or tag cannot have this name."""
    if not NAME.fullmatch(name) or name in (LATEST, LATEST_BLESSED) or RUN_ID.fullmatch(name):
        raise ConfigError(
            f"`{printable(name)}` cannot name a run",
            expected=f"at most 64 letters, digits, `.`, `_` and `-`; not a run's id, {LATEST} or {LATEST_BLESSED}",
            remedy="choose another name",
        )


@dataclass(frozen=True)
class Tags:
    """The tags below one root: each names one run, and can be moved to another one."""

    root: Path

    @property
    def directory(self) -> Path:
        """The folder of the tags."""
        return self.root / "tags"

    def read(self) -> dict[str, str]:
        """Return the id of the run by tag; files of others are skipped."""
        tags = {}
        for path in sorted(self.directory.iterdir()) if self.directory.is_dir() else ():
            with suppress(OSError, UnicodeDecodeError):
                run_id = path.read_text(encoding="utf-8").strip()
                if NAME.fullmatch(path.name) and RUN_ID.fullmatch(run_id):
                    tags[path.name] = run_id
        return tags

    def write(self, tag: str, run_id: str) -> None:
        """Let a tag name a run."""
        check_name(tag)
        self.directory.mkdir(parents=True, exist_ok=True)
        write_atomically(self.directory / tag, f"{run_id}\n")

    def remove(self, tag: str) -> None:
        """Delete a tag, if it exists."""
        with suppress(FileNotFoundError):
            (self.directory / tag).unlink()
