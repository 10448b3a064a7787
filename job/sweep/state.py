"""The folder of a sweep: its definition, the state of each trial, and the winner. A killed sweep continues from it.

<root>/sweeps/<sweep id>/sweep.json         the SweepHead
<root>/sweeps/<sweep id>/trials/0000.json   a Trial
<root>/sweeps/<sweep id>/trials/0000.lock   exists while a process runs the trial
<root>/sweeps/<sweep id>/winner.json        the Winner, once it was evaluated
<root>/sweeps/<sweep id>/index.html         the page
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from components.base.errors import ConfigError, IntegrityError, first_validation_error
from components.base.text import escape_json
from components.io.atomic import write_atomically
from components.io.files import catch_read_errors, open_regular
from job.store.file_system import ensure_writable
from job.store.records import RecordPart
from job.store.root import root_at
from job.sweep.ranking import Setting, rank
from job.sweep.records import SweepHead, Trial, Winner

SWEEPS = "sweeps"
HEAD = "sweep.json"
WINNER = "winner.json"
PAGE = "index.html"

RecordT = TypeVar("RecordT", bound=RecordPart)


@dataclass(frozen=True)
class Sweep:
    """The state of a sweep."""

    head: SweepHead
    trials: tuple[Trial, ...]
    winner: Winner | None

    def ranking(self) -> list[Setting]:
        """Return the settings that have a result, the best first."""
        return [setting for setting in rank(self.trials) if setting.accuracy is not None or setting.has_failed]

    def best_trial(self) -> Trial | None:
        """Return the best finished trial of the best setting that has one; None if every trial failed."""
        return next(filter(None, (setting.best() for setting in self.ranking())), None)

    @property
    def is_finished(self) -> bool:
        """Whether the winner was evaluated."""
        return self.winner is not None


@dataclass(frozen=True)
class SweepFolder:
    """The folder of one sweep below a root."""

    root: Path
    id: str

    @property
    def directory(self) -> Path:
        """The folder."""
        return self.root / SWEEPS / self.id

    @property
    def page(self) -> Path:
        """The page."""
        return self.directory / PAGE

    @property
    def _trials(self) -> Path:
        return self.directory / "trials"

    def read(self) -> Sweep:
        """Return the state; raise ConfigError if the sweep does not exist, IntegrityError if it is damaged."""
        self._refresh()
        if not self.exists():
            problem, remedy = f"{self.root} has no sweep {self.id}", "name another root with --root"
            raise ConfigError(problem, expected=f"a folder below {self.root / SWEEPS}", remedy=remedy)
        head, winner = _read(self.directory / HEAD, SweepHead), self.directory / WINNER
        begun = (_read(path, Trial) for path in self._trials.glob("[0-9]*.json"))
        trials = {trial.number: trial for trial in (*head.planned, *begun)}
        ordered = tuple(trials[number] for number in sorted(trials))
        return Sweep(head, ordered, _read(winner, Winner) if winner.exists() else None)

    def exists(self) -> bool:
        """Return whether the sweep has begun."""
        return (self.directory / HEAD).is_file()

    def trial(self, number: int) -> Trial | None:
        """Return a trial, or None if it has not begun."""
        path = self._path(number)
        return _read(path, Trial) if path.exists() else None

    def prepare(self) -> None:
        """Create the folder, and check that it is writable."""
        ensure_writable(self._trials)

    def write(self, record: SweepHead | Trial | Winner) -> None:
        """Write a record atomically."""
        if isinstance(record, Trial):
            path = self._path(record.number)
        else:
            path = self.directory / (HEAD if isinstance(record, SweepHead) else WINNER)
        write_atomically(path, escape_json(record.model_dump_json(indent=2)) + "\n", what="the record of the sweep")
        root_at(self.root).wrote(path)
        root_at(self.root).flush()  # before the lock is released

    @contextmanager
    def hold(self, name: str, *, check: Callable[[], None]) -> Iterator[None]:
        """Hold the lock of this name while the block runs, in which the state is that of all processes.

        `check` is called while waiting.
        """
        with root_at(self.root).acquire(self.directory / f"{name}.lock", check=check):
            self._refresh()
            yield

    @contextmanager
    def try_hold(self, trial: Trial) -> Iterator[bool]:
        """Hold the lock of a trial while the block runs if no other process runs it; yield whether that is so."""
        with root_at(self.root).try_acquire(self._path(trial.number).with_suffix(".lock")) as is_free:
            if is_free:
                self._refresh()
            yield is_free

    def _refresh(self) -> None:
        root_at(self.root).refresh(self.directory)

    def _path(self, number: int) -> Path:
        return self._trials / f"{number:04}.json"


def _read(path: Path, kind: type[RecordT]) -> RecordT:
    expected = "a record of a sweep"
    with open_regular(path, expected) as file, catch_read_errors(path, expected):
        content = file.read()
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        problem = f"{path} is not {expected}: {first_validation_error(error)}"
        raise IntegrityError(problem, expected=expected, remedy="delete the file; the sweep writes it again") from error
