"""The steps of a run: all of a pipeline, those up to one of them, or a single one on artifacts of an earlier run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components import Component
from components.base.errors import ConfigError
from job.pipeline.pipeline import Pipeline
from job.pipeline.steps import output_name
from job.store.records import RunRecord, StepRecord
from job.store.root import root_at
from job.store.runs import Runs
from job.store.store import Store


@dataclass(frozen=True)
class StepSelection:
    """The steps of a run or a plan."""

    components: Mapping[str, Component[Any]]
    """The components that are configured and checked, by slot or custom step."""
    names: tuple[str, ...]
    """The steps, in order."""
    taken: Mapping[str, StepRecord] = field(default_factory=dict)
    """The steps whose artifacts are reused from an earlier run."""
    from_run: str = ""
    """The id of that run."""

    @classmethod
    def of(
        cls, pipeline: Pipeline, *, until: str | None, only: str | None, from_run: RunRecord | None
    ) -> "StepSelection":
        """Return the steps up to `until`, or `only` and the steps of `from_run` before it; by default all.

        Raises:
            ConfigError: if the pipeline has no such step, or the earlier run does not have the inputs of `only`.
        """
        components = pipeline.components()
        if only is not None and from_run is not None:
            return cls._only(pipeline, only, from_run)
        if until is None:
            return cls(components, tuple(components))
        if until not in components:
            problem = f"the configuration has no {until}, the last step to run"
            remedy = f"name one of these, or add a section `{until}`"
            raise ConfigError(problem, expected=", ".join(components), remedy=remedy)
        return cls(components, (*_before(components, until), until))

    @classmethod
    def _only(cls, pipeline: Pipeline, only: str, run: RunRecord) -> "StepSelection":
        components = pipeline.components()
        if only not in components:
            problem = f"the configuration has no {only}, the only step to run"
            remedy = f"add a section `{only}`, in a file or with --set, or name another step"
            raise ConfigError(problem, expected=", ".join(components), remedy=remedy)
        finished = {step.component: step for step in run.steps}
        taken = {name: finished[name] for name in _before(components, only) if name in finished}
        outputs = {output_name(name, pipeline.steps) for name in taken}
        if missing := [name for name in type(components[only]).signature().inputs if name not in outputs]:
            raise ConfigError(
                f"run {run.run_id} has no {missing[0]}, which the {only} reads",
                expected=f"a run that finished the steps before the {only}",
                remedy="name another run with --from, or finish this one: run its configuration again",
            )
        return cls({only: components[only]}, (*taken, only), taken, run.run_id)


def check_destination(slot: str, component: Component[Any], store: Store, runs: Runs) -> None:
    """Raise ConfigError if a component would publish into the folders of the job."""
    destination = component.publish_destination()
    for folder, content in ((store.artifacts, "artifacts"), (runs.directory, "runs")):
        if isinstance(destination, str):
            inside = f"{destination}/".startswith(f"{root_at(store.root).address(folder)}/")
        else:
            inside = destination is not None and destination.resolve().is_relative_to(folder.resolve())
        if inside:
            problem = f"the {slot} would publish to {destination}, the folder of the job's {content}"
            remedy = f"name another one, such as {root_at(store.root).address(store.root / 'serving')}"
            raise ConfigError(problem, expected="a separate folder", remedy=remedy)


def _before(components: Mapping[str, Component[Any]], name: str) -> tuple[str, ...]:
    names = list(components)
    return tuple(names[: names.index(name)])
