"""Plain scalars of YAML 1.2's core schema: which are numbers, booleans and null; all others are text.

PyYAML has the types of YAML 1.1, where `1e-3` is text, `010` is 8, `1:30` is 90 and `no` is false.
"""

import json
import math
import re
from typing import Any

import yaml

from components.base.text import printable

INTEGER_BITS = 64
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
BOOLEANS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
BASES = {"0o": 8, "0x": 16}


def resolve(text: str) -> bool | int | float | str | None:
    """Return the value of a plain scalar, as in YAML 1.2's core schema (section 10.3.2).

    >>> [resolve(text) for text in ("1e-3", "010", "0o10", ".inf", "~", "True", "yes", "1:30", "1_000", "2020-01-01")]
    [0.001, 10, 8, inf, None, True, 'yes', '1:30', '1_000', '2020-01-01']
    """
    if text in NULLS:
        return None
    if text in BOOLEANS:
        return BOOLEANS[text]
    if INTEGER.fullmatch(text):
        return _integer(text)
    if FLOAT.fullmatch(text):
        is_special = text[-1].isalpha()
        number = float(text.replace(".", "") if is_special else text)
        if math.isinf(number) and not is_special:
            raise OverflowError
        return number
    return text


def _integer(text: str) -> int:
    base = BASES.get(text[:2], 10)
    try:
        number = int(text[2:] if base != 10 else text, base)
    except ValueError as error:  # more digits than Python converts
        raise OverflowError from error
    if not -(2 ** (INTEGER_BITS - 1)) <= number < 2 ** (INTEGER_BITS - 1):
        raise OverflowError
    return number


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 or YAML 1.2 reads as something else."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", INTEGER, list("-+0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+.0123456789"))


def dump_yaml(values: dict[str, Any]) -> str:
    """Return values as a document that `parse_yaml` reads again.

    >>> dump_yaml({"trainer": {"epochs": 3}, "root": "0o10"})
    "trainer: {epochs: 3}\\nroot: '0o10'\\n"
    """
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)


def as_written(value: Any) -> str:
    """Return a value for a message, as a file may contain it; a long one is cut.

    >>> as_written([True, None, "a", {"rate": 0.1}])
    "[true, null, 'a', {rate: 0.1}]"
    """
    return printable(_as_written(value))


def _as_written(value: Any) -> str:
    match value:
        case None | bool():
            return json.dumps(value)
        case float() if not math.isfinite(value):
            return "." + str(value) if value > 0 or math.isnan(value) else "-.inf"
        case dict():
            return f"{{{', '.join(f'{key}: {_as_written(below)}' for key, below in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(map(_as_written, value))}]"
    return repr(value)
