"""Extensions: custom functions and classes that a configuration names by `use`."""

import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PrivateAttr,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from components.base.component import CONTENT, ComponentConfig
from components.base.errors import ConfigError, JobError, one_line, user_line
from components.base.hashing import file_sha256
from components.base.importing import import_string, load_object
from components.base.options import CONFIG, option_parameters, validate_options
from components.base.termination import Interrupted

USE = "use"
"""The key that names a function or class; also the type of the validation error for one that is not valid."""
BUILT_IN, FUNCTION = "built-in", "function"
"""The variants of a section that describes a built-in part, or names a function."""


class Extension(ComponentConfig):
    """A user's function, named by `use`, and its options: all keys that are not fields of the class.

    The function takes the `arguments` and each option by keyword. Options are validated by the function's annotations
    and defaults. A function with the parameter `config`, annotated with a pydantic model, takes them as that model.

    >>> class Statistic(Extension):
    ...     arguments, returns = ("values",), "float"
    >>> def power_mean(values: list[float], power: int = 1) -> float:
    ...     return (sum(value**power for value in values) / len(values)) ** (1 / power)
    >>> Statistic(use=power_mean, power=2)(values=[1.0, 7.0])
    5.0
    >>> Statistic.expected()
    '(values, **options) -> float'
    """

    model_config = ConfigDict(extra="allow")

    arguments: ClassVar[tuple[str, ...]] = ()
    """Names of what the job passes."""
    returns: ClassVar[str] = "Any"
    """What the function returns, for messages."""

    use: Annotated[str, Field(pattern=r"^[\w.]+:[\w.<>]+$")]
    """The function, as `my_module:my_function`."""
    _target: Callable[..., Any] = PrivateAttr()
    _options: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def target(self) -> Callable[..., Any]:
        """The function."""
        return self._target

    @property
    def function_name(self) -> str:
        """The name of the function, without its module or class."""
        return self.use.replace(":", ".").rpartition(".")[2]

    @property
    def options(self) -> dict[str, Any]:
        """The validated options by the name of the parameter, with the function's defaults."""
        return self._options

    def __call__(self, **arguments: Any) -> Any:
        """Call the function with the arguments of the job and its options; errors are those of `catch_errors`."""
        with self.catch_errors():
            return self._target(**arguments, **self._options)

    @contextmanager
    def catch_errors(self) -> Iterator[None]:
        """Raise ConfigError, with file and line, if the block, which runs the user's code, raises an exception."""
        try:
            yield
        except (JobError, MemoryError, Interrupted):
            raise
        except BaseException as error:
            raise self.error(f"raised {one_line(error)}{user_line(error)}") from error

    @model_serializer(mode="wrap")
    def _dump(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        options = self.model_extra or {}
        if info.exclude_none:  # None may not be the default of an option
            values |= {key: None for key, value in options.items() if value is None}
        if info.context == CONTENT:
            files = {key: path for key, path in options.items() if isinstance(path, Path)}
            values |= {key: f"SHA-256 {file_sha256(path)}" for key, path in files.items() if path.is_file()}
        return values

    def error(self, problem: str) -> ConfigError:
        """Return the error for a failed call or a wrong result; a `problem` is, for example, `returned None`."""
        remedy = "correct its code and run the same command again: earlier steps are reused"
        return ConfigError(f"{self.use} {problem}", expected=self.expected(), remedy=remedy)

    @classmethod
    def expected(cls) -> str:
        """Return the signature that the function must have."""
        return f"({', '.join((*cls.arguments, '**options'))}) -> {cls.returns}"

    @classmethod
    def check_target(cls, target: Any, name: str) -> None:
        """Raise ConfigError if the function or class does not fit, before its parameters are checked."""

    @model_validator(mode="wrap")
    @classmethod
    def _load(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        value = _as_section(value)
        if not (isinstance(value, Mapping) and (isinstance(value.get(USE), str) or callable(value.get(USE)))):
            return handler(value)
        written = dict(value)
        use = written.pop(USE)
        fields = {key: written.pop(key) for key in cls.model_fields if key in written}
        try:
            target = load_object(use)
            name = use if isinstance(use, str) else import_string(target)
            cls.check_target(target, name)
            parameters = option_parameters(target, name, cls.arguments, expected=cls.expected())
            options = validate_options(name, written, parameters, target)
        except ConfigError as error:
            raise use_error(error) from error
        config = options.get(CONFIG)
        extension = handler({USE: name, **fields, **(dict(config) if isinstance(config, BaseModel) else options)})
        extension._target, extension._options = target, options
        return extension


class BuiltInOrUse:
    """Annotation of a union of a section and an extension: the section names an extension if it has the key `use`.

    network: Annotated[NetworkConfig | NetworkFunction, BuiltInOrUse()] = NetworkConfig()
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        built_in, extension = typing.get_args(source)
        choices = {BUILT_IN: handler.generate_schema(built_in), FUNCTION: handler.generate_schema(extension)}
        return core_schema.tagged_union_schema(choices, discriminator=_variant)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        json_schema = handler(schema)
        references = [option["$ref"] for option in json_schema["oneOf"]]
        mapping = dict(zip((BUILT_IN, FUNCTION), references, strict=True))
        return {**json_schema, "discriminator": {"propertyName": USE, "mapping": mapping}}


def use_selects(kind: str) -> BeforeValidator:
    """Return the annotation of a union by `kind` with an extension, which the key `use` alone selects."""

    def with_kind(value: Any) -> Any:
        value = _as_section(value)
        return {"kind": kind, **value} if isinstance(value, Mapping) and USE in value else value

    return BeforeValidator(with_kind)


def _variant(value: Any) -> str:
    value = _as_section(value)
    return FUNCTION if isinstance(value, Extension) or (isinstance(value, Mapping) and USE in value) else BUILT_IN


def _as_section(value: Any) -> Any:
    """Return a function or class as the section that names it, and any other value as it is."""
    return {USE: value} if callable(value) and not isinstance(value, Extension) else value


def find_targets(config: Any) -> Iterator[Callable[..., Any]]:
    """Yield the custom functions and classes that a configuration names, at any depth."""
    if isinstance(config, Extension):
        yield config.target
    elif isinstance(config, BaseModel):
        if not type(config).__module__.startswith("components."):
            yield type(config)
        yield from find_targets([value for _, value in config])
    elif isinstance(config, Mapping):
        yield from find_targets(list(config.values()))
    elif isinstance(config, list | tuple):
        for value in config:
            yield from find_targets(value)


def use_error(error: ConfigError) -> PydanticCustomError:
    """Return the error as one of pydantic, which adds the location of the section."""
    details = {"headline": error.headline, "expected": error.expected, "remedy": error.remedy}
    return PydanticCustomError(USE, "{text}", {"text": str(error), **details})
