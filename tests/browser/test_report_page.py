"""The report in a real browser: it opens from disk without requests, and it is accessible."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import OpenPage
from tests.support.report_data import full_report

pytestmark = pytest.mark.browser
NARROW = {"viewport": {"width": 360, "height": 740}}
HEADINGS = [
    "Verdict",
    "Learning curves",
    "Confusion matrix",
    "Most confident mistakes",
    "Network",
    "Feature maps",
    "Calibration",
    "Slices and robustness",
    "ROC curves",
    "Data and anomalies",
    "Training images",
    "Model card",
    "How to reproduce this run",
    "Time and cost",
]
AA_CONTRAST = 4.5
"""Contrast of text that WCAG 2.2 requires at level AA (success criterion 1.4.3)."""
CONTRASTS = """
() => {
  const channels = (color) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      if (!/, 0\\)$|^transparent$/.test(color)) return color;
    }
    return "white";
  };
  const found = {};
  for (const element of document.querySelectorAll("body *")) {
    const words = [...element.childNodes].filter((node) => node.nodeType === 3 && node.data.trim());
    if (!words.length || !element.checkVisibility() || ["SCRIPT", "STYLE"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const [a, b] = [luminance(ink), luminance(behind(element))].sort();
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const what = `${element.tagName.toLowerCase()}.${element.getAttribute("class") || ""}`;
    found[what] = Math.min(found[what] ?? 99, contrast);
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    path = folder / "report.html"
    path.write_text(full_report(folder / "inputs"))
    return path


def test_report_opens_without_requests_or_warnings(open_page: OpenPage, report: Path) -> None:
    visit = open_page(report)
    assert visit.page.locator("h2").all_inner_texts() == HEADINGS
    broken = visit.page.evaluate("[...document.images].filter((image) => !image.naturalWidth).length")
    assert broken == 0
    assert visit.warnings == []
    assert visit.requests == []


@pytest.mark.thorough
def test_content_security_policy_blocks_requests(open_page: OpenPage, report: Path) -> None:
    visit = open_page(report)
    visit.page.evaluate("fetch('http://127.0.0.1:1234/').catch(() => 0)")
    picture = "const image = new Image(); image.onerror = done; image.src = 'http://127.0.0.1:1235/'"
    visit.page.evaluate(f"new Promise((done) => {{ {picture} }})")
    refused = "\n".join(text for text in visit.warnings if "violates the following Content Security Policy" in text)
    assert ":1234/" in refused
    assert ":1235/" in refused


@pytest.mark.thorough
@pytest.mark.parametrize("options", [NARROW, {"viewport": {"width": 1280, "height": 800}}], ids=["360", "1280"])
def test_report_never_scrolls_sideways(open_page: OpenPage, report: Path, options: dict[str, Any]) -> None:
    page = open_page(report, **options).page
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    width = options["viewport"]["width"]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    beyond = page.evaluate(
        "(width) => [...document.querySelectorAll('main *')].filter((element) => !element.closest('.scroll, svg')"
        " && element.getBoundingClientRect().right > width + 1).map((element) => element.outerHTML.slice(0, 80))",
        width,
    )
    assert beyond == []


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_both_themes(open_page: OpenPage, report: Path, scheme: str) -> None:
    page = open_page(report, color_scheme=scheme).page
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 20
    assert {element: round(ratio, 2) for element, ratio in contrasts.items() if ratio < AA_CONTRAST} == {}


@pytest.mark.thorough
def test_button_changes_the_theme(open_page: OpenPage, report: Path) -> None:
    page = open_page(report, color_scheme="light").page
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("button", name="Dark theme").click()
    dark = page.evaluate(paper)
    assert dark != light
    page.get_by_role("button", name="Light theme").click()
    assert page.evaluate(paper) == light


@pytest.mark.thorough
def test_charts_are_read_by_arrow_keys_and_pointer(open_page: OpenPage, report: Path) -> None:
    page = open_page(report).page
    chart = page.get_by_role("slider", name="Loss by epoch")
    readout = page.locator("#curves .readout").first
    chart.focus()
    page.keyboard.press("Home")
    assert readout.inner_text() == "epoch 1: training 2.0000, validation 1.8000"
    page.keyboard.press("ArrowRight")
    assert readout.inner_text() == "epoch 2: training 1.0000, validation 0.9000"
    assert chart.get_attribute("aria-valuetext") == readout.inner_text()
    page.keyboard.press("End")
    assert readout.inner_text().startswith("epoch 12")
    chart.hover(position={"x": 60, "y": 60})
    assert readout.inner_text().startswith("epoch 1:")


@pytest.mark.thorough
def test_all_controls_are_reached_by_keyboard(open_page: OpenPage, report: Path) -> None:
    page = open_page(report, **NARROW).page
    reached = set()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    for _ in range(150):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(document.activeElement.id || document.activeElement.className || document.activeElement.tagName)"
            )
        )
    for name in ("theme", "A", "plot", "SUMMARY", "map-1", "scroll"):
        assert name in reached, reached


@pytest.mark.thorough
def test_another_image_shows_its_own_feature_maps(open_page: OpenPage, report: Path) -> None:
    page = open_page(report).page
    assert [panel.is_visible() for panel in page.locator(".panel").all()] == [True, False, False]
    page.locator("#map-1").focus()
    page.keyboard.press("ArrowRight")
    assert [panel.is_visible() for panel in page.locator(".panel").all()] == [False, True, False]


@pytest.mark.thorough
def test_print_is_dark_on_white_in_any_theme(open_page: OpenPage, report: Path) -> None:
    visit = open_page(report, color_scheme="dark")
    visit.page.emulate_media(media="print", color_scheme="dark")
    assert visit.page.evaluate("getComputedStyle(document.body).color") == "rgb(28, 27, 25)"
    assert not visit.page.locator("nav").is_visible()
    assert visit.page.pdf()[:5] == b"%PDF-"


@pytest.mark.thorough
def test_report_is_complete_without_javascript(open_page: OpenPage, report: Path) -> None:
    visit = open_page(report, java_script_enabled=False)
    assert visit.page.locator("h2").all_inner_texts() == HEADINGS
    assert not visit.page.locator("#theme").is_visible()
    visit.page.locator("#curves summary").first.click()
    assert visit.page.locator("#curves table").first.is_visible()
