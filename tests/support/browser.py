"""A real browser, Debian's Chromium without a window, that remembers what a page said and asked for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

CHROMIUM = "/usr/bin/chromium"
WHY_SKIPPED = "Chromium is missing, so no page is tested in a browser: apt-get install chromium"
# Chromium asks for updates and the like by itself; here it is to ask for nothing but the page.
ARGUMENTS = (
    "--no-sandbox",  # a container's root may not have one
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True)
class Visit:
    """A page that was opened from disk, and what happened on it since."""

    page: Page
    said: list[str] = field(default_factory=list)
    """Errors and warnings on its console, and errors that none of its scripts caught."""
    requests: list[str] = field(default_factory=list)
    """All that it asked for but itself and what it carries in itself."""


@cache
def has_chromium() -> bool:
    """Return whether there is a browser to test with."""
    return shutil.which(CHROMIUM) is not None


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Start Chromium, and end it in the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(browser: Browser, path: Path, **options: Any) -> Iterator[Visit]:
    """Open a file in a profile of its own, as a double click on it does.

    Args:
        browser: that of `running_browser`.
        path: the page.
        options: of `Browser.new_context`, such as `viewport={"width": 360, "height": 800}` or `color_scheme="dark"`.
    """
    with browser.new_context(**options) as context:
        visit = Visit(context.new_page())
        address = path.resolve().as_uri()

        def heard(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                visit.said.append(message.text)

        def asked(request: Request) -> None:
            if request.url != address and not request.url.startswith(("data:", "blob:")):
                visit.requests.append(request.url)

        visit.page.on("console", heard)
        visit.page.on("pageerror", lambda error: visit.said.append(str(error)))
        visit.page.on("request", asked)
        visit.page.goto(address)
        yield visit
