"""Classes of Keras in a configuration: their name and options, checked without importing Keras."""

import ast
import importlib.util
import math
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from components.base.component import ComponentConfig
from components.base.errors import ConfigError, first_line

Arguments = dict[str, Any]


class KerasClass(ComponentConfig):
    """A class of Keras: `kind` is its name, all other keys are arguments of its constructor.

    Arguments are checked against the signature in Keras's source code, which takes milliseconds; importing Keras takes
    seconds, and a run that reuses its results does not need it.
    """

    model_config = ConfigDict(extra="allow")

    package: ClassVar[str]
    """The package of the class in Keras, such as `optimizers`."""
    reserved: ClassVar[frozenset[str]]
    """Arguments that are not options, because the job sets them."""

    kind: str
    """The name of the class."""

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        options = self.__pydantic_extra__ or {}
        if not options:
            return self
        defaults = {
            name: value
            for name, value in constructor_arguments(self.package, self.kind).items()
            if name not in self.reserved
        }
        names = list(dict.fromkeys((*type(self).model_fields, *defaults)))
        errors = [
            _unknown_option(name, value, names) if name not in defaults else _wrong_value(name, value, defaults[name])
            for name, value in options.items()
            if name not in defaults or not _fits(value, defaults[name])
        ]
        if errors:
            raise ValidationError.from_exception_data(self.kind, errors)
        return self

    def create(self, **arguments: Any) -> Any:
        """Return a new object of the class; raise ConfigError if Keras rejects an option."""
        import keras

        settings = self.model_dump(exclude={"kind"}) | arguments
        try:
            return getattr(getattr(keras, self.package), self.kind)(**settings)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"keras.{self.package}.{self.kind} rejects its options: {first_line(error)}",
                expected="options that the class accepts",
                remedy="correct or remove the option",
            ) from error


@cache
def constructor_arguments(package: str, kind: str) -> Arguments:
    """Return the arguments of the constructor of a Keras class, with their defaults, from Keras's source code.

    >>> constructor_arguments("optimizers", "SGD")["momentum"]
    0.0
    """
    folder = importlib.util.find_spec("keras").submodule_search_locations[0]  # type: ignore[union-attr,index]
    for path in sorted(Path(folder, "src", package).glob("*.py")):
        if f"class {kind}(" not in (source := path.read_text(encoding="utf-8")):
            continue
        classes = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == kind)
        methods = (node for cls in classes for node in cls.body if isinstance(node, ast.FunctionDef))
        for method in methods:
            if method.name == "__init__":
                names = [argument.arg for argument in method.args.args[1:]]
                return dict(zip(names, map(ast.literal_eval, method.args.defaults), strict=True))
    raise ConfigError(
        f"this release of Keras has no {package}.{kind}",
        expected=f"a class of keras.{package}",
        remedy="set another kind",
    )


def _fits(value: Any, default: Any) -> bool:
    """Return whether a value can replace a default; the type of an argument that is None by default is unknown."""
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, int | float):  # some also take a list, such as a weight for each class
        values = value if isinstance(value, list) else [value]
        return all(not isinstance(n, bool) and isinstance(n, int | float) and math.isfinite(n) for n in values)
    return not isinstance(value, str) if default is None else isinstance(value, type(default))


def _unknown_option(name: str, value: Any, names: list[str]) -> InitErrorDetails:
    error = PydanticCustomError("extra_forbidden", "there is no such option", {"names": names})
    return InitErrorDetails(type=error, loc=(name,), input=value)


def _wrong_value(name: str, value: Any, default: Any) -> InitErrorDetails:
    kind = "true or false" if isinstance(default, bool) else "text" if isinstance(default, str) else "a number"
    text = kind if default is None else f"{kind}, by default {str(default).lower()}"
    error = PydanticCustomError("keras_option", "{text}", {"text": text})
    return InitErrorDetails(type=error, loc=(name,), input=value)
