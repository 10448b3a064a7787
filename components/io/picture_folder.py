"""Folders of pictures: which files are read as pictures, and which files and folders are skipped and reported."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from components.base.text import printable

PICTURE_SUFFIXES = frozenset({".png", ".apng", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
SYSTEM_NAMES = frozenset(
    {"lost+found", "__macosx", "@eadir", "thumbs.db", "desktop.ini", "$recycle.bin", "system volume information"}
)
"""What operating systems and archives leave in folders, in lower case; other such names begin with a dot."""
MAX_NAMES_SHOWN = 10


def is_picture(name: str) -> bool:
    """Return whether a file is one of the formats that `read_picture` reads, by its name."""
    return Path(name).suffix.lower() in PICTURE_SUFFIXES


def first_frame_only(animated: Sequence[object]) -> str:
    """Return a warning of files with several frames or pages."""
    count = len(animated)
    subject = f"{animated[0]} has" if count == 1 else f"{count:,} pictures, such as {animated[0]}, have"
    return f"{subject} several frames; only the first is read"


def is_system_name(name: str) -> bool:
    """Return whether a file or folder is hidden, or left by an operating system or archive.

    >>> [is_system_name(name) for name in (".DS_Store", "._7.png", "Thumbs.db", "7.png")]
    [True, True, True, False]
    """
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


class SkippedFiles:
    """Counts the files and folders that are skipped in a folder of pictures.

    >>> skipped = SkippedFiles()
    >>> [entry.name for entry in skipped.exclude_system_files(map(Path, (".DS_Store", "0", "lost+found", "1")))]
    ['0', '1']
    >>> skipped.add("notes.txt")
    >>> skipped.add("more.txt")
    >>> print(skipped)
    skipped 4 files and folders: *.txt (2), .DS_Store, lost+found
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._counts)

    def __str__(self) -> str:
        total = self._counts.total()
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        shown = [f"{printable(name)} ({count:,})" if count > 1 else printable(name) for name, count in ordered]
        if more := len(shown) - MAX_NAMES_SHOWN:
            shown[MAX_NAMES_SHOWN:] = [f"and {more} other name{'s' * (more > 1)}"] * (more > 0)
        return f"skipped {total:,} {'file or folder' if total == 1 else 'files and folders'}: {', '.join(shown)}"

    def add(self, name: str) -> None:
        """Count a file or folder; files that differ only before their suffix count together."""
        suffix = Path(name).suffix
        if name.startswith("._"):  # metadata that macOS stores beside each file of a foreign disk
            name = "._*"
        elif suffix and not is_system_name(name):
            name = f"*{suffix}"
        self._counts[name] += 1

    def exclude_system_files(self, entries: Iterable[Path]) -> list[Path]:
        """Return the entries of a folder that are not left by a system, sorted, and count the others."""
        kept = []
        for entry in sorted(entries):
            if is_system_name(entry.name):
                self.add(entry.name)
            else:
                kept.append(entry)
        return kept
