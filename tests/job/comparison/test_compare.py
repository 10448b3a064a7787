"""Runs compared by the command: what differs first, the data, and images that one model alone classifies correctly."""

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from job.comparison.compare import LETTERS, compare_runs
from job.comparison.terminal import print_comparison
from tests.conftest import FAKES, Command, run_job_in_process
from tests.support.html import read_html
from tests.support.roots import copy_root

VARIANTS = {"base": "evaluator.accuracy=0.9", "worse": "evaluator.accuracy=0.5", "other-data": "example_gen.seed=1"}


def make_compared_root(folder: Path) -> Path:
    """Return a root with a run of each of the variants, named like them."""
    (folder / "config.yaml").write_text(json.dumps(FAKES))
    for name, override in VARIANTS.items():
        options = ("--config", folder / "config.yaml", "--root", folder / "root", "--name", name, "--set", override)
        run_job_in_process("run", *options)
    return folder / "root"


@pytest.fixture(scope="module")
def made_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_compared_root(tmp_path_factory.mktemp("compared"))


@pytest.fixture
def root(made_root: Path, tmp_path: Path) -> Path:
    return copy_root(made_root, tmp_path / "root")


def compared(mnist_job: Command, root: Path, *names: object) -> dict[str, Any]:
    result = mnist_job("compare", *names, "--root", root, "--json")
    assert result.exit_code == 0, result.stderr
    return result.record


def run_folder(root: Path, name: str) -> Path:
    (found,) = (path.parent for path in root.glob("runs/2*/run.json") if json.loads(path.read_text())["name"] == name)
    return found


def test_names_first_step_that_differs_and_its_config(mnist_job: Command, root: Path) -> None:
    found = compared(mnist_job, root, "base", "worse")
    (comparison,) = found["comparisons"]
    assert comparison["first_difference"] == {
        "component": "evaluator",
        "result": "differs",
        "reasons": ["config accuracy 0.9 → 0.5"],
    }
    assert comparison["config"] == [{"key": "evaluator.accuracy", "before": 0.9, "after": 0.5}]
    assert [step["result"] for step in comparison["steps"]] == ["same", "same", "same", "differs", "differs"]
    assert comparison["source_files"] == comparison["packages"] == comparison["environment"] == []
    assert comparison["same_data"] is True
    base, worse = found["runs"]
    assert (base["name"], worse["name"]) == ("base", "worse")
    assert worse["producers"]["trainer"] == base["run_id"], "the run that trained the model that was reused"


def test_lists_images_that_one_model_classifies_correctly(mnist_job: Command, root: Path) -> None:
    (comparison,) = compared(mnist_job, root, "base", "worse")["comparisons"]
    paired = comparison["paired"]
    images = paired["only_first_right"]
    count = json.loads((run_folder(root, "base") / "run.json").read_text())["metrics"]["count"]
    assert len(images) == round(count * 0.9) - round(count * 0.5)
    assert paired["only_second_right"] == []
    assert images[0]["label"] == images[0]["first"] != images[0]["second"]
    assert re.fullmatch(r"train/\d+", images[0]["id"]), "the row in the source"
    assert paired["p_value"] == pytest.approx(2 * 0.5 ** len(images))
    accuracy = paired["metrics"]["accuracy"]
    assert accuracy["difference"] == accuracy["second"] - accuracy["first"]
    assert accuracy["interval"]["low"] <= accuracy["difference"] <= accuracy["interval"]["high"] < 0
    methods = [paired["metrics"][name]["interval"]["method"] for name in ("accuracy", "loss")]
    assert methods == ["newcombe", "bootstrap"]
    text = mnist_job("compare", "base", "worse", "--root", root).stdout
    assert re.search(r"^on the test images +A +B +B − A  95 % interval +McNemar$", text, re.MULTILINE)


def test_other_data_are_counted_and_not_compared_by_image(mnist_job: Command, root: Path) -> None:
    (comparison,) = compared(mnist_job, root, "base", "other-data")["comparisons"]
    assert comparison["first_difference"]["component"] == "example_gen"
    assert comparison["same_data"] is False
    train = comparison["data"]["splits"]["train"]
    assert train["added"] == train["removed"] > 0
    assert comparison["paired"] is None
    text = mnist_job("compare", "base", "other-data", "--root", root).stdout
    assert "scored on different test images" in text
    assert re.search(r"^test images differ +A +B +B − A$", text, re.MULTILINE)
    assert f"train {train['added']} added" in text


def test_other_code_is_listed_by_file(mnist_job: Command, root: Path) -> None:
    record = run_folder(root, "worse") / "run.json"
    values = json.loads(record.read_text())
    changed, removed = sorted(values["source_files"])[:2]
    values["source_files"] |= {changed: "0" * 16, "components/testing/new.py": "1" * 16}
    del values["source_files"][removed]
    record.write_text(json.dumps(values))
    (comparison,) = compared(mnist_job, root, "base", "worse")["comparisons"]
    keys = {change["key"]: (change["before"] is None, change["after"] is None) for change in comparison["source_files"]}
    assert keys == {changed: (False, False), removed: (False, True), "components/testing/new.py": (True, False)}
    text = mnist_job("compare", "base", "worse", "--root", root).stdout
    assert f"{removed} (removed)" in text
    assert "new.py (new)" in text


def test_several_runs_are_compared_with_the_first(mnist_job: Command, root: Path) -> None:
    found = compared(mnist_job, root, "base", "worse", "other-data", run_folder(root, "base"))
    assert [len(found["runs"]), len(found["comparisons"])] == [4, 3]
    assert {comparison["first"] for comparison in found["comparisons"]} == {found["runs"][0]["run_id"]}
    assert found["comparisons"][-1]["first_difference"] is None


def test_deleted_and_damaged_artifacts_are_stated(mnist_job: Command, root: Path) -> None:
    shutil.rmtree(next((root / "artifacts" / "trainer").iterdir()))
    evaluation = (run_folder(root, "base") / "evaluator").resolve()
    (evaluation / "predictions.parquet").write_bytes(b"damaged")
    (comparison,) = compared(mnist_job, root, "base", "worse")["comparisons"]
    assert comparison["paired"] is None
    assert comparison["first_difference"]["component"] == "evaluator"
    assert mnist_job("compare", "base", "worse", "--root", root).exit_code == 0


def test_fits_on_a_terminal_of_80_columns_and_24_lines(root: Path) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=80, emoji=False)
    print_comparison(console, compare_runs(root, ["base", "worse"]))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 24


@pytest.mark.parametrize("names", [["base"], ["base"] * (len(LETTERS) + 1), ["base", "no-such-run"]])
def test_error_states_what_was_expected(mnist_job: Command, root: Path, names: list[str]) -> None:
    result = mnist_job("compare", *names, "--root", root)
    assert result.exit_code == 2
    assert "expected" in result.stderr
    assert "remedy" in result.stderr


def test_page_is_one_file_with_pictures_and_link_to_report(mnist_job: Command, root: Path, tmp_path: Path) -> None:
    page = tmp_path / "compared.html"
    assert mnist_job("compare", "base", "worse", "other-data", "--html", page, "--root", root).exit_code == 0
    html = page.read_text()
    document = read_html(html)
    assert "default-src 'none'" in html
    pictures = [element.attributes for element in document.all("img")]
    assert pictures
    assert all(picture["src"].startswith("data:image/png") for picture in pictures)
    assert "A compared with B, C" in html
    assert "config accuracy 0.9 → 0.5" in html
    assert "Only A is correct" in html
    assert not re.search(r"https?://(?!www\.w3\.org)", html)
    assert html.count("<h2>") == 4
