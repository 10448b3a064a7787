"""Fixtures: the name of each Kubernetes overlay, and its rendered manifests."""

from __future__ import annotations

import pytest

from tests.configs.kubernetes import OVERLAYS, Rendered, render


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rendered(overlay: str) -> Rendered:
    return render(overlay)
