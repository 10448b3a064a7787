"""The configuration of a run of one component on the artifacts of an earlier run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from components.base.errors import ConfigError
from components.object_storage import Location
from job.config.config import OF_MACHINE, TRACKING, JobConfig, build_config
from job.config.run_config import load_file_or_run, run_config
from job.config.yaml_config import SET, YamlConfig, parse_override
from job.config.yaml_loader import KeyPath, join
from job.pipeline.slots import OPTIONAL_SLOTS, SLOTS, find_slot
from job.pipeline.steps import STEPS
from job.store.records import RunRecord
from job.store.resolve import locate_run


@dataclass(frozen=True)
class SingleStep:
    """One component to run with another configuration, on the artifacts of an earlier run."""

    component: str
    """The slot or custom step."""
    run: RunRecord
    """The earlier run."""
    config: JobConfig
    """The configuration of the earlier run, with the new section of the component."""

    @classmethod
    def load(
        cls, component: str, run: str, *, root: Path, config: Location | None = None, overrides: Sequence[str] = ()
    ) -> Self:
        """Find the run below `root`, and read the component's section from a file or from that run.

        Raises:
            ConfigError: if there is no such run, component or section, or if overrides have other keys.
        """
        found = locate_run(root, run)
        record, document = found.record, run_config(found)
        others = None if config is None else load_file_or_run(config, root)
        steps = [step for each in (document, others) if each is not None for step in each.values.get(STEPS) or ()]
        slot = find_slot(component, dict.fromkeys([*SLOTS, *steps]))
        section = (slot,) if slot in SLOTS else (STEPS, slot)
        if others is not None:
            document = _with_section(document, section, others)
        for override in overrides:
            key_path = parse_override(override)[0]
            if key_path[: len(section)] != section and key_path[0] not in (TRACKING, *OF_MACHINE):
                raise ConfigError(
                    f"{SET}{join(key_path)} has no effect: only the {slot} is run",
                    expected=f"keys of {join(section)} or {TRACKING}; all other keys are those of run {record.run_id}",
                    remedy=f"remove it, or run all steps with `--config {record.run_id}` and without --only",
                )
        return cls(slot, record, build_config(document.overridden(overrides)))


def _with_section(document: YamlConfig, section: KeyPath, others: YamlConfig) -> YamlConfig:
    """Return a document with one section replaced by that of another document."""
    values: dict[str, Any] = dict(document.values)
    name = section[-1]
    if section[0] == STEPS:
        step = (others.values.get(STEPS) or {}).get(name)
        if step is not None:
            values[STEPS] = (values.get(STEPS) or {}) | {name: step}
    elif name in OPTIONAL_SLOTS or name in others.values:
        values[str(name)] = others.values.get(name)
    else:  # the component with its defaults
        values.pop(str(name), None)
    origins = {key: origin for key, origin in others.origins.items() if key[: len(section)] == section}
    return YamlConfig(values, document.origins | origins)
