"""The plan of a run: for each step, whether it is reused or runs, why, how long it takes, and what is published.

A plan uses the look-up of a run, and writes nothing. The content of an artifact that is still to be produced is not
known. Whether a later step runs then depends on it, unless no sealed artifact fits the known inputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from components.base.component import PlannedPublication
from components.base.importing import import_string
from job.config.config import JobConfig
from job.pipeline.pipeline import flow
from job.runner.cluster import planned_workers
from job.runner.estimate import Estimate, Estimator, add_estimates
from job.runner.look_up import NO_CACHE, StepFinder, find_taken, why_it_runs
from job.runner.selection import StepSelection, check_destination
from job.runner.step import can_publish
from job.store.artifact_resolver import UNREADABLE, ArtifactResolver, Resolution
from job.store.fingerprint import FingerprintInputs, closest, fingerprint_inputs
from job.store.opened import open_store
from job.store.records import ReferenceRecord, RunRecord
from job.store.runs import Runs
from job.store.sealed import SealedArtifact

Action = Literal["reused", "runs", "may run"]


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """What a run would do for one step."""

    component: str
    """The slot or custom step."""
    implementation: str
    """Import string of the component's class."""
    action: Action
    """`may run` if it depends on the content of artifacts that are still to be produced."""
    reason: str
    """As in `run.json`; for a step with unknown inputs, the differences that are certain."""
    depends_on: tuple[str, ...] = ()
    """For a step that may run, the steps on whose content that depends."""
    fingerprint: str | None = None
    """None if it is not known yet."""
    digest: str | None = None
    """The content digest of the artifact that is reused."""
    path: str | None = None
    """The folder of that artifact."""
    run_id: str | None = None
    """The oldest run that used that artifact; None also if that run was deleted."""
    references: Mapping[str, ReferenceRecord] = field(default_factory=dict)
    """The artifact of each optional input that is configured and known."""
    resumes: bool = False
    """Whether the step would continue from a checkpoint."""
    publishes: str = ""
    """What would be published, and where; empty if nothing."""
    withheld: str = ""
    """Why nothing is published, as in `run.json`; empty if the step publishes, or never does."""
    estimate: Estimate | None = None
    """None if the step is reused, or if no earlier run of the component is recorded."""
    workers: tuple[str, ...] | None = None
    """Addresses of the workers that run the step together; empty if the environment of the plan does not name them,
    None if one process runs it."""


@dataclass(frozen=True)
class Plan:
    """What a run would do."""

    steps: tuple[PlannedStep, ...]

    @property
    def does_nothing(self) -> bool:
        """Whether every step is certain to be reused, and nothing is published."""
        return all(step.action == "reused" and not step.publishes for step in self.steps)

    def estimate(self, *actions: Action) -> Estimate | None:
        """Return the sum over the steps with these actions that have an estimate; None if there is none."""
        return add_estimates([step.estimate for step in self.steps if step.action in actions and step.estimate])

    @property
    def not_estimated(self) -> tuple[str, ...]:
        """The steps that run or may run, whose component has never run here."""
        return tuple(step.component for step in self.steps if step.action != "reused" and step.estimate is None)


@dataclass(frozen=True)
class PlannedOutput:
    """The output of a planned step."""

    slot: str
    sealed: SealedArtifact | None
    """None if it is not known yet."""


