"""A configuration file with a sweep: the configuration of each trial."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from components.base.errors import ConfigError
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
    """A configuration with a section `sweep`: the configuration that every trial changes, and what to try."""

    base: YamlConfig
    sweep: SweepConfig
    origins: dict[str, str]
    """Where the values of each key are written."""
    root: Path | None = None

    @classmethod
    def read(cls, document: YamlConfig, *, root: Path | None = None) -> Self:
        """Split a document; raise ConfigError if its section `sweep` is missing or invalid."""
        if document.values.get(SWEEP) is None:
            remedy = "add a section `sweep`, such as `sweep: {trainer.epochs: [4, 8]}`"
            raise ConfigError.at(document.where(()), "there is nothing to try", expected="a sweep", remedy=remedy)
        try:
            sweep = _Document.model_validate({SWEEP: document.values[SWEEP]}).sweep
        except ValidationError as error:
            raise explain(document, _Document, error) from error
        base = YamlConfig({key: value for key, value in document.values.items() if key != SWEEP}, document.origins)
        origins = {key: _origin(document, key) for key in sweep.space}
        return cls(base, sweep, origins, root)

    def config(self, parameters: Mapping[str, Any] | None = None) -> JobConfig:
        """Return the configuration with the values that a sweep chose; ConfigError names where they are written."""
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
