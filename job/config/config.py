"""The job's configuration: one frozen model, loaded from YAML files and overrides."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from components.base.component import Seed
from components.base.errors import ConfigError
from components.base.extension import USE
from components.base.importing import import_string
from components.base.memory import DEFAULT_MEMORY_BUDGET, MemoryBudget
from components.base.text import has_secret
from components.object_storage import Location, ObjectUrl, UserLocation, is_object_url, require_location
from components.object_storage.settings import configure_storage
from job.config.core_schema import as_written
from job.config.engine import EngineConfig
from job.config.explain import CREDENTIALS, PIPELINE, explain, top_level_keys, unknown_key
from job.config.run_config import SHARED_KEYS, load_file_or_run
from job.config.storage import CacheConfig, RemoteConfig, settings_of
from job.config.tracking import TrackingConfig
from job.config.yaml_config import EXTENDS, SWEEP, YamlConfig
from job.config.yaml_loader import KeyPath, join
from job.options import DEFAULT_ROOT, DEFAULT_SEED
from job.pipeline.pipeline import Pipeline
from job.pipeline.slots import OPTIONAL_SLOTS, SLOTS
from job.pipeline.steps import AFTER, STEPS, StepError
from job.store.opened import open_root

TRACKING = "tracking"
OF_MACHINE = ("engine", "cache", "remote")
"""Sections about this machine."""


class JobConfig(BaseModel):
    """Everything that decides a run.

    >>> JobConfig(seed=7).resolved()["seed"]
    7
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    root: UserLocation = Path(DEFAULT_ROOT)
    """Folder of artifacts and runs, or a URL of object storage, such as s3://bucket/prefix."""
    seed: Seed = DEFAULT_SEED
    """Seed of every component that has one and does not set it."""
    memory_budget: MemoryBudget = DEFAULT_MEMORY_BUDGET
    """Memory for the images that a component keeps at once, in addition to its libraries, such as 1GB or 512MiB. Every
    component receives it that has such a key and does not set it. Results do not depend on it, except in the
    Trainer, if the images do not fit."""
    tracking: TrackingConfig = TrackingConfig()
    """Tools that record the run; they do not affect any result. A tool is off if its section is absent or null."""
    engine: EngineConfig = EngineConfig()
    """Where the files of a large data set are processed. Results do not depend on it."""
    cache: CacheConfig = CacheConfig()
    """Local copies of what is in object storage."""
    remote: RemoteConfig = RemoteConfig()
    """Limits of the requests to object storage."""
    pipeline: Pipeline = Field(default_factory=Pipeline)
    """The components, each with its own configuration. In a file, each is a section at the top level."""

    @model_validator(mode="after")
    def _has_no_secrets(self) -> Self:
        for key_path, text in _texts(self.resolved()):
            if has_secret(text):
                raise PydanticCustomError(CREDENTIALS, "{key} contains a secret", {"key": join(key_path)})
        return self

    def resolved(self) -> dict[str, Any]:
        """Return the configuration with all defaults as JSON values; loading them gives an equal configuration.

        `engine`, `cache` and `remote` are left out: they belong to the machine, and another one may continue the run.
        """
        resolved = self.model_dump(mode="json", include={"root", *SHARED_KEYS})
        if tracking := self.tracking.model_dump(mode="json", exclude_none=True):
            resolved["tracking"] = tracking
        steps = self.pipeline.steps
        for name, component in self.pipeline.components().items():
            section = component.config.model_dump(mode="json", exclude_none=True)
            named = {USE: import_string(type(component)), **section}
            if name in steps:
                resolved.setdefault(STEPS, {})[name] = {AFTER: steps[name].after, **named}
            else:
                resolved[name] = section if type(component) is SLOTS[name] else named
        return resolved

    def open_root(self) -> Path:
        """Apply the settings of object storage, and return the folder of the root; errors as of `open_root`."""
        configure_storage(settings_of(self.cache, self.remote))
        return open_root(self.root)


def load_config(
    path: Location | str, overrides: Sequence[str] = (), *, root: Location | str | None = None, **sections: Any
) -> JobConfig:
    """Read a configuration file, or a preset by its name, and everything that it extends; or that of an earlier run.

    Args:
        path: of a file or run, or the name of a preset or run.
        overrides: `key.path=value` with a value in YAML; a later one wins.
        root: replaces that of the configuration; runs are found by name there.
        sections: values in Python that are merged over the file and the overrides, also functions and components.

    Raises:
        ConfigError: if it is invalid.

    >>> load_config("digits", trainer={"epochs": 3}).pipeline.trainer.config.epochs
    3
    """
    if not isinstance(path, Path | ObjectUrl | str):
        expected = "a path, or the name of a preset; sections follow as arguments"
        raise ConfigError(f"{path!r} is not a path", expected=expected, remedy='write it as `"digits", trainer={...}`')
    if isinstance(path, str):
        path = ObjectUrl.parse(path) if is_object_url(path) else Path(path)
    document = load_file_or_run(path, require_location("root", str(root or DEFAULT_ROOT)))
    return build_config(document.overridden(overrides, sections), root=root)


def build_config(document: YamlConfig, *, root: Location | str | None = None) -> JobConfig:
    """Validate a document."""
    if PIPELINE in document.values:  # in a file, its sections are at the top level
        raise unknown_key(document.where((PIPELINE,)), (PIPELINE,), top_level_keys(JobConfig))
    if document.values.get(SWEEP) is not None:
        problem, remedy = f"{SWEEP} is for the command `sweep`", "use that command, or remove the section"
        raise ConfigError.at(document.where((SWEEP,)), problem, expected=f"no section `{SWEEP}`", remedy=remedy)
    empty = {slot for slot in OPTIONAL_SLOTS if document.values.get(slot) is None}
    pipeline = {slot: _section(document, slot) for slot in SLOTS if slot not in empty}
    pipeline[STEPS] = _section(document, STEPS)
    values = {key: value for key, value in document.values.items() if key not in (EXTENDS, STEPS, SWEEP, *SLOTS)}
    values |= {key: _section(document, key) for key in (TRACKING, *OF_MACHINE)} | {PIPELINE: pipeline}
    if root is not None:
        values["root"] = require_location("--root", str(root))
    shared = {key: values[key] for key in SHARED_KEYS if key in values}
    try:
        return JobConfig.model_validate(values, context=shared)
    except ValidationError as error:
        raise explain(document, JobConfig, error) from error
    except StepError as error:
        where = document.where(error.key_path)
        raise ConfigError.at(where, error.headline, expected=error.expected, remedy=error.remedy) from error


def _texts(value: Any, key_path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield key_path, value
    elif isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(below, (*key_path, key))


def _section(document: YamlConfig, key: str) -> Any:
    section = document.values.get(key)
    if isinstance(section, str | int | float | list):  # in Python it may also be a component
        problem, expected = f"{key} is {as_written(section)}", "a section of keys and values"
        raise ConfigError.at(document.where((key,)), problem, expected=expected, remedy="indent its keys below it")
    return section or {}
