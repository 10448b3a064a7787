"""A configuration, or what a run ran on, as a flat list of names and values."""

from __future__ import annotations

import json
from typing import Any


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, whose keys are written as with --set; a list is JSON.

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
    """Return what decides a run, of its resolved configuration: all but who follows it."""
    return flatten({key: value for key, value in config.items() if key != "tracking"})
