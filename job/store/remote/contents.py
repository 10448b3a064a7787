"""The content of a list of the objects of artifacts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from components.object_storage import ObjectInfo
from job.pipeline.steps import STEPS
from job.store.manifest import MANIFEST
from job.store.measure import Measured
from job.store.remote.sealing import DAMAGED, SUFFIX, Sealing
from job.store.store import ENTRY_NAME, EntryKind


@dataclass
class Contents:
    """The objects of one fingerprint."""

    sealing: ObjectInfo | None = None
    lease: ObjectInfo | None = None
    attempts: dict[str, list[ObjectInfo]] = field(default_factory=dict)
    """The files of each attempt, and its mark if it is damaged."""
    partial: list[ObjectInfo] = field(default_factory=list)
    """Checkpoints."""

    @classmethod
    def parse(cls, listed: Iterable[ObjectInfo]) -> dict[tuple[str, str], "Contents"]:
        """Return the objects by slot and fingerprint; others are skipped."""
        found: dict[tuple[str, str], Contents] = {}
        for info in listed:
            slot, name, rest = _split(info.key)
            match = ENTRY_NAME.fullmatch(name.removesuffix(SUFFIX))
            if match is None:
                continue
            content = found.setdefault((slot, match[1]), Contents())
            if not rest and name.endswith(SUFFIX):
                content.sealing = info
            elif not rest and match[2] == "lock":
                content.lease = info
            elif rest and match[2] == "partial":
                content.partial.append(info)
            elif rest and match[2] is None:
                attempt = rest.partition("/")[0].removesuffix(DAMAGED)
                content.attempts.setdefault(attempt, []).append(info)
        return found

    def parts(self, directory: Path, sealing: Sealing | None) -> Iterator[tuple[EntryKind, Path, list[ObjectInfo]]]:
        """Yield kind, path and objects of each part.

        Args:
            directory: of the artifact.
            sealing: the sealing object; None if there is none, or it is damaged.
        """
        for attempt, infos in self.attempts.items():
            path, state = directory / attempt, ""
            if sealing is not None and sealing.attempt == attempt:
                state = sealing.state
            if state == "sealed":
                yield "sealed", directory, [*infos, *([self.sealing] if self.sealing is not None else [])]
            elif state == "deleted":
                yield "deleting", path, infos
            elif state == "quarantined" or any(info.key.endswith(f"/{attempt}/{MANIFEST}") for info in infos):
                yield "quarantined", path, infos
            else:
                yield "partial", path, infos
        # An artifact may have no files, such as that of a model that is withheld.
        has_files = sealing is None or not sealing.is_sealed or sealing.attempt in self.attempts
        if self.sealing is not None and not has_files:
            yield "sealed", directory, [self.sealing]
        if self.partial:
            yield "partial", directory.with_name(f"{directory.name}.partial"), self.partial
        if self.lease is not None:
            yield "lock", directory.with_name(f"{directory.name}.lock"), [self.lease]


def measure_objects(infos: list[ObjectInfo], now: datetime) -> Measured:
    """Return the size and age of objects at a time of the store's clock."""
    newest = max(info.modified for info in infos)
    return Measured(sum(info.size for info in infos), max(0.0, (now - newest).total_seconds()))


def _split(key: str) -> tuple[str, str, str]:
    """Return the slot, the first name below it, and the rest of a key of an object of the store."""
    parts = key.split("/")
    start = 2 if parts[1:2] == [STEPS] else 1
    parts = [*parts[start:], "", ""]
    return parts[0], parts[1], "/".join(filter(None, parts[2:]))
