"""Addresses of local copies: messages name the URL in object storage, and not the folder in the cache."""

from pathlib import Path

_copies: dict[Path, str] = {}


def show_as(folder: Path, address: str) -> None:
    """Register the address of a local folder, which messages contain instead of its path."""
    _copies[folder] = address


def copied_folder(path: Path) -> Path | None:
    """Return the folder with an address that a path is in; None if it is in none."""
    return next((folder for folder in _copies if path.is_relative_to(folder)), None)


def with_addresses(text: str) -> str:
    """Return a text in which the folders that have an address are replaced by it.

    >>> with_addresses("output/runs does not exist")
    'output/runs does not exist'
    """
    for folder, address in _copies.items():
        text = text.replace(str(folder), address)
    return text
