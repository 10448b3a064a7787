"""Answers about images, written as a table, as CSV or as JSON lines: nothing else is on standard output.

Each line is written by itself: where Python does not buffer (PYTHONUNBUFFERED, as in containers), a signal may cut
a longer write to a pipe, and the rest would be lost.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rich.markup import escape

from job.options import PredictionFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rich.console import Console

DOUBTFUL = 0.9
"""An answer that is less probable is marked in a table."""


@dataclass(frozen=True)
class Answer:
    """What a model says of one image."""

    path: Path
    row: int | None
    """From 0, where the file holds many images."""
    index: int
    """Of the most probable class."""
    probabilities: Sequence[float]
    """By class."""

    @property
    def probability(self) -> float:
        """Of the most probable class."""
        return self.probabilities[self.index]


class Answers(Protocol):
    """Tells answers."""

    def begin(self) -> None:
        """Tell what comes before the first one."""

    def tell(self, answers: Iterable[Answer]) -> None:
        """Tell some, a line each."""


def make_answers(answer_format: PredictionFormat, class_names: Sequence[str], console: Console) -> Answers:
    """Return who tells answers.

    Args:
        answer_format: how.
        class_names: by index.
        console: where to.
    """
    match answer_format:
        case PredictionFormat.TABLE:
            return Table(class_names, console)
        case PredictionFormat.CSV:
            return Csv(class_names, console)
        case PredictionFormat.JSONL:
            return JsonLines(class_names, console)


class JsonLines:
    """One JSON object a line; labels are numbers where the classes are called 0, 1, 2 and so on."""

    def __init__(self, class_names: Sequence[str], console: Console) -> None:
        numbers = range(len(class_names))
        self.labels: Sequence[int | str] = numbers if list(map(str, numbers)) == list(class_names) else class_names
        self.console = console

    def begin(self) -> None: ...

    def tell(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            self.console.file.write(f"{json.dumps(self._told(answer))}\n")

    def _told(self, answer: Answer) -> dict[str, object]:
        return {
            "path": str(answer.path),
            **({} if answer.row is None else {"row": answer.row}),
            "label": self.labels[answer.index],
            "probability": answer.probability,
            "probabilities": answer.probabilities,
        }


class Csv:
    """A header, and a line an image; `row` is empty where a file holds one."""

    def __init__(self, class_names: Sequence[str], console: Console) -> None:
        self.class_names = class_names
        self.console = console

    def begin(self) -> None:
        names = (f"p_{name}" for name in self.class_names)
        self._writer().writerow(["path", "row", "label", "probability", *names])

    def tell(self, answers: Iterable[Answer]) -> None:
        self._writer().writerows(
            [answer.path, answer.row, self.class_names[answer.index], answer.probability, *answer.probabilities]
            for answer in answers
        )

    def _writer(self) -> Any:
        return csv.writer(self.console.file, lineterminator="\n")


class Table:
    """A line an image, the path last, so that columns stand below each other however long it is."""

    def __init__(self, class_names: Sequence[str], console: Console) -> None:
        self.class_names = class_names
        self.width = max(len("label"), *map(len, class_names))
        self.console = console

    def begin(self) -> None:
        self._write(
            [self._styled("dim", f"{'label':>{self.width}}  probability  {'next':>{self.width}}          image")]
        )

    def tell(self, answers: Iterable[Answer]) -> None:
        self._write([self._line(answer) for answer in answers])

    def _line(self, answer: Answer) -> str:
        others = (index for index in range(len(answer.probabilities)) if index != answer.index)
        second = max(others, key=answer.probabilities.__getitem__)
        label = self._styled("bold", f"{self.class_names[answer.index]:>{self.width}}")
        sure = self._styled("" if answer.probability >= DOUBTFUL else "yellow", f"{answer.probability:11.4f}")
        runner_up = f"{self.class_names[second]:>{self.width}}  {answer.probabilities[second]:.4f}"
        row = "" if answer.row is None else f"  row {answer.row}"
        return f"{label}  {sure}  {self._styled('dim', runner_up)}  {self._styled('', str(answer.path))}{row}"

    def _styled(self, style: str, text: str) -> str:
        if not self.console.is_terminal:
            return text
        return f"[{style}]{escape(text)}[/]" if style else escape(text)

    def _write(self, lines: list[str]) -> None:
        if self.console.is_terminal:
            self.console.print("\n".join(lines), highlight=False, soft_wrap=True)
            return
        for line in lines:  # rich takes twenty times as long as this
            self.console.file.write(f"{line}\n")
