"""The base class of components, their configuration, and the Context that `run` receives."""

import inspect
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from components.artifacts import Artifact, Epoch, Stored
from components.base.cluster import Cluster
from components.base.engine import Engine, InProcess
from components.base.progress import NoProgress, Progress
from components.base.termination import NoTermination, Termination
from components.base.timing import Stopwatch

CONTENT = "content"
"""Context of a dump in which files count by their content."""
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]  # the limit of scikit-learn and of NumPy's older generators


def _do_nothing() -> None: ...


class ComponentConfig(BaseModel):
    """Base of every component's configuration: frozen, and unknown keys are errors.

    Declare numbers and booleans with `Field(strict=True)`; otherwise pydantic converts `yes` to 1.

    >>> class MyConfig(ComponentConfig):
    ...     epochs: Annotated[int, Field(strict=True, ge=1)] = 10
    >>> MyConfig(epochs=3)
    MyConfig(epochs=3)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def content(self, *, exclude: Set[str] = frozenset()) -> dict[str, Any]:
        """Return the values as JSON values; of a file that is an option of a function (`Extension`), its content."""
        return self.model_dump(mode="json", exclude={*exclude}, context=CONTENT)


@dataclass(frozen=True)
class Context:
    """What `run` receives beside its inputs: where to write, how to report progress, when to stop.

    Only `output` is required; the defaults are for tests and for use without the job.

    >>> context = Context(output=Path("output"))
    >>> with context.timed("training"):
    ...     context.observe("latency_ms", 1.5)
    >>> list(context.stopwatch.parts()), context.observations
    (['training'], {'latency_ms': 1.5})
    """

    output: Path
    """An empty directory. All files written here become part of the artifact."""
    progress: Progress = field(default_factory=NoProgress)
    """Receives messages, warnings and training metrics."""
    termination: Termination = field(default_factory=NoTermination)
    """Whether the job must stop. Call `termination.check()` between units of work."""
    engine: Engine = field(default_factory=InProcess)
    """Runs independent tasks, such as one per file of a split."""
    cluster: Cluster | None = None
    """The workers that run this step together (see `Component.cluster`), or None. Only worker 0 has checkpoints, and
    only its output is kept."""
    checkpoints: Path | None = None
    """A directory for checkpoints, or None. It outlives an interrupted attempt and is deleted when the artifact is
    sealed."""
    checkpoint_saved: Callable[[], None] = _do_nothing
    """Call it after each change of `checkpoints`, when another attempt can continue from its files. If the root is in
    object storage, they are uploaded in the background: replace files by renaming, and never modify one in place."""
    fingerprint: str = ""
    """Identifies everything that decides the result. Ignore checkpoints that have another fingerprint."""
    should_pause: Callable[[Sequence[Epoch]], bool] | None = None
    """Called after each epoch with the history of the training. If it returns True, training saves a checkpoint and
    raises `Paused`; the next attempt continues from the checkpoint."""
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    """Measures the step; use `timed` to add to it."""
    observations: dict[str, float] = field(default_factory=dict)
    """Values that `observe` recorded."""

    def timed(self, part: str) -> AbstractContextManager[None]:
        """Return a context manager that adds the time of its block to a part of the step, such as `training`."""
        return self.stopwatch.timed(part)

    def observe(self, name: str, value: float) -> None:
        """Record a measurement that differs between runs; its name ends with the unit, such as `latency_ms`.

        The run's record contains it, the artifact does not, because an artifact's bytes must be reproducible.
        """
        self.observations[name] = value


@dataclass(frozen=True)
class Signature:
    """The artifact types that a component reads and returns, as the annotations of its `run` declare them."""

    inputs: dict[str, type[Artifact]]
    output: type[Artifact]
    optional: dict[str, type[Artifact]] = field(default_factory=dict)
    """Inputs that may be missing, such as a baseline (see `Component.references`)."""

    def is_compatible_with(self, slot: Self) -> bool:
        """Return whether a component with this signature can fill a slot with the other one."""
        same_inputs = self.inputs == slot.inputs and self.optional.items() <= slot.optional.items()
        return same_inputs and self.output == slot.output

    def __str__(self) -> str:
        inputs = [f"{name}: Stored[{kind.__name__}]" for name, kind in self.inputs.items()]
        inputs += [f"{name}: Stored[{kind.__name__}] | None = None" for name, kind in self.optional.items()]
        return f"({', '.join(inputs)}) -> {self.output.__name__}"


@dataclass(frozen=True)
class PlannedPublication:
    """What a component would publish."""

    what: str = ""
    """What and where, and on what that depends, if it is not known yet; empty if nothing."""
    withheld: str = ""
    """Why the result is not to be published; empty if it is, or if the component never publishes."""


@dataclass(frozen=True)
class EarlierRun:
    """An earlier run of a component."""

    identity: Mapping[str, Any]
    """The component's `identity`."""
    inputs: Mapping[str, Artifact]
    """Those that still exist."""
    output: Artifact


ConfigT = TypeVar("ConfigT", bound=ComponentConfig)


