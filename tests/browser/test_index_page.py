"""The page of all runs in a real browser: sorting, filtering, differences only."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from job.reporters.index import write_index
from job.store.records import SweepRecord
from job.store.run_names import Tags
from job.store.runs import Runs
from tests.browser.conftest import OpenPage
from tests.browser.test_report_page import AA_CONTRAST, CONTRASTS, NARROW
from tests.support.roots import add_run, add_sweep

pytestmark = pytest.mark.browser
ROWS = "#table tbody tr"


def column(page: Any, number: int) -> list[str]:
    """Return the text of a column of the table, from 1."""
    texts: list[str] = page.locator(f"{ROWS} > :nth-child({number})").all_inner_texts()
    return texts


@pytest.fixture
def index(finished_root: Path) -> Path:
    """Return the page of a root with a sweep of three runs, a failed one with a long note, and the finished one."""
    add_sweep(finished_root, 3)
    failed = {"outcome": "failed", "blessed": None, "metrics": None, "name": None, "data_set": "other data"}
    add_run(finished_root, 9, note="it diverged " * 20, **failed)
    Tags(finished_root).write("good", Runs(finished_root).ids()[0])
    return write_index(finished_root)


def test_page_opens_without_requests_or_warnings(open_page: OpenPage, index: Path) -> None:
    visit = open_page(index)
    assert visit.page.locator("#status").inner_text().startswith("5 runs, as of ")
    ids = Runs(index.parent).ids()
    assert [text.split("\n")[-1] for text in column(visit.page, 1)][2:] == ids[2::-1], "the newest is first"
    assert column(visit.page, 1)[-1].startswith("trial-0good")
    assert visit.page.locator("#table svg").count() == 5
    assert visit.warnings == []
    assert visit.requests == []


@pytest.mark.thorough
def test_table_is_sorted_by_any_column(open_page: OpenPage, index: Path) -> None:
    page = open_page(index).page
    button = page.get_by_role("button", name="Test accuracy")
    button.click()
    falling = column(page, 6)
    assert falling == ["100.00\xa0%", "99.18\xa0%", "98.37\xa0%", "90.00\xa0%", ""], "runs without a value are last"
    assert page.locator("[aria-sort]").get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")  # the button kept the focus
    rising = column(page, 6)
    assert rising == [*reversed(falling[:-1]), ""]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("text", "names"),
    [("trial-1", ["trial-1"]), ("TRIAL seed", ["trial-2", "trial-1"]), ("trainer.seed=2", ["trial-2"]), ("zzz", [])],
)
def test_search_matches_texts_and_configuration(open_page: OpenPage, index: Path, text: str, names: list[str]) -> None:
    page = open_page(index).page
    page.get_by_label("Filter").fill(text)
    expect(page.locator(ROWS)).to_have_count(len(names))
    assert [found.split("\n")[0] for found in column(page, 1)] == names
    assert page.locator("#status").inner_text().startswith(f"{len(names)} of 5 runs")


@pytest.mark.thorough
def test_data_set_and_verdict_are_chosen(open_page: OpenPage, index: Path) -> None:
    page = open_page(index).page
    page.get_by_label("Verdict").select_option("failed")
    assert column(page, 3) == ["other data"]
    page.get_by_label("Data set").select_option("made-up squares")
    assert column(page, 3) == []


@pytest.mark.thorough
def test_differences_only_has_the_keys_that_differ(open_page: OpenPage, index: Path) -> None:
    page = open_page(index).page
    page.get_by_label("Differences only").check()
    heads = page.locator("#table thead th").all_inner_texts()
    assert heads == ["Run", "Validation accuracy", "Test accuracy", "Verdict", "trainer.peak", "trainer.seed"]
    assert column(page, 5) == ["", "", "0.003", "0.002", "0.001"]
    page.get_by_label("Filter").fill("trial-1")
    expect(page.locator(ROWS)).to_have_count(1)
    assert page.locator("#table thead th").count() == 4
    assert "no differences" in page.locator("#status").inner_text()


@pytest.mark.thorough
def test_trial_leads_to_its_sweep_and_equal_columns_are_joined(open_page: OpenPage, finished_root: Path) -> None:
    newest = Runs(finished_root).read()
    config = {**newest.config, "seed": 7, "trainer": {**newest.config["trainer"], "seed": 7}}
    add_run(finished_root, 1, name=None, config=config, sweep=SweepRecord(id="0123456789ab", trial=4, parameters={}))
    page = open_page(write_index(finished_root)).page
    assert column(page, 1)[-1].endswith("sweep 0123456789ab, trial 4")
    link = page.get_by_role("link", name="sweep 0123456789ab")
    assert link.get_attribute("href") == "sweeps/0123456789ab/index.html"
    page.get_by_label("Differences only").check()
    assert page.locator("#table thead th").all_inner_texts()[4:] == ["seed"]


@pytest.mark.thorough
def test_reused_step_leads_to_the_run_that_made_it(open_page: OpenPage, finished_root: Path) -> None:
    newest = Runs(finished_root).read()
    steps = [step.model_copy(update={"status": "reused"}) for step in newest.steps]
    add_run(finished_root, 1)
    add_run(finished_root, 2, steps=tuple(steps))
    page = open_page(write_index(finished_root)).page
    made, _, _ = Runs(finished_root).ids()
    assert column(page, 11)[1] == f"all from {made}"
    page.get_by_label("Filter").fill("nothing")
    expect(page.locator(ROWS)).to_have_count(0)
    page.evaluate(f"location.hash = '{made}'")
    assert page.locator(f"{ROWS}.found").get_attribute("id") == made, "a filter that hides it is cleared"


@pytest.mark.thorough
def test_link_leads_to_the_report(open_page: OpenPage, finished_root: Path) -> None:
    run = add_run(finished_root, 1, report="somewhere", name="named")
    (finished_root / "runs" / run.run_id / "report.html").write_text("<title>The report</title>")
    page = open_page(write_index(finished_root)).page
    page.get_by_role("link", name="named").click()
    assert page.title() == "The report"


@pytest.mark.thorough
@pytest.mark.parametrize("options", [NARROW, {"viewport": {"width": 1280, "height": 800}}], ids=["360", "1280"])
def test_page_never_scrolls_sideways(open_page: OpenPage, index: Path, options: dict[str, Any]) -> None:
    page = open_page(index, **options).page
    assert page.evaluate("document.documentElement.scrollWidth") == options["viewport"]["width"]
    scrolls = options == NARROW
    assert page.locator("#box").get_attribute("tabindex") == ("0" if scrolls else None), "it scrolls by keyboard"


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_both_themes(open_page: OpenPage, index: Path, scheme: str) -> None:
    contrasts = open_page(index, color_scheme=scheme).page.evaluate(CONTRASTS)
    assert {element: round(ratio, 2) for element, ratio in contrasts.items() if ratio < AA_CONTRAST} == {}


@pytest.mark.thorough
def test_runs_are_listed_without_javascript(open_page: OpenPage, index: Path) -> None:
    page = open_page(index, java_script_enabled=False).page
    assert page.locator("noscript li").count() == 5
    assert not page.locator("#filters").is_visible()


@pytest.mark.thorough
def test_page_with_5000_runs_responds(open_page: OpenPage, finished_root: Path) -> None:
    add_sweep(finished_root, 4_999)
    page = open_page(write_index(finished_root)).page
    assert page.locator("#status").inner_text().startswith("5,000 runs")
    rendered = page.locator(ROWS).count()
    assert rendered <= 300
    page.get_by_role("button", name="Test accuracy").click()
    assert column(page, 6)[0] == "100.00\xa0%"
    page.get_by_label("Filter").fill("trainer.seed=3 trial-49")
    expect(page.locator("#status")).to_contain_text(" of 5,000 runs")
    page.get_by_label("Differences only").check()
    assert page.locator("#table thead th").all_inner_texts()[4:] == ["trainer.peak"]
