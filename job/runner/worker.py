"""A worker other than worker 0, which takes part in the steps that all workers run together and writes no results."""

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from components import Context
from components.base.cluster import Cluster
from components.base.errors import IntegrityError
from components.base.timing import Stopwatch
from components.runtime.disk import disk_space_guard
from job.config.config import JobConfig
from job.pipeline.pipeline import flow
from job.reporters.listener import WorkerListener
from job.runner.chief import ChiefRun
from job.runner.look_up import StepFinder, find_taken
from job.runner.run_component import run_component
from job.runner.selection import StepSelection
from job.signals import Signals
from job.store.artifact_resolver import ArtifactResolver
from job.store.fingerprint import FingerprintInputs
from job.store.manifest import SchemaVersionError
from job.store.opened import open_store
from job.store.records import RunRecord
from job.store.runs import Runs
from job.store.sealed import SealedArtifact

MIN_POLL_SECONDS = 0.2
"""First interval between two look-ups of an artifact."""
MAX_POLL_SECONDS = 5.0
"""Longest interval between two look-ups of an artifact."""
CHECK_SECONDS = 0.1
"""Interval at which a waiting worker checks for a signal."""
FIRST_MESSAGE_SECONDS = 2.0
"""Time after which a waiting worker first reports what it waits for."""
MESSAGE_SECONDS = 60.0
"""Interval at which it reports this again."""


@dataclass
class Worker:
    """The run of a worker other than worker 0, with the configuration and the root of worker 0.

    It waits until worker 0 has sealed the artifacts that the steps with a cluster read, and runs these steps. Their
    output is discarded: worker 0 seals its own. It writes nothing below the root, and has no run record.
    """

    config: JobConfig
    listener: WorkerListener
    signals: Signals
    cluster: Cluster
    use_cache: bool = True
    strict: bool = False
    until: str | None = None
    only: str | None = None
    from_run: RunRecord | None = None
    _warned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.selection = StepSelection.of(
            self.config.pipeline, until=self.until, only=self.only, from_run=self.from_run
        )
        self.components = self.selection.components
        names = self.selection.names
        distributed = [name for name in names if name in self.components and self.components[name].cluster()]
        self.last = distributed[-1] if distributed else None
        self.names = names[: names.index(self.last) + 1] if self.last is not None else ()
        self.root = self.config.open_root()
        self.store = open_store(self.root)
        runs = Runs(self.root)
        self.chief = ChiefRun(runs, self.cluster)
        self.resolver = ArtifactResolver(self.store, runs)
        self.finder = StepFinder(self.store, self.resolver)

    def run(self) -> None:
        """Take part in all steps with a cluster, up to the last one.

        Raises:
            JobError: if a step fails on this worker.
        """
        with self.signals.interruptible_at_once():
            for name in self.names:
                if name in self.components:
                    self.components[name].preflight()
                    self.resolver.check(name, self.components[name])
        self.listener.begin_worker(self.cluster, self.store.address(self.root))
        try:
            flow(self._step, self.config.pipeline, self.names)
        finally:
            self.store.release()
        self.listener.end_worker(self.cluster, self.last)

    def _step(self, slot: str, /, **inputs: SealedArtifact) -> SealedArtifact:
        if (earlier := self.selection.taken.get(slot)) is not None:
            return find_taken(self.store, earlier, self.selection.from_run)
        self.listener.begin_step(slot)
        component = self.components[slot]
        with self.signals.interruptible():  # a source may read much data
            key, references = self.finder.key(slot, component, inputs)
        cluster = component.cluster()
        if cluster is None or (self.use_cache and self._find(slot, key) is not None):
            return self._wait(slot, key)
        found = {name: reference.sealed for name, reference in references.found.items()}
        self._take_part(slot, key, inputs | found, cluster)
        return self._wait(slot, key, took_part=True)

    def _take_part(
        self, slot: str, key: FingerprintInputs, inputs: dict[str, SealedArtifact], cluster: Cluster
    ) -> None:
        with tempfile.TemporaryDirectory(prefix="mnist-job-worker-") as folder, disk_space_guard(Path(folder)):
            context = Context(
                output=Path(folder),
                progress=self.listener,
                termination=self.signals,
                cluster=cluster,
                fingerprint=key.fingerprint,
                stopwatch=Stopwatch(on_part=self.listener.begin_part),
            )
            run_component(self.components[slot], context, inputs, self.signals)

    def _wait(self, slot: str, key: FingerprintInputs, *, took_part: bool = False) -> SealedArtifact:
        """Return the artifact once worker 0 has sealed it.

        A worker that took part in the step must not end earlier, because worker 0 may need it again.
        """
        self.chief.read()
        run_id = None if self.chief.record is None else self.chief.record.run_id
        report_at, pause = time.monotonic() + FIRST_MESSAGE_SECONDS, MIN_POLL_SECONDS
        while True:
            self.chief.read()  # before the look-up, which then finds all that a finished run has sealed
            if (sealed := self._find(slot, key)) is not None:
                return sealed
            self.chief.check(slot, key.fingerprint)
            if took_part:
                self.chief.check_alive(slot, run_id)
            if time.monotonic() >= report_at:
                self._report(slot, took_part=took_part)
                report_at = time.monotonic() + MESSAGE_SECONDS
            end = time.monotonic() + pause
            while time.monotonic() < end:
                self.signals.check()
                time.sleep(CHECK_SECONDS)
            pause = min(pause * 1.5, MAX_POLL_SECONDS)

    def _report(self, slot: str, *, took_part: bool) -> None:
        state = f"the {slot} is complete on this worker; " if took_part else ""
        where = f"{self.store.address(self.root)}, the root that all workers must share"
        record = self.chief.record
        run = "" if record is None else f"; its run is {record.run_id}"
        end = f", but {self.chief.describe_end()}" if self.chief.has_ended else ""
        self.listener.message(f"{state}waiting until worker 0 seals the {slot} in {where}{run}{end}")

    def _find(self, slot: str, key: FingerprintInputs) -> SealedArtifact | None:
        """Return the sealed artifact; None if there is none, or if it is damaged: worker 0 produces it again."""
        try:
            with self.signals.interruptible_at_once():
                return self.store.find(slot, key.fingerprint)
        except SchemaVersionError:
            raise
        except IntegrityError as error:
            if self.strict:
                raise
            if error.headline not in self._warned:
                self._warned.add(error.headline)
                self.listener.warning(error.headline)
            return None
