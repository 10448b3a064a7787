"""YAML 1.2 documents within limits, for configuration files and the values of --set. PyYAML scans and parses them."""

import re
from collections.abc import Callable
from typing import Any

import yaml

from components.base.errors import ConfigError
from components.base.text import printable
from job.config.core_schema import INTEGER_BITS, resolve
from job.config.yaml_errors import syntax_error

MAX_DEPTH = 50
MAX_VALUES = 10_000
CHARACTERS_PER_VALUE = 100
"""An alias counts as all values that it repeats, and long text as several: the expanded document is small, too."""

KeyPath = tuple[str | int, ...]

NOT_TEXT: re.Pattern[str] = yaml.reader.Reader.NON_PRINTABLE
"""Characters that YAML does not allow, such as control characters. The job does not allow them as escapes either."""

INVISIBLE = re.compile("[\xa0\u2000-\u200b\u202f\u205f\u3000\ufeff]")
"""Spaces that are not YAML's, as web pages have them: a key or an indentation with one is another key."""
KEY_MISTAKES = {
    yaml.ScalarEvent: "empty",
    yaml.AliasEvent: "an alias",
    yaml.SequenceStartEvent: "a list",
    yaml.MappingStartEvent: "a mapping",
}


def parse_yaml(text: str, where: Callable[[int], str]) -> tuple[Any, dict[KeyPath, str]]:
    """Return the value of a document, and where each key is set; an empty document is null.

    Keys are text as written: `3:` is the key `3`, as in `--set`.

    Args:
        text: the document.
        where: returns the place of a line, counted from 1, such as `job.yaml:3`.

    Raises:
        ConfigError: if it is not YAML 1.2, or exceeds a limit.

    >>> parse_yaml("rate: 1e-3\\nsizes: [010, 0x10, no]", "line {}".format)
    ({'rate': 0.001, 'sizes': [10, 16, 'no']}, {('rate',): 'line 1', ('sizes',): 'line 2', ('sizes', 0): 'line 2', \
('sizes', 1): 'line 2', ('sizes', 2): 'line 2'})
    """
    if found := NOT_TEXT.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise _not_text(where(line), found[0])
    loader: Any = yaml.SafeLoader(text)
    try:
        return _Composer(loader, where).document()
    except yaml.MarkedYAMLError as error:
        raise syntax_error(error, where) from error
    except (ValueError, OverflowError) as error:
        problem = "this is not YAML: the number of a character or a version is too large"
        raise ConfigError.at(where(loader.line + 1), problem, expected="YAML 1.2") from error


class _Composer:
    """Builds a value from the events of PyYAML's parser. Stops at the first event beyond a limit."""

    def __init__(self, loader: Any, where: Callable[[int], str]) -> None:
        self._next = loader.get_event
        self._where = where
        self._origins: dict[KeyPath, str] = {}
        self._anchors: dict[str, tuple[Any, int] | None] = {}
        """Value and number of values of each anchor; None within its own value."""
        self._values = 0

    def document(self) -> tuple[Any, dict[KeyPath, str]]:
        self._next()  # the start of the stream
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None, {}
        value = self._value((), self._next())
        self._next()  # the end of the document
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._error(event, "a second document begins", "one document", "remove the `---` and all below it")
        return value, self._origins

    def _value(self, key_path: KeyPath, event: Any) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        self._check(event)
        before = self._values
        self._count(event, 1 + len(getattr(event, "value", "")) // CHARACTERS_PER_VALUE)
        if len(key_path) > MAX_DEPTH:
            raise self._error(event, f"more than {MAX_DEPTH} levels of sections and lists", f"at most {MAX_DEPTH}")
        if event.anchor:
            self._anchors[event.anchor] = None
        value: Any
        if isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(key_path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(key_path)
        else:
            value = self._scalar(event)
        if event.anchor:
            self._anchors[event.anchor] = value, self._values - before
        return value

    def _mapping(self, parent: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event)
            key_path = (*parent, key)
            if key in values:
                raise self._error(event, f"{join(key_path)} is set twice", "each key once", "remove one")
            self._origins[key_path] = self._place(event)
            values[key] = self._value(key_path, self._next())
        return values

    def _sequence(self, parent: KeyPath) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            key_path = (*parent, len(values))
            self._origins[key_path] = self._place(event)
            values.append(self._value(key_path, event))
        return values

    def _key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent) or not event.value:
            problem = f"a key is {KEY_MISTAKES[type(event)]}"
            raise self._error(event, problem, "text as a key", "correct the key, or put it in quotes")
        if event.value == "<<" and not event.style:
            problem, remedy = "YAML 1.2 has no merge key `<<`", "write the keys out, or use `extends`"
            raise self._error(event, problem, "a key of the configuration", remedy)
        self._check(event)
        if found := INVISIBLE.search(event.value):
            problem = f"a key contains the invisible character U+{ord(found[0]):04X}"
            raise self._error(event, problem, "spaces for indentation", "replace it with a space, or remove it")
        return str(event.value)

    def _scalar(self, event: Any) -> Any:
        if event.style or event.tag:  # in quotes, a block, or with the tag `!`
            return event.value
        try:
            return resolve(event.value)
        except OverflowError as error:
            problem = f"the number {printable(event.value, 40)} is too large"
            expected = f"a number that fits {INTEGER_BITS} bits"
            raise self._error(event, problem, expected, "correct it, or put text in quotes") from error

    def _alias(self, event: Any) -> Any:
        name = printable(event.anchor, 40)
        if event.anchor not in self._anchors:
            problem, remedy = f"there is no anchor for the alias *{name}", "put text that begins with * in quotes"
            raise self._error(event, problem, f"an anchor &{name} above", remedy)
        if (anchored := self._anchors[event.anchor]) is None:
            problem = f"the alias *{name} is in the value that it repeats"
            raise self._error(event, problem, "values that do not contain themselves", "remove the alias")
        value, count = anchored
        self._count(event, count)
        return value

    def _count(self, event: Any, count: int) -> None:
        self._values += count
        if self._values > MAX_VALUES:
            problem = f"the document has more than {MAX_VALUES:,} values"
            raise self._error(
                event, problem, f"at most {MAX_VALUES:,}, each alias counted as the values that it repeats"
            )

    def _check(self, event: Any) -> None:
        if event.tag not in (None, "!"):
            tag = printable(event.tag, 60).replace("tag:yaml.org,2002:", "!!")
            remedy = "write the value without the tag, and text in quotes"
            raise self._error(event, f"the tag {tag} is not supported", "a plain value, a list or a section", remedy)
        if isinstance(event, yaml.ScalarEvent) and (found := NOT_TEXT.search(event.value)):
            raise _not_text(self._place(event), found[0])

    def _place(self, event: Any) -> str:
        return self._where(event.start_mark.line + 1)

    def _error(self, event: Any, problem: str, expected: str, remedy: str = "correct it") -> ConfigError:
        return ConfigError.at(self._place(event), problem, expected=expected, remedy=remedy)


def join(key_path: KeyPath) -> str:
    """Return a key path for a message, written as --set takes it, such as `trainer.network.filters.0`."""
    return printable(".".join(str(key) for key in key_path))


def _not_text(where: str, character: str) -> ConfigError:
    problem = f"the character U+{ord(character):04X} is not allowed"
    return ConfigError.at(where, problem, expected="text without control characters", remedy="remove it")
