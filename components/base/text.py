"""Text from outside, such as names, paths and URIs: printable, without secrets, or refused.

Every text that a person reads passes through `printable`. A control character or a bidirectional override would
change what a terminal or a browser displays.
"""

import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import unquote, unquote_plus

from pydantic import AfterValidator

VALUE_LIMIT = 200
"""Characters of one value in a message."""
MESSAGE_LIMIT = 1000
"""Characters of a whole message."""
CUT = " … "
"""Replaces the middle of a long text. The spaces keep its two ends from forming a URI."""

CONTROLS = "\x00-\x1f\x7f-\x9f\u2028\u2029"
BIDIRECTIONAL = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
SURROGATES = "\ud800-\udfff"
"""Without a partner; Python also has them in place of bytes that are not UTF-8."""
UNPRINTABLE = re.compile(f"[{CONTROLS}{BIDIRECTIONAL}{SURROGATES}]")
SUSPICIOUS = re.compile(f"[{CONTROLS}{BIDIRECTIONAL}{SURROGATES}@=]")
"""Text without any of these characters is printable and has no secrets."""

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
"""Schemes of databases; a driver may follow, as in `postgresql+psycopg2`."""
USER = re.compile(r"(?<=://)[^/\s'\"][^\s'\"]*@")
"""The part before the host, up to the last @: a password may contain one, and a slash where SQLAlchemy allows it."""
PARAMETER = re.compile(r"(?<=[?&;#])([^=&;?#\s'\"]+)=([^&;#\s'\"]+)")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
SECRET_WORD = re.compile(
    r"\w*(password|passwd|passphrase|pwd|token|secret|credentials?|signature|(api|access|account|private|shared)key)"
    r"|auth|authorization|code|jwt|key|pass|sig",
    re.IGNORECASE,
)
"""A parameter is secret if a word of its name is: `X-Amz-Signature` and `apiKey`, but not `keyspace`."""


def printable(value: object, limit: int = VALUE_LIMIT) -> str:
    r"""Return a value as one line that is safe to print, without secrets and with at most `limit` characters.

    >>> print(printable("a\nb\x1b[31m"), printable("https://me:word@host/api"), printable("0123456789", limit=7))
    a\nb\x1b[31m https://host/api 01 … 89
    """
    text = str(value)
    if SUSPICIOUS.search(text):
        text = redact(UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text))
    if len(text) <= limit:
        return text
    kept = limit - len(CUT)
    return text[: kept - kept // 2] + CUT + text[len(text) - kept // 2 :]


def redact(text: str) -> str:
    """Return a text without the users, passwords and values of secret parameters of the URIs in it.

    >>> redact("no response from http://me:word@host/api?token=word")
    'no response from http://host/api?token=***'
    """
    return PARAMETER.sub(lambda found: f"{found[1]}=***" if _is_secret(found) else found[0], USER.sub("", text))


def has_password(uri: str) -> bool:
    """Return whether a URI contains a password or a token.

    A user name alone is a token for a server, but not for a database.

    >>> [has_password(uri) for uri in ("https://token@host", "postgresql://me@host/db", "postgresql://me:word@host/db")]
    [True, False, True]
    """
    user = USER.search(uri)
    is_secret_user = user is not None and (":" in user[0] or not uri.startswith(DATABASES))
    return is_secret_user or any(map(_is_secret, PARAMETER.finditer(uri)))


def _is_secret(parameter: re.Match[str]) -> bool:
    name, value = parameter.groups()
    if not value.strip("*"):  # redacted before
        return False
    return _names_secret(name) or any(_names_secret(inner) for inner in _encoded_names(value))


def _names_secret(name: str) -> bool:
    return any(map(SECRET_WORD.fullmatch, WORD.findall(unquote_plus(name))))


def _encoded_names(value: str) -> Iterator[str]:
    """Yield the names of parameters within a value, such as those of an ODBC connection string."""
    if "%" in value:
        yield from (found[1] for found in PARAMETER.finditer(f";{unquote(value)}"))


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


Name = Annotated[str, AfterValidator(parse_name)]
"""A name in a configuration or in data."""
