"""Shards of a Parquet data set: its files, their order, and their splits."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from components.base.errors import DataError
from components.base.text import is_utf8
from components.io.files import catch_read_errors
from components.io.picture_folder import is_system_name
from components.object_storage import LocalFiles, Location, ObjectUrl, open_local

FILES = "a Parquet file, a folder of them, or a pattern such as data/train-*.parquet"
SUFFIX = ".parquet"
WILDCARDS = re.compile(r"[*?[]")
SPLIT_WORDS = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("validation", "valid", "val", "dev"), "validation"
)
"""The split of each word in the name of a file or folder, as on the Hugging Face hub."""
SHARD = re.compile(r"(.*-)([0-9]{5})-of-([0-9]{5})(.*)")
"""Shard 00000 of 00003, as on the Hugging Face hub."""


@dataclass(frozen=True)
class Shards:
    """The files of each split, in the order of their names."""

    train: tuple[Path, ...]
    test: tuple[Path, ...]
    skipped: tuple[Path, ...] = ()
    """Files of further splits, such as `validation`."""


def fetch_shards(path: Location, test_path: Location | None) -> Shards:
    """Return the files of each split, on this machine, as `find_shards` does."""
    local, found_path = _open(path)
    if test_path is None:
        shards = find_shards(found_path, None)
        local.fetch([*shards.train, *shards.test])
        return shards
    test_local, found_test_path = _open(test_path)
    shards = find_shards(found_path, found_test_path)
    local.fetch(shards.train)
    test_local.fetch(shards.test)
    return shards


def find_shards(path: Path, test_path: Path | None) -> Shards:
    """Return the files of each split; without `test_path`, by their names, such as `test-00000-of-00001.parquet`.

    Raises:
        DataError: if there is no file, none for training, or if a shard is missing.
    """
    files = _list_files(path)
    if test_path is not None:
        return Shards(tuple(files), tuple(_list_files(test_path)))
    if path.is_file():
        return Shards((path,), ())
    splits = defaultdict(list)
    for file in files:
        splits[split_of(file, root=path)].append(file)
    if not splits["train"]:
        raise DataError(
            f"{path} has no files for training, only for {', '.join(sorted(splits.keys() - {'train'}))}",
            expected="files named train-..., or without the name of a split",
            remedy="set example_gen.source.path and test_path to the files of each split",
        )
    return Shards(*(tuple(splits[name]) for name in ("train", "test", "validation")))


def split_of(file: Path, *, root: Path) -> str:
    """Return the split that is in the name of a file or of its folders; by default `train`.

    >>> root = Path("mnist")
    >>> [split_of(root / name, root=root) for name in ("data/test-0.parquet", "val/0.parquet", "latest.parquet")]
    ['test', 'validation', 'train']
    """
    parts = file.relative_to(root).parts if file.is_relative_to(root) else (file.name,)
    for part in reversed(parts):  # the name of the file precedes those of its folders
        for word in re.split(r"[^a-z]+", part.lower()):
            if word in SPLIT_WORDS:
                return SPLIT_WORDS[word]
    return "train"


def _open(location: Location) -> tuple[LocalFiles, Path]:
    """Return the files of a location, and its path on this machine, which may end with a pattern."""
    if isinstance(location, Path) or not WILDCARDS.search(location.prefix):
        local = open_local(location)
        return local, local.path
    folder, pattern = _split_pattern(Path(location.prefix))
    local = open_local(ObjectUrl(location.scheme, location.bucket, "" if folder == Path() else folder.as_posix()))
    return local, local.path / pattern


def _list_files(path: Path) -> list[Path]:
    """Return the files of a path in the order of their names."""
    with catch_read_errors(path, FILES):
        if path.is_dir():
            files = _visible(path.rglob(f"*{SUFFIX}"), path)
        elif WILDCARDS.search(str(path)) and not path.exists():
            root, pattern = _split_pattern(path)
            files = _visible(root.glob(pattern), root)
        else:
            path.stat()
            return [path]
    if not files:
        raise DataError(f"{path} has no Parquet file", expected=FILES, remedy="correct example_gen.source.path")
    _check_complete(files)
    return files


def _visible(found: Iterable[Path], root: Path) -> list[Path]:
    """Return the files, sorted, without those that a program or a system hides, such as downloads in progress."""
    files = sorted(file for file in found if not any(map(is_system_name, file.relative_to(root).parts)))
    if not_text := next((file for file in files if not is_utf8(str(file))), None):
        raise DataError(
            f"the name of {not_text} is not UTF-8", expected="file names in UTF-8", remedy="rename the file"
        )
    return [file for file in files if not file.is_dir()]


def _split_pattern(path: Path) -> tuple[Path, str]:
    """Return the folder above the first part with a wildcard, and the pattern below it."""
    first = next(index for index, part in enumerate(path.parts) if WILDCARDS.search(part))
    return Path(*path.parts[:first]), str(Path(*path.parts[first:]))


def _check_complete(files: list[Path]) -> None:
    """Raise DataError if the names of files state more shards than there are."""
    numbers = defaultdict(set)
    for file in files:
        if match := SHARD.fullmatch(file.name):
            before, number, count, after = match.groups()
            numbers[file.parent / f"{before}%05d-of-{count}{after}", int(count)].add(int(number))
    for (name, count), present in numbers.items():
        if missing := sorted(set(range(count)) - present):
            path = str(name).replace("%05d", f"{missing[0]:05d}", 1)
            raise DataError(
                f"{path} is missing; {len(present)} of {count} shards exist",
                expected="all shards of a data set",
                remedy="download the missing files, or set example_gen.source.path to one file",
            )
