"""The job's configuration: YAML files that extend each other, and overrides, to one frozen object tree."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from components.base.component import SEED_LIMIT
from components.base.errors import ConfigError
from components.base.memory import DEFAULT_MEMORY_BUDGET, EXPECTED_MEMORY_BUDGET, parse_memory_budget
from job.config.schema import describe_place, known_below
from job.config.tracking import TrackingConfig
from job.config.yaml_config import YamlConfig, join
from job.options import DEFAULT_ROOT, DEFAULT_SEED
from job.pipeline.pipeline import Pipeline
from job.pipeline.slots import OPTIONAL_SLOTS, SLOTS, import_string, load_component_class

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from components import Component

TRACKING = "tracking"


LISTS = ("tuple_type", "list_type", "frozen_set_type", "set_type")
"""What pydantic calls a value that should have been what YAML writes as a list."""


@dataclass(frozen=True, kw_only=True)
class JobConfig:
    """All that decides a run.

    Attributes:
        root: where artifacts and runs are kept.
        seed: what `load_config` gave to every component whose configuration has a `seed` and sets none.
        memory_budget: likewise; bytes of images that a component holds in memory at once.
        tracking: which tools follow the run; decides nothing of it.
        pipeline: the components, each holding its own configuration.
    """

    root: Path = Path(DEFAULT_ROOT)
    seed: int = DEFAULT_SEED
    memory_budget: int = DEFAULT_MEMORY_BUDGET
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    pipeline: Pipeline = field(default_factory=Pipeline)

    def resolved(self) -> dict[str, Any]:
        """Return the configuration with every default filled in, as JSON values that load again."""
        resolved: dict[str, Any] = {"root": str(self.root), "seed": self.seed, "memory_budget": self.memory_budget}
        if tracking := self.tracking.model_dump(mode="json", exclude_none=True):
            resolved["tracking"] = tracking
        for slot, component in self.pipeline.components().items():
            swapped = type(component) is not SLOTS[slot]
            section = component.config.model_dump(mode="json", exclude_none=True)
            resolved[slot] = {"use": import_string(type(component)), **section} if swapped else section
        return resolved


def load_config(path: Path, overrides: Sequence[str] = (), *, root: Path | None = None) -> JobConfig:
    """Read a configuration file and everything that it extends.

    Args:
        path: the YAML file.
        overrides: `key.path=value`, the value in YAML; a later one wins.
        root: takes the place of the configuration's root.

    Raises:
        ConfigError: if anything in it is not as it must be; the message says where.
    """
    return build_config(YamlConfig.load(path).overridden(overrides), root=root)


def build_config(document: YamlConfig, *, root: Path | None = None) -> JobConfig:
    """Turn a document into the object tree.

    Raises:
        ConfigError: for the first key or value that is not as it must be.
    """
    values = document.values
    known = ["root", "seed", "memory_budget", TRACKING, "extends", *SLOTS]
    for key in values:
        if key not in known:
            raise unknown_key(document, (key,), known)
    seed = values.get("seed", DEFAULT_SEED)
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < SEED_LIMIT:
        raise ConfigError(
            f"{document.where(('seed',))}: seed is {seed!r}",
            expected=f"a whole number from 0 to {SEED_LIMIT - 1}",
            remedy="correct it",
        )
    try:
        memory_budget = parse_memory_budget(values.get("memory_budget", DEFAULT_MEMORY_BUDGET))
    except ValueError as error:
        raise ConfigError(
            f"{document.where(('memory_budget',))}: memory_budget is {values['memory_budget']!r}",
            expected=EXPECTED_MEMORY_BUDGET,
            remedy="correct it",
        ) from error
    stated_root = values.get("root", DEFAULT_ROOT)
    if not isinstance(stated_root, str) or not stated_root:
        raise ConfigError(
            f"{document.where(('root',))}: root is {stated_root!r}",
            expected="the path of a folder",
            remedy="correct it",
        )
    try:
        root = root or Path(stated_root).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"{document.where(('root',))}: root is {stated_root!r}", expected="a user that exists", remedy="correct it"
        ) from error
    given = {"seed": seed, "memory_budget": memory_budget}
    filled = [slot for slot in SLOTS if slot not in OPTIONAL_SLOTS or values.get(slot) is not None]
    components = {slot: build_component(document, slot, given) for slot in filled}
    return JobConfig(root=root, **given, tracking=build_tracking(document), pipeline=Pipeline(**components))


def build_tracking(document: YamlConfig) -> TrackingConfig:
    """Return which tools follow the run.

    Raises:
        ConfigError: if the section is not as it must be.
    """
    try:
        return TrackingConfig.model_validate(section_of(document, TRACKING))
    except ValidationError as error:
        raise explain(document, TRACKING, TrackingConfig, error) from error


def build_component(document: YamlConfig, slot: str, given: Mapping[str, int]) -> Component[Any]:
    """Return the component of a slot, configured by the section of that name.

    Args:
        document: the whole configuration.
        slot: which component.
        given: what a component gets whose configuration has such a key and sets none.

    Raises:
        ConfigError: if the section does not fit the component.
    """
    settings = section_of(document, slot)
    cls = SLOTS[slot]
    if (use := settings.pop("use", None)) is not None:
        try:
            cls = load_component_class(slot, str(use))
        except ConfigError as error:
            raise ConfigError(
                f"{document.where((slot, 'use'))}: {error.headline}",
                expected=error.expected,
                remedy=error.remedy,
            ) from error
    for key, value in given.items():
        if key in cls.Config.model_fields:
            settings.setdefault(key, value)
    try:
        return cls(cls.Config.model_validate(settings))
    except ValidationError as error:
        raise explain(document, slot, cls.Config, error) from error


def section_of(document: YamlConfig, key: str) -> dict[str, Any]:
    """Return a copy of a section of the document; one that is absent or null is empty.

    Raises:
        ConfigError: if something else is there.
    """
    section = document.values.get(key)
    if section is not None and not isinstance(section, dict):
        raise ConfigError(
            f"{document.where((key,))}: {key} is {section!r}",
            expected="a section of keys and values",
            remedy="indent its keys below it",
        )
    return dict(section or {})


def explain(document: YamlConfig, section: str, model: type[BaseModel], error: ValidationError) -> ConfigError:
    """Turn pydantic's findings into one sentence on the first of them, with its place in the file."""
    findings = error.errors(include_url=False)
    # A misspelled key often leaves another one missing: the misspelling is the cause.
    first = min(findings, key=lambda finding: finding["type"] != "extra_forbidden")
    keys, siblings = describe_place(model.model_json_schema(), first["loc"])
    place = (section, *keys)
    if first["type"] == "extra_forbidden":
        return unknown_key(document, place, [*siblings, "use"] if len(place) == 2 and section in SLOTS else siblings)
    if first["type"] == "missing" and isinstance(first["loc"][-1], int):
        there = first["loc"][-1]
        missing_too = sum(
            finding["type"] == "missing" and finding["loc"][:-1] == first["loc"][:-1] for finding in findings
        )
        return ConfigError(
            f"{document.where(place)}: {join(place[:-1])} has {there} value{'' if there == 1 else 's'}",
            expected=f"{there + missing_too} values",
            remedy="give one for each",
        )
    if first["type"] in ("missing", "union_tag_not_found"):
        missing = place if first["type"] == "missing" else (*place, str(first["ctx"]["discriminator"]).strip("'"))
        return ConfigError(
            f"{document.where(place)}: {join(missing)} is missing",
            expected="a value for it",
            remedy=f"add `{missing[-1]}` to {join(missing[:-1])}",
        )
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if first["type"] == "value_error":
        return ConfigError(f"{document.where(place)}: {join(place)}: {message}", remedy=f"change {join(place)}")
    if first["type"] in LISTS:
        message = "a list, such as [a, b]"
    value = first["input"]
    if first["type"] == "union_tag_invalid":
        tag = str(first["ctx"]["discriminator"]).strip("'")
        place, value, message = (*place, tag), first["ctx"]["tag"], f"one of {first['ctx']['expected_tags']}"
    remedy = f"set {join(place)} to such a value"
    if first["type"] != "union_tag_invalid" and (children := known_below(model.model_json_schema(), first["loc"])):
        message = f"a section with keys of {', '.join(children)}"
        remedy = f"write `{place[-1]}: {{{children[0]}: ...}}`"
    said = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    return ConfigError(f"{document.where(place)}: {join(place)} is {said}", expected=message, remedy=remedy)


def unknown_key(document: YamlConfig, place: tuple[str | int, ...], siblings: Sequence[str]) -> ConfigError:
    """Return the error for a key that is not known, naming the nearest that is."""
    near = difflib.get_close_matches(str(place[-1]), siblings, n=1, cutoff=0.5)
    whole = join((*place[:-1], near[0])) if near else ""
    return ConfigError(
        f"{document.where(place)}: {join(place)} is not a key of the configuration",
        expected=f"one of {', '.join(siblings)}" if siblings else "no key here",
        remedy=f"did you mean {whole}?" if near else "take it away; `python -m job schema` lists every key",
    )
