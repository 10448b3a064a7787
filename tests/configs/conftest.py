"""Fixtures: the name of each Kubernetes overlay, and its rendered manifests."""

from __future__ import annotations

import pytest

from tests.configs.kubernetes import OBJECT_STORE, OVERLAYS, Rendered, render


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[overlay for overlay in OVERLAYS if overlay != OBJECT_STORE])
def overlay_with_a_volume(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rendered(overlay: str) -> Rendered:
    return render(overlay)
