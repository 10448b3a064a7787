"""A real browser, Debian's headless Chromium, that records the warnings and requests of a page."""

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
WHY_SKIPPED = "Chromium is missing, needed to test pages: apt-get install chromium"
# Chromium requests updates on its own; these flags leave only the requests of the page.
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
    """A page that was opened from disk, and what it did since."""

    page: Page
    warnings: list[str] = field(default_factory=list)
    """Errors and warnings on its console, and uncaught errors of its scripts."""
    requests: list[str] = field(default_factory=list)
    """URLs that it requested, except its own, data and blob URLs."""


@cache
def has_chromium() -> bool:
    """Return whether Chromium is installed."""
    return shutil.which(CHROMIUM) is not None


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Start Chromium, and stop it after the block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(browser: Browser, path: Path, **options: Any) -> Iterator[Visit]:
    """Open a file in a new profile, as a double click on it does.

    Args:
        browser: that of `running_browser`.
        path: the page.
        options: of `Browser.new_context`, such as `viewport={"width": 360, "height": 800}` or `color_scheme="dark"`.
    """
    with browser.new_context(**options) as context:
        visit = Visit(context.new_page())
        address = path.resolve().as_uri()

        def on_console(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                visit.warnings.append(message.text)

        def on_request(request: Request) -> None:
            if request.url != address and not request.url.startswith(("data:", "blob:")):
                visit.requests.append(request.url)

        visit.page.on("console", on_console)
        visit.page.on("pageerror", lambda error: visit.warnings.append(str(error)))
        visit.page.on("request", on_request)
        visit.page.goto(address)
        yield visit
