"""Passwords in the URIs of tracking stores: found, so that none is written down, and hidden in whatever is told."""

from __future__ import annotations

import re

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
"""What the scheme of a database begins with; it may go on with a driver, as in `postgresql+psycopg2`."""
USER = re.compile(r"(?<=://)[^/\s'\"][^\s'\"]*@")
"""What stands before a host, up to the last @: a password may hold one, and a slash where SQLAlchemy reads it."""
QUERY = re.compile(r"(?<=[?&;])([^=&;\s]*(?:password|passwd|pwd|token|secret)[^=&;\s]*=)[^&;\s'\"]*", re.IGNORECASE)


def has_password(uri: str) -> bool:
    """Return whether a URI tells a password or a token.

    A user's name alone is one to a server, of which it is a token, and none to a database.

    >>> [has_password(uri) for uri in ("https://token@host", "postgresql://me@host/db", "postgresql://me:word@host/db")]
    [True, False, True]
    """
    user = USER.search(uri)
    of_database = uri.startswith(DATABASES)
    return bool(QUERY.search(uri)) or (user is not None and (":" in user[0] or not of_database))


def without_passwords(text: str) -> str:
    """Return a text without what the URIs in it say of users, passwords and tokens.

    >>> without_passwords("no answer from http://me:word@host/api?token=word")
    'no answer from http://host/api?token=***'
    """
    return QUERY.sub(r"\1***", USER.sub("", text))
