"""What a key of the configuration expects, in words: read from the JSON Schema of its section."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticUserError

Schema = dict[str, Any]


class Expected:
    """The schema at one of pydantic's locations in a section; it accepts anything if the location has no schema.

    >>> from components import Trainer
    >>> Expected.at(Trainer.Config, ("network", "built-in", "filters")).describe()
    'a list of at least 1 and at most 32 values, each a whole number from 1 to 8192'
    >>> Expected.at(Trainer.Config, ("learning_rate",)).keys()
    ['schedule', 'rate', 'peak', 'warmup']
    """

    def __init__(self, document: Schema, schema: Schema) -> None:
        self._document = document
        self._schema, self._is_optional = self._resolve(schema)

    @classmethod
    def at(cls, model: type[BaseModel], location: Sequence[str | int]) -> "Expected":
        document = _schema_of(model)
        expected = cls(document, document)
        for part in location:
            expected = expected._below(part)
        return expected

    @property
    def type(self) -> str:
        """The type in JSON Schema, such as `integer`; empty if there are several, or a choice."""
        return "" if _choices(self._schema) else str(self._schema.get("type", ""))

    def keys(self) -> list[str]:
        """Return the keys of a section, those of all its variants if it has any; none if it is not a section."""
        sections = [self, *(self._below(tag) for tag in self.tags())]
        names = [name for section in sections for name in section._schema.get("properties", {})]
        key = self._schema.get("propertyNames", {})
        names += [name for option in (key, *_options(key)) for name in _choices(option)]
        return list(dict.fromkeys(names))

    def tags(self) -> list[str]:
        """Return the values of the key, such as `kind`, that selects the variant of a section."""
        return list(self._variants())

    def describe(self) -> str:
        """Return what is expected, such as `a whole number from 1 to 8192`; empty if anything is."""
        text = self._describe()
        return f"{text}, or null" if text and self._is_optional else text

    def _describe(self) -> str:
        schema = self._schema
        if options := _options(schema):
            return " or ".join(Expected(self._document, option).describe() for option in options)
        if keys := self.keys():
            return f"a section with keys of {', '.join(keys)}"
        if choices := _choices(schema):
            return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
        match self.type:
            case "integer" | "number":
                return _describe_number(schema)
            case "boolean":
                return "true or false"
            case "string":
                if pattern := schema.get("pattern"):
                    return f"text of the form {pattern}"
                kind = "a path" if schema.get("format") == "path" else "text"
                return f"{kind} that is not empty" if schema.get("minLength") else kind
            case "array":
                return self._describe_list()
            case "object":
                return "a section of keys and values"
        return ""

    def _describe_list(self) -> str:
        least, most = self._schema.get("minItems"), self._schema.get("maxItems")
        limits = [f"at least {least}"] if least else []
        limits += [f"at most {most}"] if most else []
        count = str(least) if least == most else " and ".join(limits)
        item = self._below(0).describe()
        return f"a list of {count + ' ' if limits else ''}values{', each ' + item if item else ''}"

    def _below(self, part: str | int) -> "Expected":
        schema: Any
        if _options(self._schema):  # the part is pydantic's name of an option
            return self
        if part in (variants := self._variants()):
            schema = {"$ref": variants[str(part)]}
        elif isinstance(part, int):
            items = self._schema.get("prefixItems", [])
            schema = items[part] if part < len(items) else self._schema.get("items", {})
        else:
            schema = self._schema.get("properties", {}).get(part, self._schema.get("additionalProperties"))
        return Expected(self._document, schema if isinstance(schema, dict) else {})

    def _variants(self) -> dict[str, str]:
        return dict(self._schema.get("discriminator", {}).get("mapping", {}))

    def _resolve(self, schema: Schema) -> tuple[Schema, bool]:
        """Follow references; of a value that may be null, return the other schema."""
        is_optional = False
        while True:
            if reference := schema.get("$ref"):
                schema = self._document["$defs"][reference.rsplit("/", 1)[-1]]
                continue
            options = _options(schema)
            if len(options) != 1:
                return schema, is_optional
            is_optional, schema = len(schema["anyOf"]) > 1, options[0]


@cache
def _schema_of(model: type[BaseModel]) -> Schema:
    try:
        return model.model_json_schema()
    except PydanticUserError:  # a type of a user's component without a schema
        return {}


def _options(schema: Schema) -> list[Schema]:
    """Return the schemas of a value that may be of several types, without null."""
    return [option for option in schema.get("anyOf", []) if option.get("type") != "null"]


def _choices(schema: Schema) -> list[str]:
    return [str(choice) for choice in schema.get("enum", [schema["const"]] if "const" in schema else [])]


def _describe_number(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if schema["type"] == "integer":
        least = above + 1 if above is not None else least
        most = below - 1 if below is not None else most
        return f"a whole number{'' if least is None else f' from {least}'}{'' if most is None else f' to {most}'}"
    limits = {"at least": least, "greater than": above, "at most": most, "less than": below}
    bounds = [f"{words} {limit}" for words, limit in limits.items() if limit is not None]
    return f"a number that is {' and '.join(bounds)}" if bounds else "a number"
