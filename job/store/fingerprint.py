"""The fingerprint: a digest of everything that decides the result of a step. It names the artifact's directory."""

from collections.abc import Container, Iterable, Mapping
from typing import Any, Self

from pydantic import BaseModel, Field

from components.artifacts import Sha256, Statement
from components.base.component import Component
from components.base.extension import find_targets
from components.base.hashing import value_sha256
from components.base.importing import import_string
from components.runtime.libraries import installed_versions, library_version
from job.store.differences import changes
from job.store.source_code import imported_packages, source_files

SOURCE_CHANGED = "its source code changed"


class Producer(Statement):
    """The component that produces an artifact."""

    component: str
    """Import string of the class, such as `components.trainer.component:Trainer`."""
    version: str
    source_sha256: Sha256
    """Digest of the source code of the component, and of the functions and classes that its configuration names
    (`job.store.source_code`)."""
    config: dict[str, Any]
    """The part of the configuration that decides the result."""


class FingerprintInputs(Statement):
    """Everything that decides the result of a step: the cache key."""

    producer: Producer
    inputs: dict[str, Sha256]
    """Content digest of each input artifact."""
    libraries: dict[str, str]
    """Versions of the libraries that decide the result."""
    source_files: dict[str, str] = Field(default={}, exclude=True, repr=False)
    """SHA-256 of each file that `producer.source_sha256` covers; a manifest does not contain it."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of these values in canonical JSON."""
        return value_sha256(self.model_dump(mode="json"))

    def without_inputs(self, names: Container[str]) -> Self:
        """Return these values without the inputs with some names."""
        kept = {name: digest for name, digest in self.inputs.items() if name not in names}
        return self.model_copy(update={"inputs": kept})

    def differences(self, other: Self) -> list[str]:
        """Return the differences from another key in a few words each, the most important first."""
        old, new = other.producer, self.producer
        if new.component != old.component:
            return [f"another component, {new.component}"]  # with its own configuration and libraries
        same_version = new.version == old.version
        return [
            *([] if same_version else [f"version {old.version} → {new.version}"]),
            *(f"config {change}" for change in changes(old.config, new.config)),
            *(f"new {name}" for name in self.inputs if self.inputs[name] != other.inputs.get(name)),
            *(f"no {name}" for name in other.inputs if name not in self.inputs),
            *(f"library {change}" for change in changes(other.libraries, self.libraries)),
            # Another version implies other source code.
            *([SOURCE_CHANGED] if same_version and new.source_sha256 != old.source_sha256 else []),
        ]


def fingerprint_inputs(component: Component[Any], inputs: Mapping[str, str]) -> FingerprintInputs:
    """Return the fingerprint inputs of a component for input artifacts with the given content digests."""
    cls, targets = type(component), [*find_targets(component.config)]
    # A component declares its libraries; custom functions and sources cannot.
    functions = [target for target in targets if not (isinstance(target, type) and issubclass(target, BaseModel))]
    files = source_files(cls, *targets)
    return FingerprintInputs(
        producer=Producer(
            component=import_string(cls),
            version=cls.version,
            source_sha256=value_sha256(files),
            config=component.identity(),
        ),
        inputs=dict(inputs),
        libraries={
            **{name: library_version(name) for name in component.libraries},
            **installed_versions(imported_packages(*functions)),
        },
        source_files=files,
    )


def closest(others: Iterable[FingerprintInputs], key: FingerprintInputs) -> FingerprintInputs | None:
    """Return the inputs with the fewest differences from `key`, of the same class if possible; the first of several."""
    # Another class counts as one difference, although its configuration has nothing in common with this one.
    return min(
        others,
        key=lambda other: (other.producer.component != key.producer.component, len(key.differences(other))),
        default=None,
    )
