"""Fixtures: one browser for all tests of pages, and pages opened in it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Visit, running_browser, visiting

OpenPage = Callable[..., Visit]


@pytest.fixture(scope="package")  # not session: a running browser keeps other tests from using an event loop
def browser() -> Iterator[Browser]:
    """Return a running Chromium."""
    with running_browser() as running:
        yield running


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open a file in the browser, with the options of `visiting`."""
    with ExitStack() as visits:

        def open_it(path: Path, **options: Any) -> Visit:
            return visits.enter_context(visiting(browser, path, **options))

        yield open_it
