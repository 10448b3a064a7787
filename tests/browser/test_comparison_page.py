"""The page of a comparison in a real browser: no request, no sideways scrolling, and enough contrast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from job.comparison.compare import compare_runs
from job.comparison.page import render_comparison
from tests.browser.conftest import OpenPage
from tests.browser.test_report_page import AA_CONTRAST, CONTRASTS, NARROW
from tests.job.comparison.test_compare import make_compared_root

pytestmark = [pytest.mark.browser, pytest.mark.thorough]


@pytest.fixture(scope="module")
def comparison_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_compared_root(tmp_path_factory.mktemp("compared"))
    path = root / "compared.html"
    names = ["base", "worse", "other-data", *["worse"] * 4]
    path.write_text(render_comparison(compare_runs(root, names), path.parent))
    return path


@pytest.mark.parametrize("options", [NARROW, {"color_scheme": "dark"}, {}], ids=["360", "dark", "light"])
def test_page_fits_and_can_be_read(open_page: OpenPage, comparison_page: Path, options: dict[str, Any]) -> None:
    visit = open_page(comparison_page, **options)
    assert (visit.warnings, visit.requests) == ([], [])
    assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert {element: ratio for element, ratio in visit.page.evaluate(CONTRASTS).items() if ratio < AA_CONTRAST} == {}
    images = visit.page.locator("img")
    assert images.evaluate_all("images => images.every((image) => image.complete && image.naturalWidth > 0)")
