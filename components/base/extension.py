"""Extensions: custom functions and classes that a configuration names by `use`."""

import importlib
import inspect
import os
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
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
    Strict,
    create_model,
    model_serializer,
    model_validator,
)
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from components.base.component import CONTENT, ComponentConfig
from components.base.errors import ConfigError, JobError, one_line, user_line
from components.base.hashing import file_sha256
from components.base.standard_error import quiet_stderr
from components.base.termination import Interrupted
from components.base.text import printable

USE = "use"
"""The key that names a function or class; also the type of the validation error for one that is not valid."""
CONFIG = "config"
"""A parameter of this name that is annotated with a pydantic model receives all options."""
BUILT_IN, FUNCTION = "built-in", "function"
"""The variants of a section that describes a built-in part, or names a function."""
BY_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
STRICT_TYPES = (bool, int, float)
"""Without strict validation, pydantic converts `yes` to True and True to 1."""


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
            options = _validate_options(name, written, _option_parameters(cls, target, name), target)
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


def import_string(target: Any) -> str:
    """Return the name of a function or class as `use` in a configuration takes it.

    >>> import_string(Extension)
    'components.base.extension:Extension'
    """
    try:
        return f"{target.__module__}:{target.__qualname__}"
    except AttributeError:  # such as functools.partial
        problem, remedy = f"{target!r} is not a function", "define a function with `def`"
        raise ConfigError(problem, expected="a function or class", remedy=remedy) from None


def load_object(name: str | Callable[..., Any]) -> Any:
    """Import what `package.module:name` names, also from the working folder; raise ConfigError if it is not found.

    In Python, a configuration may have the class or function itself, which is returned.
    """
    if not isinstance(name, str):
        return name
    module_name, colon, attribute = name.partition(":")
    expected = "an import string such as my_package.my_module:my_name"
    if not (colon and module_name and attribute):
        raise ConfigError(
            f"`{printable(name)}` is not an import string", expected=expected, remedy="write `module:name`"
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    # A module that imports TensorFlow at its top would otherwise make it log.
    has_tensorflow = "tensorflow" in sys.modules
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with quiet_stderr(keep=lambda: has_tensorflow or "tensorflow" not in sys.modules):
            module = importlib.import_module(module_name)
    except Interrupted:
        raise
    except BaseException as error:  # a user's module may raise anything when it is imported, such as SystemExit
        problem = f"{module_name} cannot be imported: {one_line(error)}"
        remedy = "check that Python can import the module from this folder"
        if module_name.partition(".")[0] in ("components", "job"):
            remedy = "correct the name, or rename a package of yours: `components` and `job` belong to mnist-job"
        if not isinstance(error, ImportError):
            problem, remedy = f"{problem}{user_line(error)}", "correct the module"
        raise ConfigError(problem, expected=expected, remedy=remedy) from error
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if found is None:
        problem = f"the module {module_name} has no `{attribute}`"
        raise ConfigError(problem, expected=expected, remedy="correct the name")
    return found


def use_error(error: ConfigError) -> PydanticCustomError:
    """Return the error as one of pydantic, which adds the location of the section."""
    details = {"headline": error.headline, "expected": error.expected, "remedy": error.remedy}
    return PydanticCustomError(USE, "{headline}\n  expected: {expected}\n  remedy:   {remedy}", details)


def _option_parameters(cls: type[Extension], target: Any, name: str) -> dict[str, inspect.Parameter]:
    """Return the parameters that take options; raise ConfigError if the target does not take the arguments."""
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):
        problem = f"{name} is not a function"
        raise ConfigError(problem, expected=f"a function {cls.expected()}", remedy="name a function") from None
    by_keyword = {key for key, parameter in parameters.items() if parameter.kind in BY_KEYWORD}
    missing = [argument for argument in cls.arguments if argument not in by_keyword]
    if (missing and not _takes_any(parameters)) or any(p.kind is p.POSITIONAL_ONLY for p in parameters.values()):
        problem = f"{name} has the parameters ({', '.join(map(str, parameters.values()))})"
        remedy = f"add {', '.join(missing)}" if missing else "remove the `/`: all arguments are passed by name"
        raise ConfigError(problem, expected=cls.expected(), remedy=remedy)
    return {key: parameter for key, parameter in parameters.items() if key not in cls.arguments}


def _takes_any(parameters: Mapping[str, inspect.Parameter]) -> bool:
    return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())


def _validate_options(
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
