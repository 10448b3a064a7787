"""Text from outside, such as names, paths and URIs: printable, without secrets, or refused.

Every text that a person reads passes through `printable`. A control character or a bidirectional override would
change what a terminal or a browser displays.
"""

import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import unquote_plus

from pydantic import AfterValidator, Field

VALUE_LIMIT = 200
"""Characters of one value in a message."""
MESSAGE_LIMIT = 1000
"""Characters of a whole message."""
EXAMINED_CHARACTERS = 2000
"""At either end of a text: a value may have millions."""
ELLIPSIS = " … "
"""Replaces the middle of a long text. The spaces keep its two ends from forming a URI."""

CONTROLS = "\x00-\x1f\x7f-\x9f\u2028\u2029"
BIDIRECTIONAL = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
SURROGATES = "\ud800-\udfff"
"""Halves of a character. Python has them in place of bytes that are not UTF-8."""
UNPRINTABLE = re.compile(f"[{CONTROLS}{BIDIRECTIONAL}{SURROGATES}]")
SUSPICIOUS = re.compile(f"[{CONTROLS}{BIDIRECTIONAL}{SURROGATES}@=]")
"""Text without any of these characters is printable and has no secrets."""

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
"""Schemes of databases; a driver may follow, as in `postgresql+psycopg2`."""
USER = re.compile(r"([\w+.-]{0,40}):(//?)([^/\s'\"][^\s'\"]*)@")
"""The part before the host, up to the last @: a password may contain one, and a slash where SQLAlchemy allows it.
pathlib turns the two slashes into one."""
QUOTES = re.compile(r"[\s'\"]")
PARAMETER = re.compile(r"(?<=[?&;#])([^=&;?#\s'\"]+)=([^&;#\s'\"]+)")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
SECRET_WORD = re.compile(
    r"\w*(password|passwd|passphrase|pwd|token|secret|credentials?|signature|(api|access|account|private|shared)key)"
    r"|auth|authorization|code|jwt|key|pass|sas|sig",
    re.IGNORECASE,
)
"""A parameter is secret if a word of its name is: `X-Amz-Signature` and `apiKey`, but not `keyspace`."""


def printable(value: object, limit: int = VALUE_LIMIT) -> str:
    r"""Return a value as one line that is safe to print, without secrets and with at most `limit` characters.

    >>> print(printable("a\nb\x1b[31m"), printable("https://me:word@host/api"), printable("0123456789", limit=7))
    a\nb\x1b[31m https://host/api 01 … 89
    """
    text = str(value)
    if len(text) > 2 * EXAMINED_CHARACTERS:
        text = _shorten(text, 2 * EXAMINED_CHARACTERS)
    if SUSPICIOUS.search(text):
        text = redact(escape_unprintable(text))
    return text if len(text) <= limit else _shorten(text, limit)


def _shorten(text: str, limit: int) -> str:
    kept = limit - len(ELLIPSIS)
    return text[: kept - kept // 2] + ELLIPSIS + text[len(text) - kept // 2 :]


def escape_unprintable(text: str, *, keep: str = "") -> str:
    r"""Return a text with escapes for control characters, bidirectional overrides and bytes that are not UTF-8.

    >>> print(escape_unprintable("a\tb"))
    a\tb
    """

    def escaped(found: re.Match[str]) -> str:
        return found[0] if found[0] in keep else found[0].encode("unicode_escape").decode()

    return UNPRINTABLE.sub(escaped, text)


def escape_document(text: str) -> str:
    """Return a text of several lines, such as a page, with escapes within its lines."""
    return escape_unprintable(text, keep="\n\t")


def escape_json(text: str) -> str:
    r"""Return a JSON text of the same value that is safe to print.

    >>> print(escape_json('["a\x9bb"]'))
    ["a\u009bb"]
    """
    return UNPRINTABLE.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


def redact(text: str) -> str:
    """Return a text without the passwords and tokens of the URIs in it.

    A user name alone is a token for a server, but not for a database.

    >>> redact("no response from http://me:word@host/api?token=word")
    'no response from http://host/api?token=***'
    >>> redact("postgresql://me@host/db")
    'postgresql://me@host/db'
    """
    return PARAMETER.sub(_without_value, USER.sub(_without_user, text))


def has_secret(uri: str) -> bool:
    """Return whether a URI contains a password or a token.

    Quotes and spaces are part of the URI. `redact` takes them for its end, as in a message.

    >>> [has_secret(uri) for uri in ("https://token@host", "postgresql://me@host/db", "https://host?apiKey=word")]
    [True, False, True]
    """
    whole = QUOTES.sub("", uri)
    return "://" in whole and redact(whole) != whole


def _without_user(uri: re.Match[str]) -> str:
    scheme, slashes, user = uri.groups()
    is_token = slashes == "//" and not scheme.startswith(DATABASES)
    return f"{scheme}:{slashes}" if ":" in user or is_token else uri[0]


def _without_value(parameter: re.Match[str]) -> str:
    name, value = parameter.groups()
    is_redacted = value.startswith("***") or not value.strip("*")
    if not is_redacted and (_is_secret(name) or any(map(_is_secret, _encoded_names(value)))):
        return f"{name}=***"
    return parameter[0]


def _is_secret(name: str) -> bool:
    return any(map(SECRET_WORD.fullmatch, WORD.findall(unquote_plus(name))))


def _encoded_names(value: str) -> Iterator[str]:
    """Yield the names of parameters within a value, such as those of an ODBC connection string."""
    if "%" in value:
        yield from (found[1] for found in PARAMETER.finditer(f";{unquote_plus(value)}"))


def is_utf8(text: str) -> bool:
    """Return whether a text can be encoded as UTF-8. Names of files may contain surrogates, which cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_name(text: str) -> str:
    r"""Return a name from outside, such as that of a class; raise ValueError if it is not printable text.

    >>> parse_name("a\u202eb")
    Traceback (most recent call last):
    ValueError: the name 'a\u202eb' contains the control character '\u202e'
    """
    if found := UNPRINTABLE.search(text):
        is_byte = "\ud800" <= found[0] <= "\udfff"
        problem = "is not UTF-8" if is_byte else f"contains the control character '{printable(found[0])}'"
        raise ValueError(f"the name '{printable(text)}' {problem}")
    if not text.strip():
        raise ValueError("the name is empty")
    return text


Name = Annotated[str, Field(min_length=1), AfterValidator(parse_name)]
"""A name in a configuration or in data."""
