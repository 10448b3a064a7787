"""Run a component on sealed artifacts."""

from collections.abc import Mapping
from typing import Any

from components import Artifact, Component, Context
from components.base.errors import JobError
from components.base.importing import import_string
from job.signals import Signals
from job.store.sealed import SealedArtifact


def run_component(
    component: Component[Any], context: Context, inputs: Mapping[str, SealedArtifact], signals: Signals
) -> Artifact:
    """Run a component, and return its artifact.

    Raises:
        JobError: if the component fails, or returns another type than its `run` declares.
    """
    signature = type(component).signature()
    types = signature.inputs | signature.optional
    with signals.interruptible():
        artifact = component.run(context, **{name: inputs[name].stored(types[name]) for name in inputs})
    if not isinstance(artifact, signature.output):
        problem = f"{import_string(type(component))} returned {type(artifact).__name__}"
        expected = f"{signature.output.__name__}, as in its annotation"
        raise JobError(problem, expected=expected, remedy="correct the component")
    return artifact
