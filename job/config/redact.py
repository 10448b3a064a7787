"""Passwords and tokens in URIs: refused in a configuration, removed from messages."""

import re

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
"""Schemes of databases; a driver may follow, as in `postgresql+psycopg2`."""
USER = re.compile(r"(?<=://)[^/\s'\"][^\s'\"]*@")
"""The part before the host, up to the last @: a password may contain one, and a slash where SQLAlchemy allows it."""
QUERY = re.compile(r"(?<=[?&;])([^=&;\s]*(?:password|passwd|pwd|token|secret)[^=&;\s]*=)[^&;\s'\"]*", re.IGNORECASE)


def has_password(uri: str) -> bool:
    """Return whether a URI contains a password or a token.

    A user name alone is a token for a server, but not for a database.

    >>> [has_password(uri) for uri in ("https://token@host", "postgresql://me@host/db", "postgresql://me:word@host/db")]
    [True, False, True]
    """
    user = USER.search(uri)
    return bool(QUERY.search(uri)) or (user is not None and (":" in user[0] or not uri.startswith(DATABASES)))


def redact_passwords(text: str) -> str:
    """Return a text without the users, passwords and tokens of the URIs in it.

    >>> redact_passwords("no response from http://me:word@host/api?token=word")
    'no response from http://host/api?token=***'
    """
    return QUERY.sub(r"\1***", USER.sub("", text))
