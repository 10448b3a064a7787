from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import job
from components import ConfigError, DataError
from components.artifacts import Model
from components.base.errors import IntegrityError
from components.testing import FakeEvaluator, FakeExampleGen, FakeTrainer, FakeTransform, FakeVisualizer
from job import JobConfig, Pipeline, Run, load_run, run
from job.python.html import render_run
from job.store.records import Failure
from tests.support.processes import REPOSITORY

QUIET = Console(quiet=True)
FAKES = Pipeline(
    example_gen=FakeExampleGen(),
    transform=FakeTransform(),
    trainer=FakeTrainer(),
    evaluator=FakeEvaluator(),
    visualizer=FakeVisualizer(),
)


@pytest.fixture
def finished(finished_root: Path) -> Run:
    return load_run(root=finished_root)


def test_run_has_metrics_by_split_and_tables(finished: Run) -> None:
    assert finished.metrics.validation.keys() == {"accuracy", "loss"}
    assert finished.metrics.test["accuracy"] == finished.record.metrics["accuracy"]  # type: ignore[index]
    assert "count" not in finished.metrics.test
    assert list(finished.history.columns) == ["loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]
    assert finished.history.index.tolist() == [1]
    predictions = finished.predictions
    assert (predictions.label == predictions.prediction).mean() == finished.metrics.test["accuracy"]
    assert set(predictions.label) == {"0", "1", "2"}
    assert isinstance(finished.artifact("trainer").artifact, Model)


def test_run_is_loaded_by_its_folder(finished: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished.root.parent)
    for name in (finished.directory, "root/runs/latest", finished.directory.relative_to(finished.root.parent)):
        again = load_run(name)
        assert again.id == finished.id
        assert again.metrics == finished.metrics


def test_model_predicts_the_test_images_again(finished: Run) -> None:
    test, model = finished.examples("test"), finished.model()
    predicted = model.predict(test.images)
    assert predicted.prediction.tolist() == finished.predictions.prediction.tolist()
    assert [model.class_names[label] for label in test.labels] == finished.predictions.label.tolist()
    assert model.predict(test.images[0]).prediction[0] == predicted.prediction[0]


@pytest.mark.parametrize("images", [np.zeros((2, 16, 16)), np.zeros((16, 17), "u1"), np.zeros((0, 16, 16), "u1"), []])
def test_model_rejects_other_images(finished: Run, images: object) -> None:
    with pytest.raises(DataError, match=r"(?s)the images are .*expected: uint8 \[count, 16, 16\]"):
        finished.model().predict(images)  # type: ignore[arg-type]


def test_model_reads_files_as_the_command_does(finished: Run, tmp_path: Path) -> None:
    images, model = finished.examples("test").images[:2], finished.model()
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number}.png")
    assert model.read(folder, as_is=True).tolist() == images.tolist()
    with pytest.raises(DataError, match="nothing.png"):
        model.read(tmp_path / "nothing.png")


def test_run_until_a_step_reuses_what_exists(finished: Run) -> None:
    again = run(FAKES, root=finished.root, until="trainer", console=QUIET)
    assert [step.status for step in again.record.steps] == ["reused"] * 3
    assert again.metrics.test == {}
    assert again.blessed is None
    assert again.metrics.validation == finished.metrics.validation
    with pytest.raises(ConfigError, match=r"(?s)no finished evaluator.*expected: one of example_gen.*remedy: "):
        _ = again.predictions


def test_configuration_pipeline_and_path_run_the_same(finished: Run, fake_config: Path) -> None:
    for config in (JobConfig(pipeline=FAKES), fake_config, str(fake_config)):
        again = run(config, root=finished.root, until="transform", console=QUIET)
        assert [step.status for step in again.record.steps] == ["reused"] * 2


def test_mistakes_in_python_are_explained(finished: Run) -> None:
    data = run(FAKES, root=finished.root, until="example_gen", console=QUIET)
    mistakes: list[tuple[Callable[[], object], str]] = [
        (lambda: run({"trainer": {"epochs": 3}}), "is not a path"),  # type: ignore[arg-type]
        (lambda: data.examples("tset"), "there is no split `tset`"),
        (data.model, "has no finished trainer"),
    ]
    for mistake, message in mistakes:
        with pytest.raises(ConfigError, match=f"(?s){message}.*expected: .*remedy: "):
            mistake()


def test_show_prints_what_the_command_prints(finished: Run, capsys: pytest.CaptureFixture[str]) -> None:
    finished.show()
    printed = capsys.readouterr().out
    assert finished.id in printed
    assert "by FakeVisualizer" in printed


def test_html_of_a_run_has_metrics_steps_and_reasons(finished: Run) -> None:
    page = finished._repr_html_()
    assert finished.report is None, "the fake writes none"
    for text in ("BLESSED", "macro f1", "validation", "example_gen", "first time", finished.id):
        assert text in page


def test_html_of_a_failed_run_is_escaped(finished: Run) -> None:
    failure = Failure(component="trainer", headline="<b>\x1b[31m", expected="more", remedy="buy some")
    page = render_run(
        finished.record.model_copy(update={"blessed": None, "failure": failure, "outcome": "failed"}), {}, {}
    )
    assert "&lt;b&gt;\\x1b[31m" in page
    assert "buy some" in page
    assert ">failed<" in page


def test_run_without_its_model_is_still_displayed(finished: Run) -> None:
    manifest = finished.directory / "trainer" / "manifest.json"
    manifest.unlink()
    assert "BLESSED" in finished._repr_html_()
    with pytest.raises(IntegrityError):
        _ = finished.history


def test_public_names_are_imported_on_first_use() -> None:
    code = (
        "import sys, job; assert not {'pydantic', 'rich'} & {*sys.modules}; from job import *; run, load_run, Pipeline"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
    with pytest.raises(AttributeError, match="no attribute 'running'"):
        _ = job.running  # type: ignore[attr-defined]
    assert all(callable(getattr(job, name)) for name in job.__all__)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import job, components; print(components.__file__)", str(REPOSITORY / "components" / "__init__.py")),
        ("import components, job", "shadows the package `components` of mnist-job"),
    ],
)
def test_folder_with_its_own_components(code: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "components").mkdir()
    (tmp_path / "components" / "__init__.py").write_text("mine = True\n")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(REPOSITORY)!r}); {code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found in done.stdout + done.stderr
