"""Options of a custom function: its parameters beside the arguments of the job, validated by their annotations."""

import inspect
import sys
import typing
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict, create_model

from components.base.errors import ConfigError

CONFIG = "config"
"""A parameter of this name that is annotated with a pydantic model receives all options."""
BY_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
STRICT_TYPES = (bool, int, float)
"""Without strict validation, pydantic converts `yes` to True and True to 1."""


def option_parameters(
    target: Any, name: str, arguments: Sequence[str], *, expected: str
) -> dict[str, inspect.Parameter]:
    """Return the parameters that take options; raise ConfigError if the target does not take the arguments."""
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):
        problem = f"{name} is not a function"
        raise ConfigError(problem, expected=f"a function {expected}", remedy="name a function") from None
    by_keyword = {key for key, parameter in parameters.items() if parameter.kind in BY_KEYWORD}
    missing = [argument for argument in arguments if argument not in by_keyword]
    if (missing and not _takes_any(parameters)) or any(p.kind is p.POSITIONAL_ONLY for p in parameters.values()):
        problem = f"{name} has the parameters ({', '.join(map(str, parameters.values()))})"
        remedy = f"add {', '.join(missing)}" if missing else "remove the `/`: all arguments are passed by name"
        raise ConfigError(problem, expected=expected, remedy=remedy)
    return {key: parameter for key, parameter in parameters.items() if key not in arguments}


def _takes_any(parameters: Mapping[str, inspect.Parameter]) -> bool:
    return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())


def validate_options(
    name: str, written: dict[str, Any], parameters: dict[str, inspect.Parameter], target: Any
) -> dict[str, Any]:
    """Return the options by parameter.

    Raises:
        ConfigError: if an option is unknown or missing.
        ValidationError: if a value does not fit the annotation.
    """
    namespace = getattr(target, "__globals__", None) or vars(sys.modules[target.__module__])
    by_keyword = {key: parameter for key, parameter in parameters.items() if parameter.kind in BY_KEYWORD}
    types = {key: _annotation(parameter, namespace) for key, parameter in by_keyword.items()}
    config: Any = types.get(CONFIG)
    takes_model = isinstance(config, type) and issubclass(config, BaseModel)
    names = list(config.model_fields if takes_model else by_keyword)
    unknown = [str(key) for key in written if key not in names]
    if unknown and not _takes_any(parameters):
        problem, expected = f"{name} has no option `{unknown[0]}`", ", ".join(names) or "no options"
        raise ConfigError(problem, expected=expected, remedy="correct the name of the option, or remove it")
    if takes_model:
        return {CONFIG: config.model_validate(written)}
    required = [key for key, parameter in by_keyword.items() if parameter.default is inspect.Parameter.empty]
    if missing := [key for key in required if key not in written]:
        problem = f"{name} requires the option `{missing[0]}`"
        raise ConfigError(
            problem, expected=", ".join(names), remedy=f"add `{missing[0]}`, or give the parameter a default"
        )
    fields: dict[str, Any] = {  # aliases, because a field cannot have every name that a parameter can have
        f"option_{index}": (types[key], Field(default=... if key in required else parameter.default, alias=key))
        for index, (key, parameter) in enumerate(by_keyword.items())
    }
    settings = ConfigDict(extra="allow", arbitrary_types_allowed=True)
    values = dict(create_model("Options", __config__=settings, **fields).model_validate(written))
    return {key: values.pop(f"option_{index}") for index, key in enumerate(by_keyword)} | values


def _annotation(parameter: inspect.Parameter, namespace: dict[str, Any]) -> Any:
    """Return the type of a parameter; Any if it has none, or one that exists only for a type checker."""
    if parameter.annotation is inspect.Parameter.empty:
        return Any
    try:
        hint = typing.get_type_hints(
            SimpleNamespace(__annotations__={"it": parameter.annotation}), namespace, include_extras=True
        )["it"]
    except NameError:
        return Any
    return Annotated[hint, Strict()] if hint in STRICT_TYPES else hint
