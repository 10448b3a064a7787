"""The results of a benchmark as a JSON file, complete on disk after every measurement."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from tests.support.processes import REPOSITORY

MEASUREMENTS = ("samples", "growth", "commands")
"""The sections that a resumed benchmark keeps."""
MEASURED_CODE = ("components", "job", "configs", "tests/benchmarks")

Item = TypeVar("Item")


class ResultsFile:
    """A JSON object of sections, rewritten after every change: an interrupted benchmark loses nothing.

    Args:
        path: of the file.
        sections: its initial content.
    """

    def __init__(self, path: Path, **sections: Any) -> None:
        self.path = path
        self.sections: dict[str, Any] = sections
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write()

    def append(self, section: str, item: Any) -> None:
        """Append an item to a section that is a list."""
        self.sections.setdefault(section, []).append(item)
        self._write()

    def put(self, section: str, content: Any) -> None:
        """Set a section."""
        self.sections[section] = content
        self._write()

    def items(self, section: str, item: type[Item]) -> list[Item]:
        """Return the items of a section as objects of a dataclass, also if they were read from a file."""
        return TypeAdapter(list[item]).validate_python(self.sections.get(section, []))  # type: ignore[valid-type]

    def add_failure(self, message: str) -> None:
        """Print and record that a measurement failed."""
        print(f"FAILED: {message}", flush=True)
        self.append("failures", message)

    @property
    def has_failures(self) -> bool:
        return "failures" in self.sections

    def _write(self) -> None:
        draft = self.path.with_name(f"{self.path.name}.draft")
        draft.write_text(json.dumps(self.sections, indent=2, default=_to_json) + "\n")
        draft.replace(self.path)


def earlier_measurements(
    path: Path, *, arguments: Sequence[str], machine: Mapping[str, Any], code: str
) -> dict[str, Any]:
    """Return the valid measurements of an interrupted benchmark, as initial sections of its `ResultsFile`.

    Raises:
        SystemExit: with a message, if the file is missing, or has results of other arguments or code, or of another
            machine.
    """
    try:
        earlier = json.loads(path.read_text())
    except FileNotFoundError:
        raise SystemExit(f"error: there is no interrupted benchmark in {path}\n  remedy:   omit --resume") from None
    for origin, differs in (
        (f"other arguments ({' '.join(earlier['arguments'])})", earlier["arguments"] != list(arguments)),
        ("another machine or other libraries", _constant(earlier["machine"]) != _constant(machine)),
        ("other code", earlier.get("code") != code),
    ):
        if differs:
            raise SystemExit(
                f"error: {path} has results of {origin}\n"
                "  remedy:   write to another file (--json FILE), or omit --resume to overwrite them"
            )
    kept = {section: earlier[section] for section in MEASUREMENTS if section in earlier}
    return {section: [item for item in items if not item.get("failure")] for section, items in kept.items()}


def code_digest() -> str:
    """Return a digest of the job, its presets and the benchmark."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in MEASURED_CODE for path in (REPOSITORY / folder).rglob("*")):
        if path.suffix in {".py", ".yaml", ".js", ".j2", ".css"}:
            digest.update(f"{path.relative_to(REPOSITORY)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _constant(machine: Mapping[str, Any]) -> Any:
    """Return what does not change while a machine runs, as JSON represents it."""
    return json.loads(json.dumps({name: value for name, value in machine.items() if name != "load_average"}))


def _to_json(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
