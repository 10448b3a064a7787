"""Reads the configuration of an earlier run for another run."""

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.base.errors import ConfigError
from components.base.text import printable
from components.object_storage import Location
from job.config.yaml_config import YamlConfig, find_config, presets
from job.pipeline.slots import SLOTS
from job.pipeline.steps import STEPS
from job.store.opened import local_path, open_root
from job.store.resolve import FoundRun, NoSuchRunError, is_run_folder, locate_run
from job.store.root import address

SHARED_KEYS = ("seed", "memory_budget")
"""Keys that every component receives whose config has them and does not set them."""


def load_file_or_run(path: Location, root: Location) -> YamlConfig:
    """Read a configuration file, a preset, or the configuration of a run below `root`: the first that exists.

    Raises:
        ConfigError: if none of them exists, or the file is not valid.
        IntegrityError: if the record of the run is damaged.
    """
    name = local_path(str(path))
    file = find_config(path := Path(name))
    is_file = os.path.exists(file) and not os.path.isdir(file)  # noqa: PTH110, PTH112  (False for a path too long)
    if is_file or (os.sep in name and not is_run_folder(name)):
        return YamlConfig.load(path)
    try:
        found = locate_run(open_root(root), name)
    except NoSuchRunError as no_run:
        try:
            return YamlConfig.load(path)
        except ConfigError as error:
            expected = f"a YAML file, a preset: {', '.join(presets())}; or a run"
            remedy = no_run.remedy if "did you mean" in no_run.remedy else "name another with --config"
            problem = f"{error.headline}; and {printable(str(root))} has no run of this name"
            raise ConfigError(problem, expected=expected, remedy=remedy) from error
    return run_config(found)


def run_config(run: FoundRun) -> YamlConfig:
    """Return the configuration of a run; its root is where the run is now.

    A key that a component has from the top level is not in its section, so that an override of `seed` applies to it.
    """
    values: dict[str, Any] = copy.deepcopy(run.record.config) | {"root": address(run.root)}
    for section in _sections(values):
        for key in SHARED_KEYS:
            if key in section and section[key] == values.get(key):
                del section[key]
    return YamlConfig(values, {(): f"run {run.record.run_id}"})


def _sections(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (values[slot] for slot in SLOTS if slot in values)
    yield from values.get(STEPS, {}).values()
