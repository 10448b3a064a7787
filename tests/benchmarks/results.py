"""The results of a benchmark as a JSON file, complete on disk after every measurement."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any


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


def _to_json(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
