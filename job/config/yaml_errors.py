"""Mistakes in the syntax of a YAML document: PyYAML's errors as one sentence with the line to correct."""

import re
from collections.abc import Callable

import yaml

from components.base.errors import ConfigError

SYNTAX_ERRORS = (
    (r"character '\\t'", "a tab is in the place of spaces", "use spaces"),
    (r"character '(.)' that", r"a value begins with `\1`", "put the value in quotes"),
    (r"mapping values are not", "a second `:`, or a key below a value", "put text with `: ` in quotes, or correct it"),
    (r"mapping keys are not", "a `?` begins a key in the wrong place", "put text with `?` in quotes"),
    (r"entries are not allowed", "a list begins in the line of its key", "begin it on the next line"),
    (r"end>, but found '(<block|\?|-)", "the indentation differs from that of the lines above", "align the keys"),
    (r"end>, but found ':'", "there is no key before the `:`", "add it"),
    (r"expected <block end>", "text follows a value that has ended", "put the whole value in quotes"),
    (r"expected ':'", "a line is neither a key with `:` nor part of a value", "add the `:`, or indent the line"),
    (r"expected ',' or '(.)'", r"a `,` or the closing `\1` is missing", "close the bracket"),
    (r"end of stream|document separator", "a quote is not closed", "close it"),
    (r"tag", "a `!` begins no valid tag", "put the value in quotes"),
    (r"escape", r"a `\` in double quotes begins no valid escape", r"use single quotes, or write `\\`"),
    (r"block scalar", "text follows a `|` or `>`", "begin the text on the next line, or put it in quotes"),
    (r"directive|incompatible", "a line that begins with `%` is not valid", "remove it"),
    (r"alphabetic or numeric", "no name follows a `*` or `&`", "put the value in quotes"),
    (r"node content", "a value is missing", "add it, or put text in quotes"),
    (r"document start", "text follows the end of the document", "remove it"),
)
"""Pattern of PyYAML's text, the problem, and the remedy; the first that fits."""
OPENED = re.compile(r"end of stream|document separator|',' or")
"""Errors whose line is where the quote or the bracket opens, not where the parser misses its end."""


def syntax_error(error: yaml.MarkedYAMLError, where: Callable[[int], str]) -> ConfigError:
    """Return the error for a mistake that PyYAML found; `where` returns the place of a line, counted from 1."""
    text = f"{error.context}; {error.problem}"
    mark = error.context_mark if OPENED.search(text) else error.problem_mark
    problem, remedy = error.problem or text, "correct the line"
    for pattern, described, remedy_of_kind in SYNTAX_ERRORS:
        if found := re.search(pattern, text):
            problem = described.replace(r"\1", found[1]) if found.groups() else described
            remedy = remedy_of_kind
            break
    place = where(mark.line + 1 if mark else 1)
    return ConfigError.at(place, f"this is not YAML: {problem}", expected="YAML 1.2", remedy=remedy)
