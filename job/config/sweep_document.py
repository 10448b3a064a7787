"""A configuration file with a section `sweep`, and the configuration of each trial."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from pydantic import ValidationError

from components.base.errors import ConfigError
from components.object_storage import Location
from job.config.config import JobConfig, build_config
from job.config.core_schema import as_written
from job.config.explain import explain
from job.config.sweep import SPACE, SweepConfig, SweepPart
from job.config.yaml_config import SWEEP, YamlConfig
from job.config.yaml_loader import KeyPath


class _Document(SweepPart):
    sweep: SweepConfig


@dataclass(frozen=True)
class SweepDocument:
    """The content of a configuration file with a section `sweep`: the values to try, and the base of every trial."""

    base: YamlConfig
    sweep: SweepConfig
    origins: dict[str, str]
    """Where the values of each key are written."""
    root: Location | None = None

    @classmethod
    def read(cls, document: YamlConfig, *, root: Location | None = None) -> Self:
        """Split a document; raise ConfigError if its section `sweep` is missing or invalid."""
        if (section := document.values.get(SWEEP)) in (None, {}, {SPACE: {}}):
            has_none = section is None
            raise ConfigError.at(
                document.where(() if has_none else (SWEEP,)),
                "the configuration has no sweep" if has_none else "the sweep has no values to try",
                expected="a section `sweep`" if has_none else "at least one key with a list of values",
                remedy="write a section such as `sweep: {trainer.epochs: [4, 8]}`",
            )
        try:
            sweep = _Document.model_validate({SWEEP: section}).sweep
        except ValidationError as error:
            raise explain(document, _Document, error) from error
        base = YamlConfig({key: value for key, value in document.values.items() if key != SWEEP}, document.origins)
        origins = {key: _origin(document, key) for key in sweep.space}
        return cls(base, sweep, origins, root)

    def config(self, parameters: Mapping[str, Any] | None = None) -> JobConfig:
        """Return the configuration with the values of a trial; ConfigError names where these are written."""
        sections: dict[str, Any] = {}
        origins: dict[KeyPath, str] = {}
        for key, value in (parameters or {}).items():
            *parents, last = key.split(".")
            section = sections
            for parent in parents:
                section = section.setdefault(parent, {})
            section[last] = value
            origins[tuple(key.split("."))] = f"{self.origins[key]}: a trial with {key} {as_written(value)}"
        document = self.base.overridden((), sections)
        return build_config(replace(document, origins={**document.origins, **origins}), root=self.root)


def _origin(document: YamlConfig, key: str) -> str:
    """Return where the values of a key are written: in `space`, in the section itself, or in nested sections."""
    for parents in ((SWEEP, SPACE), (SWEEP,)):
        for path in ((*parents, key), (*parents, *key.split("."))):
            if origin := document.origins.get(path):
                return origin
    return document.where((SWEEP,))
