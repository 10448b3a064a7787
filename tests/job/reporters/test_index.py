"""`index.html` of a root: when it is written, and what it contains."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from components.runtime.locks import acquire
from job.reporters.index import INDEX, page, write_index
from job.store.runs import Runs
from job.store.summaries import Summaries
from tests.conftest import Command
from tests.support.html import read_html
from tests.support.imports import imported_by
from tests.support.roots import add_run

BROKEN = "trainer.use=tests.support.components:BrokenTrainer"


def entries(root: Path) -> list[dict[str, Any]]:
    """Return the runs on the page of a root."""
    found = re.search(r'<script type="application/json" id="runs">(.*?)</script>', (root / INDEX).read_text())
    assert found is not None
    runs: list[dict[str, Any]] = json.loads(found[1])["runs"]
    return runs


def test_every_end_of_a_run_writes_the_page(mnist_job: Command, finished_root: Path, fake_config: Path) -> None:
    assert [run["verdict"] for run in entries(finished_root)] == ["BLESSED"]
    outcome = mnist_job("run", "--config", fake_config, "--root", finished_root, "--set", BROKEN, "--name", "odd")
    assert outcome.exit_code == 1
    first, failed = entries(finished_root)
    assert (failed["name"], failed["verdict"]) == ("odd", "failed")
    assert failed["reused"] == {first["id"]: ["example_gen", "transform"]}
    assert failed["changes"] == ["trainer.use components.testing.fake… → tests.support.component…"]


def test_page_is_valid_html_without_requests(finished_root: Path) -> None:
    text = (finished_root / INDEX).read_text()
    document = read_html(text)
    assert [heading.text for heading in document.all("h1")] == ["Runs"]
    assert not [element for element in document.all("script", "img", "link") if "src" in element.attributes]
    (run_id,) = Runs(finished_root).ids()
    assert run_id in document.all("noscript")[0].all("li")[0].text


def test_page_follows_tags_and_deletions(mnist_job: Command, finished_root: Path) -> None:
    run = add_run(finished_root, 1)
    assert mnist_job("tag", run.run_id, "best", "--root", finished_root).exit_code == 0
    assert [entry.get("tags") for entry in entries(finished_root)] == [["best"], None]
    assert mnist_job("tag", "--delete", "best", "--root", finished_root).exit_code == 0
    assert [entry.get("tags") for entry in entries(finished_root)] == [None, None]
    assert mnist_job("gc", "--keep", "1", "--delete", "--root", finished_root).exit_code == 0
    assert len(entries(finished_root)) == 1


HOSTILE = "</script><!-- end of runs --><b>\u202e\x1b[31m"


def test_texts_from_outside_cannot_leave_the_data(finished_root: Path) -> None:
    add_run(finished_root, 1, name=HOSTILE, note=HOSTILE, data_set=HOSTILE)
    before = len(read_html((finished_root / INDEX).read_text()).all("script", "b"))
    for _ in "12":  # the second page is made from the first
        write_index(finished_root)
        text = (finished_root / INDEX).read_text()
        assert entries(finished_root)[0]["note"].startswith(r"</script><!-- end of runs --><b>\u202e\x1b")
        assert len(read_html(text).all("script", "b")) == before
        assert not {"\u202e", "\x1b"} & {*text}


def test_page_is_rendered_again_if_a_template_changed(finished_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = (finished_root / INDEX).read_text()
    changed = finished_root / "another.js"
    changed.write_text("// another")
    (finished_root / INDEX).write_text(original.replace("<h1>Runs</h1>", "<h1>Edited</h1>"))
    write_index(finished_root)
    assert "<h1>Edited</h1>" in (finished_root / INDEX).read_text(), "the surroundings of the data are kept"
    monkeypatch.setattr(page, "TEMPLATES", (*page.TEMPLATES, changed))
    write_index(finished_root)
    assert "<h1>Runs</h1>" in (finished_root / INDEX).read_text()


@pytest.mark.parametrize("kind", ["folder", "foreign", "held"])
def test_page_is_never_a_reason_to_fail(
    mnist_job: Command, finished_root: Path, fake_config: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MAX_WAIT_SECONDS", 0)
    index = finished_root / INDEX
    index.unlink()
    if kind == "folder":
        index.mkdir()
    elif kind == "foreign":
        index.write_text("<p>mine</p>")
    lock = Summaries(Runs(finished_root)).lock if kind == "held" else finished_root / "other.lock"
    with acquire(lock):
        outcome = mnist_job("run", "--config", fake_config, "--root", finished_root)
    assert outcome.exit_code == 0
    assert "the page of all runs was not written: " in outcome.stdout + outcome.stderr
    if kind == "foreign":
        assert index.read_text() == "<p>mine</p>"


def test_cached_run_needs_no_templates(finished_root: Path, fake_config: Path) -> None:
    assert "jinja2" not in imported_by("run", "--config", fake_config, "--root", finished_root)
