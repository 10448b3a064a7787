"""Nested values as flat names and values."""

from __future__ import annotations

import json
from typing import Any


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with keys as in `--set`; a list becomes JSON.

    >>> flatten({"seed": 0, "trainer": {"epochs": 3, "network": {"filters": [16, 32]}}})
    {'seed': 0, 'trainer.epochs': 3, 'trainer.network.filters': '[16, 32]'}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.dumps(value) if isinstance(value, dict | list | tuple) else value
    return flat


def parameters(config: dict[str, Any]) -> dict[str, Any]:
    """Return a resolved configuration as flat parameters, without the section `tracking`, which affects no result."""
    return flatten({key: value for key, value in config.items() if key != "tracking"})