class Component(ABC, Generic[ConfigT]):
    """One step of the pipeline: a configuration, and a `run` that reads artifacts and returns one.

    The annotations of `run` declare the inputs (keyword-only, `Stored[...]`, or `Stored[...] | None = None` for an
    optional one) and the output. `run` reads only its inputs and writes only below `context.output`. The same
    configuration and inputs must give the same bytes, because the job reuses earlier results.

    >>> from components.artifacts import Evaluation, Figure, Figures
    >>> class ErrorRateConfig(ComponentConfig):
    ...     digits: int = 2
    >>> class ErrorRate(Component[ErrorRateConfig]):
    ...     Config = ErrorRateConfig
    ...     def run(self, context: Context, /, *, evaluation: Stored[Evaluation]) -> Figures:
    ...         rate = f"{1 - evaluation.artifact.metrics.accuracy:.{self.config.digits}%}"
    ...         (context.output / "rate.txt").write_text(rate)
    ...         return Figures(figures=(Figure(name="rate", file="rate.txt", title="Error rate", alt=rate),))
    >>> print(ErrorRate.signature())
    (evaluation: Stored[Evaluation]) -> Figures
    >>> ErrorRate(ErrorRateConfig(digits=1)).identity()
    {'digits': 1}
    """

    Config: ClassVar[type[ComponentConfig]]
    version: ClassVar[str] = "1"
    """Increase it when the result changes for a reason that the source code does not show."""
    libraries: tuple[str, ...] = ()
    """Distributions whose version affects the result: another version gives a new artifact. Set it on the instance
    if it depends on the configuration."""

    def __init__(self, config: ConfigT | None = None) -> None:
        self.config: ConfigT = typing.cast("ConfigT", self.Config()) if config is None else config

    @abstractmethod
    def run(self, context: Context, /, *args: Any, **kwargs: Any) -> Artifact:
        """Read the inputs, write files below `context.output`, and return the artifact that describes them.

        Raise a JobError if the inputs or the machine do not allow the work.
        """

    def publish(self, sealed: Stored[Any], progress: Progress) -> str:  # noqa: ARG002
        """Copy the sealed artifact to where it is used, outside the job's root. By default, do nothing.

        The job calls it in every run, also if it reuses the artifact: do not change what is already published. Return
        what was published and where, such as `version 3: serving/mnist/3`, or an empty string; raise a JobError if
        publishing fails.
        """
        return ""

    def planned_publication(
        self,
        sealed: Stored[Any] | None,  # noqa: ARG002
        inputs: Mapping[str, Stored[Any]],  # noqa: ARG002
    ) -> PlannedPublication:
        """Return what `publish` would publish, by default nothing. Publishes nothing.

        `sealed` is None if the artifact is still to be produced, from `inputs`, as far as they are known.
        """
        return PlannedPublication()

    def publish_destination(self) -> Path | str | None:
        """Return the folder or the URL that `publish` writes to, or None. It must be outside the job's own folders."""
        return None

    def cluster(self) -> Cluster | None:
        """Return the workers that run this component together; None, the default, if one process runs it.

        Each worker is a process that runs the same command with the same root. Worker 0 runs all steps. The others run
        only this one, on the artifacts that worker 0 has sealed, and their output is discarded.

        Raises:
            ConfigError: if the configuration requires a cluster, and the environment has no valid one.
        """
        return None

    def preflight(self) -> None:
        """Check, before any step runs, for problems that would make `run` fail; raise a JobError for them."""

    def identity(self) -> dict[str, Any]:
        """Return the configuration values that affect the result, as JSON values. By default, all of them.

        A component that reads data itself includes a digest of them. After `run`, the job calls `identity` again.
        If it differs, the data changed while they were read, and nothing is sealed.
        """
        return self.config.content()

    def references(self) -> dict[str, str]:
        """Return the configured name of each optional input: `latest-blessed`, a run or a path.

        The name is not part of `identity`; the artifact that it resolves to counts as an input.
        """
        return {}

    def mismatch(self, name: str, candidate: Artifact, inputs: Mapping[str, Artifact]) -> str:  # noqa: ARG002
        """Return why `latest-blessed` skips an artifact for an optional input, such as `on other test images`.

        By default, and if it fits the inputs, return an empty string.
        """
        return ""

    def relative_work(self, inputs: Mapping[str, Artifact], earlier: "EarlierRun") -> float | None:  # noqa: ARG002
        """Return the expected duration of the part `training` divided by that of an earlier run, for `plan`.

        `inputs` are those that are known. None, the default, means that the ratio is unknown.
        """
        return None

    @classmethod
    def signature(cls) -> Signature:
        """Return the artifact types that the annotations of `run` declare; TypeError if one is not an artifact."""
        hints = typing.get_type_hints(cls.run)
        inputs: dict[str, type[Artifact]] = {}
        optional: dict[str, type[Artifact]] = {}
        for name, parameter in inspect.signature(cls.run).parameters.items():
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                continue
            hint, target = hints.get(name), inputs
            if parameter.default is None and type(None) in typing.get_args(hint):
                hint, target = typing.get_args(hint)[0], optional
            if typing.get_origin(hint) is not Stored:
                raise TypeError(f"{cls.__qualname__}.run: {name} is not annotated as Stored[an artifact]")
            target[name] = typing.get_args(hint)[0]
        output = hints.get("return")
        if not (isinstance(output, type) and issubclass(output, Artifact)):
            raise TypeError(f"{cls.__qualname__}.run: the return annotation is not an artifact")
        return Signature(inputs=inputs, output=output, optional=optional)
