"""Estimates of a step's time, memory and disk space, from the records of earlier runs of its component."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import Any

from components import Artifact, Component
from components.base.component import EarlierRun
from components.base.errors import ConfigError, IntegrityError
from components.base.timing import Elapsed
from components.runtime.resources import cpu_limit, processor
from job.store.fingerprint import FingerprintInputs
from job.store.records import RunRecord, StepRecord
from job.store.runs import Runs
from job.store.sealed import SealedArtifact
from job.store.store import Store

MAX_RECORDS = 5
"""Earlier runs of a component that an estimate uses: those with the fewest differences, the newest first."""
TRAINING = "training"
"""The part of a step whose duration depends on its amount of work."""
WAITING = "waiting"


@dataclass(frozen=True)
class Estimate:
    """Estimate of the time, memory and disk space of one or several steps."""

    seconds: float
    """Wall time."""
    cpu_seconds: float
    peak_memory_bytes: int | None
    """The highest memory of the process; None if no run measured it."""
    disk_bytes: int
    """Of the artifacts."""
    run_ids: tuple[str, ...]
    """The runs whose records were used."""
    same_machine: bool
    """Whether these ran on a processor of the same name with as many threads."""


@dataclass(frozen=True)
class Measured:
    """One earlier run of a component."""

    run: RunRecord
    step: StepRecord
    sealed: SealedArtifact

    @property
    def is_of_this_machine(self) -> bool:
        """Whether it ran on a processor of the same name with as many threads."""
        environment = self.run.environment
        return (environment.get("processor"), environment.get("cpu_limit")) == (processor(), cpu_limit())

    def scaled(self, ratio: float | None) -> Elapsed:
        """Return its duration without waiting, and with `ratio` times the work of its training."""
        elapsed = Elapsed(self.step.seconds, self.step.cpu_seconds)
        for part in self.step.parts:
            share = {WAITING: 1.0, TRAINING: 1 - (1.0 if ratio is None else ratio)}.get(part.name, 0.0)
            elapsed -= Elapsed(share * part.seconds, share * part.cpu_seconds)
        return elapsed


class Estimator:
    """Estimates steps from the runs below one root."""

    def __init__(self, store: Store, runs: Runs, slots: Sequence[str]) -> None:
        self.store = store
        self.runs = runs
        self.slots = slots

    def first_run(self, slot: str, fingerprint: str) -> str | None:
        """Return the oldest run that used an artifact: the one that produced it, unless that was deleted."""
        return self._first_runs.get((slot, fingerprint))

    def estimate(
        self, slot: str, component: Component[Any], key: FingerprintInputs, inputs: Mapping[str, Artifact]
    ) -> Estimate | None:
        """Return an estimate for a step with these fingerprint inputs; None if its component has never run.

        `inputs` are those that are known.
        """
        measured = self._measured(slot, key)
        here = [each for each in measured if each.is_of_this_machine]
        if not (used := here or measured):
            return None
        times = [each.scaled(component.relative_work(inputs, self._earlier(each))) for each in used]
        peaks = [each.step.peak_memory_bytes for each in used if each.step.peak_memory_bytes is not None]
        return Estimate(
            seconds=round(median(time.seconds for time in times), 3),
            cpu_seconds=round(median(time.cpu_seconds for time in times), 3),
            peak_memory_bytes=max(peaks, default=None),
            disk_bytes=round(median(sum(file.size for file in each.sealed.manifest.files) for each in used)),
            run_ids=tuple(each.run.run_id for each in used),
            same_machine=bool(here),
        )

    def _measured(self, slot: str, key: FingerprintInputs) -> list[Measured]:
        """Return earlier runs of the component, the most similar and newest first."""
        others = [
            sealed
            for sealed in self.store.newest_first(slot)
            if sealed.manifest.producer.component == key.producer.component
        ]
        others.sort(key=lambda sealed: len(key.differences(sealed.manifest.fingerprint_inputs)))
        found: list[Measured] = []
        for sealed in others:
            if len(found) == MAX_RECORDS:
                break
            if (run_id := self.first_run(slot, sealed.manifest.fingerprint)) is None:
                continue
            with suppress(ConfigError, IntegrityError):
                record = self.runs.read(run_id)
                step = next((step for step in record.steps if step.component == slot), None)
                if step is not None and step.status == "ran":
                    found.append(Measured(record, step, sealed))
        return found

    def _earlier(self, measured: Measured) -> EarlierRun:
        manifest, inputs = measured.sealed.manifest, {}
        outputs = {step.digest: step for step in measured.run.steps}
        for name, digest in manifest.inputs.items():
            if (step := outputs.get(digest)) is not None:
                with suppress(IntegrityError):
                    directory = self.store.directory(step.component, step.fingerprint)
                    inputs[name] = self.store.read(step.component, directory).manifest.artifact
        return EarlierRun(manifest.producer.config, inputs, manifest.artifact)

    @cached_property
    def _first_runs(self) -> dict[tuple[str, str], str]:
        return self.runs.first_uses(self.slots)


def add_estimates(estimates: Sequence[Estimate]) -> Estimate | None:
    """Return the estimate for several steps of one run; None for no step."""
    if not estimates:
        return None
    total = estimates[0]
    for each in estimates[1:]:
        peaks = [peak for peak in (total.peak_memory_bytes, each.peak_memory_bytes) if peak is not None]
        total = replace(
            total,
            seconds=round(total.seconds + each.seconds, 3),
            cpu_seconds=round(total.cpu_seconds + each.cpu_seconds, 3),
            peak_memory_bytes=max(peaks, default=None),
            disk_bytes=total.disk_bytes + each.disk_bytes,
            run_ids=tuple(dict.fromkeys((*total.run_ids, *each.run_ids))),
            same_machine=total.same_machine and each.same_machine,
        )
    return total
