"""The page of a sweep in a real browser: tables that sort, and a chart with filters, for pointer and keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from job.sweep.page.page import render_page
from tests.browser.conftest import OpenPage
from tests.browser.test_report_page import AA_CONTRAST, CONTRASTS, NARROW
from tests.support.sweeps import PEAK, grid_sweep

pytestmark = pytest.mark.browser
BY_ACCURACY = ["7", "2", "9", "4", "6", "1", "8", "3", "10", "5", "0", "11"]
"""The numbers of the trials, the best first; the failed one is last."""


@pytest.fixture(scope="module")
def sweep_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep") / "index.html"
    path.write_text(render_page(grid_sweep()))
    return path


def listed(page: Page) -> list[str]:
    """Return the numbers of the trials in the rows that are shown."""
    return page.locator("#trials table").last.locator("tbody tr:visible th").all_inner_texts()


def drawn(page: Page) -> set[str]:
    """Return the numbers of the trials whose lines are not filtered out."""
    lines = page.locator(".trial:not(.off)")
    return set(lines.evaluate_all("lines => lines.map((line) => line.dataset.key)"))


def test_page_opens_without_requests_or_warnings(open_page: OpenPage, sweep_page: Path) -> None:
    visit = open_page(sweep_page)
    assert listed(visit.page) == BY_ACCURACY
    assert drawn(visit.page) == set(BY_ACCURACY)
    assert (visit.warnings, visit.requests) == ([], [])


@pytest.mark.thorough
@pytest.mark.parametrize("options", [NARROW, {"color_scheme": "dark"}], ids=["360", "dark"])
def test_page_fits_and_can_be_read(open_page: OpenPage, sweep_page: Path, options: dict[str, Any]) -> None:
    page = open_page(sweep_page, **options).page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert {element: ratio for element, ratio in page.evaluate(CONTRASTS).items() if ratio < AA_CONTRAST} == {}


@pytest.mark.thorough
def test_columns_sort_and_trials_without_a_value_stay_last(open_page: OpenPage, sweep_page: Path) -> None:
    page = open_page(sweep_page).page
    accuracy = page.get_by_role("button", name="Accuracy")
    accuracy.click()
    assert listed(page) == BY_ACCURACY
    accuracy.press("Enter")
    assert listed(page) == [*BY_ACCURACY[-2::-1], "11"]
    page.get_by_role("button", name="Trial", exact=True).click()
    assert listed(page) == sorted(BY_ACCURACY, key=int)
    assert page.locator("#trials th[aria-sort]").last.inner_text().startswith("Trial")


@pytest.mark.thorough
def test_dragging_along_an_axis_filters_and_a_click_shows_all(open_page: OpenPage, sweep_page: Path) -> None:
    page = open_page(sweep_page, viewport={"width": 1280, "height": 1000}).page
    page.locator(".parallel").scroll_into_view_if_needed()
    axis = page.locator(".brush").first.bounding_box()
    assert axis is not None
    x, middle, bottom = (
        axis["x"] + axis["width"] / 2,
        axis["y"] + axis["height"] / 2,
        axis["y"] + axis["height"] * 0.9,
    )
    page.mouse.move(x, bottom)
    page.mouse.down()
    page.mouse.move(x, middle + 3, steps=3)
    page.mouse.up()
    lowest_two_peaks = {str(number) for number in range(8)}
    assert drawn(page) == set(listed(page)) == lowest_two_peaks
    assert page.locator(".count").inner_text() == "8 of 12 trials"
    page.mouse.click(x, middle)
    assert drawn(page) == set(listed(page)) == set(BY_ACCURACY)


@pytest.mark.thorough
def test_filters_work_with_the_keyboard(open_page: OpenPage, sweep_page: Path) -> None:
    page = open_page(sweep_page).page
    highest = page.get_by_role("slider", name=f"{PEAK}: highest value shown")
    highest.press("ArrowDown")
    assert highest.get_attribute("aria-valuetext") == "0.01"
    lowest = page.get_by_role("slider", name="validation accuracy: lowest value shown")
    assert lowest.get_attribute("aria-valuetext") == "no result"
    for _ in range(5):
        lowest.press("ArrowUp")
    assert drawn(page) == set(listed(page)) == {"7", "2", "4", "6", "1"}
    lowest.press("Escape")
    assert drawn(page) == set(BY_ACCURACY)


@pytest.mark.thorough
def test_trials_are_read_with_the_pointer_and_the_arrow_keys(open_page: OpenPage, sweep_page: Path) -> None:
    page = open_page(sweep_page, viewport={"width": 1280, "height": 1000}).page
    readout, selected = page.locator(".parallel .readout"), page.locator(".trial.on")
    page.locator("#trials table").last.locator("tbody tr").nth(2).hover(position={"x": 5, "y": 5})
    assert selected.get_attribute("data-key") == "9"
    trials = page.get_by_role("slider", name="Trials, the best first")
    trials.focus()
    trials.press("Home")
    assert readout.inner_text().startswith("trial 7: ")
    trials.press("ArrowRight")
    assert selected.get_attribute("data-key") == "2"
    assert trials.get_attribute("aria-valuetext") == readout.inner_text()
    trials.press("End")
    assert readout.inner_text().endswith("failed")
    page.locator(".parallel").scroll_into_view_if_needed()
    axis = page.locator(".brush").last.bounding_box()
    assert axis is not None
    half = axis["width"] / 2  # the axis begins this far below the end of the area around it
    page.mouse.move(axis["x"] + half - 1, axis["y"] + half)
    assert selected.get_attribute("data-key") == "7"


@pytest.mark.thorough
def test_without_scripts_everything_is_still_there(open_page: OpenPage, sweep_page: Path) -> None:
    page = open_page(sweep_page, java_script_enabled=False).page
    assert listed(page) == BY_ACCURACY
    assert page.locator(".trial").count() == len(BY_ACCURACY)
    assert page.get_by_role("button").count() == 0