class Planner:
    """Plans one run of a configured pipeline; its arguments are those of the Runner."""

    def __init__(
        self,
        config: JobConfig,
        *,
        use_cache: bool = True,
        strict: bool = False,
        until: str | None = None,
        only: str | None = None,
        from_run: RunRecord | None = None,
    ) -> None:
        self.pipeline = config.pipeline
        self.components = config.pipeline.components()
        self.selection = StepSelection.of(config.pipeline, until=until, only=only, from_run=from_run)
        self.store, self.runs = open_store(root := config.open_root()), Runs(root)
        self.resolver = ArtifactResolver(self.store, self.runs)
        self.finder = StepFinder(self.store, self.resolver, use_cache, strict)
        self.estimator = Estimator(self.store, self.runs, tuple(self.components))
        self._steps: list[PlannedStep] = []

    def plan(self) -> Plan:
        """Return what a run would do now.

        Raises:
            JobError: if the run would fail because of its configuration, its data, or an artifact that it reads.
        """
        for slot, component in self.selection.components.items():
            check_destination(slot, component, self.store, self.runs)
        for slot, component in self.selection.components.items():  # in this order, as the Runner
            self.resolver.check(slot, component)
        flow(self._step, self.pipeline, self.selection.names)
        return Plan(tuple(self._steps))

    def _step(self, slot: str, /, **inputs: PlannedOutput) -> PlannedOutput:
        known = {name: output.sealed for name, output in inputs.items() if output.sealed is not None}
        unknown = {name: output.slot for name, output in inputs.items() if output.sealed is None}
        if (earlier := self.selection.taken.get(slot)) is not None:
            sealed = find_taken(self.store, earlier, self.selection.from_run)
            self._add_reused(slot, sealed, f"from run {self.selection.from_run}")
            return PlannedOutput(slot, sealed)
        if not unknown:
            key, resolution = self.finder.key(slot, self.components[slot], known)
            unknown = self._restored(slot, resolution)
            if not unknown:
                return PlannedOutput(slot, self._add_known(slot, key, resolution, known))
        self._add_unknown(slot, known, unknown)
        return PlannedOutput(slot, None)

    def _restored(self, slot: str, resolution: Resolution) -> dict[str, str]:
        """Return the optional inputs that may be another artifact in the run, each with the step on which that depends.

        `latest-blessed` skips a damaged or deleted artifact, which an earlier step of the run may produce again.
        """
        types = type(self.components[slot]).signature().optional
        return {
            name: step.component
            for name, reasons in resolution.skipped.items()
            for step in self._steps
            if UNREADABLE in reasons
            and step.action != "reused"
            and type(self.components[step.component]).signature().output is types[name]
        }

    def _add_known(
        self, slot: str, key: FingerprintInputs, resolution: Resolution, inputs: Mapping[str, SealedArtifact]
    ) -> SealedArtifact | None:
        """Plan a step whose inputs are all known; return its artifact if it is reused."""
        found = self.finder.find(slot, key)
        references = {name: reference.record() for name, reference in resolution.found.items()}
        if found.sealed is not None:
            self._add_reused(slot, found.sealed, found.reason, references)
            return found.sealed
        resumes = self.store.has_checkpoints(slot, key.fingerprint)
        self._add(slot, "runs", found.reason, key, inputs, references, fingerprint=key.fingerprint, resumes=resumes)
        return None

    def _add_unknown(self, slot: str, inputs: Mapping[str, SealedArtifact], unknown: Mapping[str, str]) -> None:
        """Plan a step with unknown inputs, so that the result of `latest-blessed` is also unknown."""
        component, named = self.components[slot], self.resolver.named(slot)
        known = {**inputs, **{name: reference.sealed for name, reference in named.items()}}
        key = fingerprint_inputs(component, {name: sealed.manifest.digest for name, sealed in known.items()})
        undecided = {*unknown, *component.references()} - named.keys()
        artifacts = (sealed.manifest.fingerprint_inputs for sealed in self.store.newest_first(slot))
        other = closest((other.without_inputs(undecided) for other in artifacts), key)
        steps = tuple(dict.fromkeys(unknown.values()))
        references = {name: reference.record() for name, reference in named.items()}
        if not self.finder.use_cache:
            self._add(slot, "runs", NO_CACHE, key, inputs, references)
        elif other is None or key.differences(other):
            self._add(slot, "runs", why_it_runs(key, other), key, inputs, references)
        else:
            reason = f"depends on the content of {' and '.join(steps)}"
            self._add(slot, "may run", reason, key, inputs, references, depends_on=steps)

    def _add_reused(
        self, slot: str, sealed: SealedArtifact, reason: str, references: Mapping[str, ReferenceRecord] | None = None
    ) -> None:
        component, manifest = self.components[slot], sealed.manifest
        publication = PlannedPublication()
        if slot not in self.selection.taken and can_publish(component):
            publication = component.planned_publication(sealed.stored(), {})
        self._steps.append(
            PlannedStep(
                component=slot,
                implementation=import_string(type(component)),
                action="reused",
                reason=reason,
                fingerprint=manifest.fingerprint,
                digest=manifest.digest,
                path=self.store.address(sealed.directory),
                run_id=self.estimator.first_run(slot, manifest.fingerprint),
                references=references or {},
                publishes=publication.what,
                withheld=publication.withheld,
            )
        )

    def _add(
        self,
        slot: str,
        action: Action,
        reason: str,
        key: FingerprintInputs,
        inputs: Mapping[str, SealedArtifact],
        references: Mapping[str, ReferenceRecord],
        **fields: Any,
    ) -> None:
        component = self.components[slot]
        artifacts = {name: sealed.manifest.artifact for name, sealed in inputs.items()}
        publication = PlannedPublication()
        if can_publish(component):
            types = type(component).signature().inputs
            known = {name: sealed.stored(types[name]) for name, sealed in inputs.items()}
            publication = component.planned_publication(None, known)
        self._steps.append(
            PlannedStep(
                component=slot,
                implementation=import_string(type(component)),
                action=action,
                reason=reason,
                references=references,
                publishes=publication.what,
                withheld=publication.withheld,
                estimate=self.estimator.estimate(slot, component, key, artifacts),
                workers=planned_workers(component),
                **fields,
            )
        )
