"""Everything that was measured, as JSON, on disk after every sample."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any


class Ledger:
    """A JSON file of sections, written anew whenever something is added: an interrupted benchmark loses nothing.

    Args:
        path: of the file.
        facts: sections that are known from the beginning.
    """

    def __init__(self, path: Path, **facts: Any) -> None:
        self.path = path
        self.sections: dict[str, Any] = facts
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write()

    def add(self, section: str, item: Any) -> None:
        """Append an item to a section that is a list."""
        self.sections.setdefault(section, []).append(item)
        self._write()

    def put(self, section: str, content: Any) -> None:
        """Set a section."""
        self.sections[section] = content
        self._write()

    def fail(self, what: str) -> None:
        """Say, and keep, that something could not be measured."""
        print(f"FAILED: {what}", flush=True)
        self.add("failures", what)

    @property
    def failed(self) -> bool:
        """Whether anything could not be measured."""
        return "failures" in self.sections

    def _write(self) -> None:
        draft = self.path.with_name(f"{self.path.name}.draft")
        draft.write_text(json.dumps(self.sections, indent=2, default=_plain) + "\n")
        draft.replace(self.path)


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
