"""Runs a sweep: plan the trials, run those of a share, and evaluate the winner after the last one."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from components.base.errors import ConfigError, first_line
from components.base.formatting import counted
from components.base.hashing import value_sha256
from job.config.run_config import SHARED_KEYS
from job.pipeline.slots import SLOTS, TRAINER
from job.pipeline.steps import STEPS
from job.runner.cluster import require_one_process
from job.runner.runner import Runner
from job.store.differences import NO_EFFECT
from job.store.fingerprint import fingerprint_inputs
from job.store.records import SweepRecord
from job.sweep.halving import next_rung, promoted, rungs
from job.sweep.page import refresh_page, write_page
from job.sweep.pruning import stop_rule
from job.sweep.ranking import group
from job.sweep.records import SweepHead, Trial, Winner
from job.sweep.reporter import SweepReporter
from job.sweep.sampling import corners, settings, suggest
from job.sweep.state import Sweep, SweepFolder
from job.sweep.trial_run import TrialReporter, TrialRun

if TYPE_CHECKING:
    from components.artifacts import Epoch
    from job.config.config import JobConfig
    from job.config.sweep_document import SweepDocument
    from job.signals import Signals

ID_LENGTH = 12


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of the trials: those whose number modulo `count` is `index`."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            problem = f"--index {self.index} is not valid with --count {self.count}"
            remedy = "number the shares from 0, and give all of them the same --count"
            raise ConfigError(problem, expected="an index from 0 to below the count", remedy=remedy)

    def has(self, number: int) -> bool:
        """Return whether a number belongs to the share."""
        return number % self.count == self.index


@dataclass(frozen=True, kw_only=True)
class SweepRunner:
    """Runs one share of a sweep.

    A sweep is identified by the configuration with the section `sweep`, and the code, data and libraries of its trials.
    Its state is on disk, so that the same command continues it. Several processes can run it at the same time.
    """

    document: SweepDocument
    signals: Signals
    reporter: SweepReporter
    share: Share = Share()
    command: str = ""

    @cached_property
    def base(self) -> JobConfig:
        """The base configuration of every trial."""
        return self.document.config()

    @cached_property
    def folder(self) -> SweepFolder:
        """The folder of the sweep."""
        components = self.base.pipeline.components()
        names = [*components]
        config = {key: value for key, value in self.base.resolved().items() if key not in NO_EFFECT}
        identity = {
            "config": config,
            "sweep": self._section,
            "components": [
                fingerprint_inputs(components[name], {}).fingerprint for name in names[: names.index(TRAINER) + 1]
            ],
        }
        return SweepFolder(self.base.open_root(), value_sha256(identity)[:ID_LENGTH])

    def run(self) -> Sweep:
        """Run all trials of the share, and after the last trial of all shares evaluate the winner; return the state.

        Raises:
            ConfigError: if the sweep or a trial is not valid, before the first runs; or if every trial failed.
            JobError: if a trial fails for a reason other than its values. The next attempt runs it again.
        """
        with self.signals.interruptible_at_once():
            planned = self._plan()
            self._begin(planned)
        while self._run_next(sweep := self.folder.read()):
            pass
        if sweep.winner is None and self._is_complete(sweep):
            with self.folder.hold("winner", check=self.signals.check):
                self._evaluate_winner()
        return self._changed()

    @property
    def _section(self) -> dict[str, Any]:
        return self.document.sweep.model_dump(mode="json", exclude_none=True)

    def _plan(self) -> tuple[Trial, ...]:
        """Check and return the trials that do not depend on results; with `tpe`, only check typical ones."""
        sweep = self.document.sweep
        if sweep.pruner is not None:
            stop_rule(sweep.pruner, ())
        if sweep.tpe is not None:
            suggest(sweep, 0)
        chosen = enumerate(settings(sweep)) if sweep.tpe is None else ((0, values) for values in corners(sweep))
        self._check_keys()
        checked = []
        seen: set[tuple[str, str]] = set()
        for trial in (trial for number, values in chosen for trial in self._trials(number, values)):
            config = self._config(trial)
            require_one_process(config.pipeline, "a sweep")
            checked.append(trial.model_copy(update={"max_epochs": _max_epochs(config)}))
            for slot, component in config.pipeline.components().items():
                if (key := (slot, repr(component.config))) not in seen:
                    seen.add(key)
                    component.preflight()
        most_epochs = _most_epochs(checked)
        if sweep.halving is not None and not rungs(sweep.halving, most_epochs):
            most = counted(most_epochs, "epoch")
            problem = f"no trial has more than {most}, and the first comparison is after that many"
            remedy = "lower sweep.halving.epochs, or raise trainer.epochs"
            raise ConfigError(problem, expected="trials with more epochs than sweep.halving.epochs", remedy=remedy)
        return tuple(checked) if sweep.tpe is None else ()

    def _check_keys(self) -> None:
        """Raise ConfigError for a key of a section that does not affect training: its trials would be equal."""
        components = [*self.base.pipeline.components()]
        trained = components[: components.index(TRAINER) + 1]
        idle = {*SLOTS, *components, *NO_EFFECT}.difference(trained)
        for key, origin in self.document.origins.items():
            section, _, below = key.partition(".")
            if (below.partition(".")[0] if section == STEPS else section) in idle:
                problem = f"{key} does not affect training, so all of its trials would be equal"
                expected = f"keys of {', '.join(trained)}, or {' or '.join(SHARED_KEYS)}"
                raise ConfigError.at(origin, problem, expected=expected, remedy="remove the key from the sweep")

    def _trials(self, setting: int, values: dict[str, Any]) -> Iterator[Trial]:
        seeds = self.document.sweep.seed_combinations()
        for place, seed in enumerate(seeds):
            chosen = values | seed
            parameters = {key: chosen[key] for key in self.document.sweep.space}
            yield Trial(number=setting * len(seeds) + place, setting=setting, parameters=parameters)

    def _begin(self, planned: Sequence[Trial]) -> None:
        folder = self.folder
        folder.prepare()
        with folder.hold("plan", check=self.signals.check):
            if not folder.exists():
                head = SweepHead(
                    id=folder.id,
                    started=datetime.now(UTC).replace(microsecond=0),
                    command=self.command,
                    config=self.base.resolved(),
                    sweep=self._section,
                    trial_count=self.document.sweep.trials,
                    planned=tuple(planned),
                )
                folder.write(head)
        self.reporter.begin(self._changed(), self.folder)

    def _run_next(self, sweep: Sweep) -> bool:
        """Run the next trial that no other process runs; return whether there was one."""
        self.signals.check()
        for trial in self._candidates(sweep):
            with self.folder.try_hold(trial) as is_free:
                current = self.folder.trial(trial.number) or trial
                if not is_free:
                    continue
                if current == trial:  # otherwise another process has run it
                    self._run(trial, sweep)
                return True
        return self.document.sweep.tpe is not None and self._plan_next(self.document.sweep.tpe)

    def _candidates(self, sweep: Sweep) -> Iterator[Trial]:
        """Yield the trials to run next: those of the share, interrupted ones of other shares, then promoted ones."""
        is_open = [trial for trial in sweep.trials if trial.state in ("waiting", "running")]
        yield from filter(self._is_own, is_open)
        yield from (trial for trial in is_open if trial.history and not self._is_own(trial))
        yield from self._promoted(sweep)

    def _is_own(self, trial: Trial) -> bool:
        return self.share.has(trial.number if self.document.sweep.tpe is None else trial.setting)

    def _promoted(self, sweep: Sweep) -> list[Trial]:
        halving = self.document.sweep.halving
        if halving is None:
            return []
        return promoted(group(sweep.trials), self._rungs(sweep), halving.factor)

    def _rungs(self, sweep: Sweep) -> list[int]:
        halving = self.document.sweep.halving
        return [] if halving is None else rungs(halving, _most_epochs(sweep.trials))

    def _plan_next(self, count: int) -> bool:
        """Plan the next setting of the share, which depends on results; return whether there was one."""
        with self.folder.hold("plan", check=self.signals.check):
            own = [setting for setting in group(self.folder.read().trials) if self.share.has(setting.number)]
            number = self.share.index + len(own) * self.share.count
            if number >= count:
                return False
            for trial in self._trials(number, suggest(self.document.sweep, number, own)):
                self.folder.write(trial)
        return True

    def _run(self, trial: Trial, sweep: Sweep) -> None:
        config = self._config(trial)
        trial = trial.model_copy(update={"max_epochs": _max_epochs(config)})
        run = TrialRun(
            sweep_id=self.folder.id,
            signals=self.signals,
            console=self.reporter.console,
            command=self.command,
            write=self._write,
        )
        rule, pauses = self._pause_rule(trial, sweep)
        ended = run.run(trial, config, should_pause=rule, pauses=pauses)
        self._write(ended)
        gc.collect()  # a network is a cycle of objects, and `job.__main__` lets Python collect cycles rarely
        self.reporter.end_trial(ended, sweep)

    def _pause_rule(self, trial: Trial, sweep: Sweep) -> tuple[Callable[[Sequence[Epoch]], bool] | None, bool]:
        """Return the rule that ends the trial early, and whether it may continue after that."""
        if (pruner := self.document.sweep.pruner) is not None:
            return stop_rule(pruner, sweep.trials), False
        rung = next_rung(trial, self._rungs(sweep))
        return (None if rung is None else lambda history: len(history) >= rung), True

    def _is_complete(self, sweep: Sweep) -> bool:
        """Return whether all trials of all shares have ended, so that only the winner is missing."""
        open_trials = any(trial.state in ("waiting", "running") for trial in sweep.trials)
        return not open_trials and len(sweep.trials) == sweep.head.trial_count and not self._promoted(sweep)

    def _evaluate_winner(self) -> None:
        sweep = self.folder.read()
        if sweep.winner is not None:
            return
        trial = sweep.best_trial()
        if trial is None:
            first = next((trial.failure for trial in sweep.trials if trial.failure), "")
            raise ConfigError(
                f"all trials failed; the first one: {first}" if len(sweep.trials) > 1 else f"the trial failed: {first}",
                expected="at least one trial that finishes",
                remedy="change the values that the sweep tries",
            )
        self.reporter.begin_winner(trial)
        runner = Runner(
            self._config(trial),
            TrialReporter(self.reporter.console),
            self.signals,
            sweep=SweepRecord(id=self.folder.id, trial=trial.number, parameters=trial.parameters),
            command=self.command,
        )
        self.folder.write(Winner.of(trial, runner.run()))

    def _config(self, trial: Trial) -> JobConfig:
        return self.document.config(trial.parameters)

    def _write(self, trial: Trial) -> None:
        self.folder.write(trial)
        self._changed(refresh_page)

    def _changed(self, write: Callable[[Sweep, SweepFolder], None] = write_page) -> Sweep:
        """Write the page again, and return the current state; if the page cannot be written, warn."""
        sweep = self.folder.read()
        try:
            write(sweep, self.folder)
        except Exception as error:
            self.reporter.warning(f"the page of the sweep was not written: {first_line(error)}")
        return sweep


def _max_epochs(config: JobConfig) -> int | None:
    epochs = getattr(config.pipeline.trainer.config, "epochs", None)
    return epochs if isinstance(epochs, int) else None


def _most_epochs(trials: Sequence[Trial]) -> int:
    return max((trial.max_epochs or 0 for trial in trials), default=0)
