"""Predictions as a table, as CSV or as JSON lines on standard output, which contains nothing else.

Each line is a separate write. Where Python does not buffer (PYTHONUNBUFFERED, as in containers), a signal may cut a
longer write to a pipe, and the rest of it would be lost.
"""

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from components.artifacts import Predictions
from components.base.formatting import counted
from components.base.text import escape_unprintable, printable
from job.options import PredictionFormat

UNCERTAIN_BELOW = 0.9
"""The table highlights predictions with a lower probability."""

MAX_LABEL_LENGTH = 40
"""The table cuts longer names of classes."""


@dataclass(frozen=True)
class Prediction:
    """The probabilities of the classes for one image."""

    path: Path
    row: int | None  # from 0, in a file of several images; otherwise None
    index: int  # of the most probable class
    probabilities: Sequence[float]

    @property
    def probability(self) -> float:
        """Probability of the most probable class."""
        return self.probabilities[self.index]


class PredictionWriter(ABC):
    """Writes predictions to a console in one format: a header if the format has one, and one line per prediction."""

    def __init__(self, class_names: Sequence[str], console: Console) -> None:
        self._class_names = class_names
        self._console = console

    def write_header(self) -> None: ...  # noqa: B027

    @abstractmethod
    def write(self, predictions: Iterable[Prediction]) -> None: ...


class JsonLinesWriter(PredictionWriter):
    """One JSON object per line; labels are numbers if the classes are named 0, 1, 2 and so on."""

    def write(self, predictions: Iterable[Prediction]) -> None:
        numbers = range(len(self._class_names))
        is_numeric = [*map(str, numbers)] == [*self._class_names]
        labels: Sequence[int | str] = numbers if is_numeric else self._class_names
        for prediction in predictions:
            values = {
                "path": str(prediction.path),
                **({} if prediction.row is None else {"row": prediction.row}),
                "label": labels[prediction.index],
                "probability": prediction.probability,
                "probabilities": prediction.probabilities,
            }
            self._console.file.write(f"{json.dumps(values)}\n")


class CsvWriter(PredictionWriter):
    """A header, and one line per image, exact except on a terminal; `row` is empty for a file of one image."""

    def write_header(self) -> None:
        names = (self._exact(f"p_{name}") for name in self._class_names)
        csv.writer(self._console.file, lineterminator="\n").writerow(["path", "row", "label", "probability", *names])

    def write(self, predictions: Iterable[Prediction]) -> None:
        csv.writer(self._console.file, lineterminator="\n").writerows(
            [
                *(self._exact(str(one.path)), one.row, self._exact(self._class_names[one.index])),
                *(one.probability, *one.probabilities),
            ]
            for one in predictions
        )

    def _exact(self, text: str) -> str:
        if self._console.is_terminal:
            return escape_unprintable(text)
        return text.encode("utf-8", "backslashreplace").decode()  # CSV has no escapes, but every text must be UTF-8


class TableWriter(PredictionWriter):
    """Aligned columns; the path comes last, because its length varies."""

    def __init__(self, class_names: Sequence[str], console: Console) -> None:
        super().__init__([printable(name, limit=MAX_LABEL_LENGTH) for name in class_names], console)
        self._width = max(len("label"), *map(len, self._class_names))

    def write_header(self) -> None:
        header = f"{'label':>{self._width}}  probability  {'next':>{self._width}}          image"
        self._print([self._styled("dim", header)])

    def write(self, predictions: Iterable[Prediction]) -> None:
        self._print([self._line(prediction) for prediction in predictions])

    def _line(self, prediction: Prediction) -> str:
        others = (index for index in range(len(prediction.probabilities)) if index != prediction.index)
        second = max(others, key=prediction.probabilities.__getitem__)
        label = self._styled("bold", f"{self._class_names[prediction.index]:>{self._width}}")
        style = "yellow" if prediction.probability < UNCERTAIN_BELOW else ""
        probability = self._styled(style, f"{prediction.probability:11.4f}")
        runner_up = f"{self._class_names[second]:>{self._width}}  {prediction.probabilities[second]:.4f}"
        row = "" if prediction.row is None else f"  row {prediction.row}"
        path = self._styled("", escape_unprintable(str(prediction.path)))
        return f"{label}  {probability}  {self._styled('dim', runner_up)}  {path}{row}"

    def _styled(self, style: str, text: str) -> str:
        if not self._console.is_terminal:
            return text
        return f"[{style}]{escape(text)}[/]" if style else escape(text)

    def _print(self, lines: list[str]) -> None:
        if self._console.is_terminal:
            self._console.print("\n".join(lines), highlight=False, soft_wrap=True)
            return
        for line in lines:  # rich takes twenty times as long
            self._console.file.write(f"{line}\n")


WRITERS: dict[PredictionFormat, type[PredictionWriter]] = {
    PredictionFormat.TABLE: TableWriter,
    PredictionFormat.CSV: CsvWriter,
    PredictionFormat.JSONL: JsonLinesWriter,
}


def describe_predictions(predictions: Predictions) -> dict[str, str]:
    """Return the numbers of images that bulk inference predicted and skipped, as labelled texts."""
    counts = zip(predictions.class_names, predictions.label_counts, strict=True)
    fields = {"predictions": f"{counted(predictions.predicted, 'image')}, {predictions.skipped:,} skipped"}
    if predictions.skipped_reasons:
        fields["skipped"] = ", ".join(f"{one.count:,} {one.reason}" for one in predictions.skipped_reasons)
    return {**fields, "by class": ",  ".join(f"{name}: {count:,}" for name, count in counts)}
