"""The Component base: a config, a `run` from typed artifacts to one, and for a few, what is then done with that."""

from __future__ import annotations

import inspect
import typing
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from components.artifacts import Artifact, Stored
from components.base.progress import NoProgress, Progress
from components.base.termination import NoTermination, Termination
from components.base.timing import Stopwatch

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path


SEED_LIMIT = 2**32
"""scikit-learn and NumPy's older generators take seeds below it."""
Seed = Annotated[int, Field(strict=True, ge=0, lt=SEED_LIMIT)]


class ComponentConfig(BaseModel):
    """Base of every component's configuration: frozen, and no key that it does not know.

    Numbers and truth values should be `Field(strict=True)`: left to itself, pydantic takes `yes` for 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Context:
    """What a component gets beside its inputs: places to write to, someone to tell, someone to heed."""

    output: Path
    """An empty directory; all that is written here becomes part of the artifact."""
    progress: Progress = field(default_factory=NoProgress)
    """Told how the work goes on; tells a person."""
    termination: Termination = field(default_factory=NoTermination)
    """Says whether the job was asked to end; to be looked at between units of work."""
    checkpoints: Path | None = None
    """A directory for what lets an attempt that was ended go on; it outlives the attempt, and goes
    when the artifact is sealed. None where nothing can be kept."""
    fingerprint: str = ""
    """Names all that decides the result. What was kept for another one must not be gone on with."""
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    """Measures the step; `timed` is the way to it."""
    observations: dict[str, float] = field(default_factory=dict)
    """What `observe` took down."""

    def timed(self, part: str) -> AbstractContextManager[None]:
        """Return a block whose time is told as that part of the step, such as `imports` or `training`."""
        return self.stopwatch.timed(part)

    def observe(self, name: str, value: float) -> None:
        """Take down what is worth knowing of this run and would be another number the next time, such as a latency.

        It goes into the record of the run, not into the artifact, whose bytes must not depend on it. The name
        ends with the unit, such as `latency_ms`.
        """
        self.observations[name] = value


@dataclass(frozen=True)
class Signature:
    """The types that a component reads and makes, as its `run` declares them."""

    inputs: dict[str, type[Artifact]]
    output: type[Artifact]
    optional: dict[str, type[Artifact]] = field(default_factory=dict)
    """Inputs that need not be there, which a configuration refers to (see `Component.references`)."""

    def fits(self, slot: Signature) -> bool:
        """Return whether a component of this signature can take the place of one of the slot's."""
        takes_what_it_gets = self.inputs == slot.inputs and self.optional.items() <= slot.optional.items()
        return takes_what_it_gets and self.output == slot.output

    def __str__(self) -> str:
        inputs = [f"{name}: Stored[{kind.__name__}]" for name, kind in self.inputs.items()]
        inputs += [f"{name}: Stored[{kind.__name__}] | None = None" for name, kind in self.optional.items()]
        return f"({', '.join(inputs)}) -> {self.output.__name__}"


ConfigT = TypeVar("ConfigT", bound=ComponentConfig)


class Component(ABC, Generic[ConfigT]):
    """One step of the pipeline.

    A subclass names its configuration and says in `run`'s annotations which artifacts it
    reads (keyword-only arguments of type `Stored[...]`, or `Stored[...] | None = None` for one that
    need not be there) and which one it makes:

        class MyTransform(Component[MyTransformConfig]):
            Config = MyTransformConfig

            def run(self, context: Context, /, *, examples: Stored[Examples]) -> TransformedExamples:
                ...

    `run` reads only its inputs and writes only below `context.output`. The same config and
    inputs must give the same bytes: the job reuses what it has made before. Between units of
    work it calls `context.termination.check()`.
    """

    Config: ClassVar[type[ComponentConfig]]
    version: ClassVar[str] = "1"
    """Raise it when the result changes for a reason that the source code does not show."""
    libraries: tuple[str, ...] = ()
    """Distributions whose version decides the result; a new version means a new artifact. Those that only some
    configurations need are added when the component is made."""

    def __init__(self, config: ConfigT | None = None) -> None:
        self.config: ConfigT = typing.cast("ConfigT", self.Config()) if config is None else config

    @abstractmethod
    def run(self, context: Context, /, *args: Any, **kwargs: Any) -> Artifact:
        """Read the inputs, write files below `context.output`, and return what they are.

        Raises:
            JobError: in one of its kinds, where the inputs or the machine do not allow the work.
        """

    def publish(self, made: Stored[Any], progress: Progress) -> str:  # noqa: ARG002
        """Bring what `run` made to where it is used outside of the job's root; by default nothing is to be done.

        Called in every run, also in one that reuses what was made before: what is there already must be left as it is.

        Args:
            made: what `run` returned, sealed; only to be read.
            progress: told how it goes.

        Returns:
            What it is there and where, in a few words such as `version 3: serving/mnist/3`; empty if it is nothing.

        Raises:
            JobError: in one of its kinds, where it cannot be done.
        """
        return ""

    def publish_destination(self) -> Path | None:
        """Return the folder that `deliver` writes to, which must be none of the job's own; None if there is none."""
        return None

    def preflight(self) -> None:
        """Raise now what would make `run` fail for certain; called before any step runs."""

    def identity(self) -> dict[str, Any]:
        """Return what of the config decides the result, as JSON values; by default all of it."""
        return self.config.model_dump(mode="json")

    def references(self) -> dict[str, str]:
        """Return what the configuration calls each optional input that it wants: `latest-blessed`, a run or a path.

        The name is no part of `identity`: what is found by it counts as an input like the others.
        """
        return {}

    @classmethod
    def signature(cls) -> Signature:
        """Return the artifact types that `run` declares.

        Raises:
            TypeError: if an annotation is missing or is not an artifact's.
        """
        hints = typing.get_type_hints(cls.run)
        inputs: dict[str, type[Artifact]] = {}
        optional: dict[str, type[Artifact]] = {}
        for name, parameter in inspect.signature(cls.run).parameters.items():
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                continue
            hint, into = hints.get(name), inputs
            if parameter.default is None and type(None) in typing.get_args(hint):
                hint, into = typing.get_args(hint)[0], optional
            if typing.get_origin(hint) is not Stored:
                raise TypeError(f"{cls.__qualname__}.run: {name} is not annotated as Stored[an artifact]")
            into[name] = typing.get_args(hint)[0]
        output = hints.get("return")
        if not (isinstance(output, type) and issubclass(output, Artifact)):
            raise TypeError(f"{cls.__qualname__}.run: its return annotation is not an artifact")
        return Signature(inputs=inputs, output=output, optional=optional)
