"""Custom sources: options, identity, labels, and classes or data that do not fit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from components import ImageSource
from components.artifacts import Source
from components.base.errors import ConfigError, DataError
from components.example_gen import ExampleGen, ExampleGenConfig
from components.example_gen.sources.base import SourceConfig
from tests.conftest import FAKES, Command, WriteConfig
from tests.support.data import load, squares

IMAGES = squares(20)[0]
LABELS = squares(20)[1]


class Given(ImageSource):
    """Yields what a test sets."""

    training: Any = [(IMAGES, LABELS)]
    test: Any = ()

    def __init__(self, path: Path | None = None, count: int = 1) -> None:
        self.path, self.count = path, count

    def identity(self) -> dict[str, str]:
        return {} if self.path is None else {"data": self.path.read_text()}

    def batches(self) -> Iterator[Any]:
        yield from self.training

    def test_batches(self) -> Iterator[Any]:
        yield from self.test


def source_of(use: Any, **options: Any) -> SourceConfig:
    return ExampleGenConfig.model_validate({"source": {"use": use, **options}}).source


def given(training: Any, test: Any = (), **attributes: Any) -> SourceConfig:
    return source_of(type("Given", (Given,), {"training": training, "test": test, **attributes}))


def test_reads_batches_and_a_test_set() -> None:
    dataset = load(
        given([(IMAGES[:15], LABELS[:15]), (IMAGES[15:], LABELS[15:])], [(IMAGES[:10, ..., None], LABELS[:10])])
    )
    assert dataset.title == "Given"
    assert dataset.class_names == tuple("0123456789")
    np.testing.assert_array_equal(dataset.train.images, IMAGES)
    np.testing.assert_array_equal(dataset.train.labels, LABELS)
    assert dataset.test is not None
    np.testing.assert_array_equal(dataset.test.images, IMAGES[:10])


def test_reads_color() -> None:
    colors = np.random.default_rng(0).integers(0, 256, (20, 6, 6, 3), dtype=np.uint8)
    np.testing.assert_array_equal(load(given([(colors, LABELS)])).train.images, colors)


@pytest.mark.parametrize(
    ("labels", "class_names", "names", "indices"),
    [
        (["b", "a", "b"], (), ("a", "b"), [1, 0, 1]),
        (["10", "9", "a"], (), ("9", "10", "a"), [1, 0, 2]),
        ([7, 3, 7], (), ("3", "7"), [1, 0, 1]),
        ([1, 0, 1], ("no", "yes"), ("no", "yes"), [1, 0, 1]),
        (["yes", "no", "no"], ("yes", "no"), ("yes", "no"), [0, 1, 1]),
    ],
)
def test_labels_are_numbers_or_names_of_classes(
    labels: Any, class_names: Any, names: tuple[str, ...], indices: list[int]
) -> None:
    dataset = load(given([(IMAGES[:3], labels)], class_names=class_names))
    assert (dataset.class_names, dataset.train.labels.tolist()) == (names, indices)


def test_identity_has_options_and_content_but_no_path(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for path in (here, there):
        path.write_text("content")
    assert source_of(Given, path=here).identity() == source_of(Given, path=str(there)).identity()
    assert source_of(Given, path=here, count=2).identity() != source_of(Given, path=here).identity()
    there.write_text("changed")
    assert source_of(Given, path=there).identity()["data"] == "changed"


class Options(BaseModel):
    path: Path
    count: int = 1


class WithModel(Given):
    def __init__(self, config: Options) -> None:
        super().__init__(config.path, config.count)


def test_options_may_be_a_pydantic_model(tmp_path: Path) -> None:
    identities = []
    for name in ("here", "there"):
        (tmp_path / name).write_text("content")
        identities.append(source_of(WithModel, path=str(tmp_path / name), count=3).identity())
    use = f"{__name__}:WithModel"
    assert identities == [{"use": use, "count": "3", "data": "content"}] * 2


class Other(Given):
    """Reads something else."""


def test_another_class_is_not_a_version_of_the_same_data() -> None:
    source = Source(kind="custom", title="Given", identity=source_of(Given, count=2).identity())
    assert source_of(Given).is_version_of(source)
    assert not source_of(Other).is_version_of(source)


class NoBatches(ImageSource):
    def identity(self) -> dict[str, str]:
        return {}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"use": f"{__name__}:Given", "path": 3}, "expected: text, a path"),
        ({"use": "pathlib:Path"}, "pathlib:Path is not a subclass of ImageSource"),
        ({"use": f"{__name__}:squares"}, "squares is not a subclass of ImageSource"),
        ({"use": f"{__name__}:NoBatches"}, "NoBatches has no batches"),
        ({"use": f"{__name__}:Missing"}, "has no `Missing`"),
        ({"use": f"{__name__}:Given", "counts": 3}, "has no option `counts`"),
        ({"use": f"{__name__}:Given", "count": "three"}, "example_gen.source.count is 'three'"),
    ],
)
def test_class_that_does_not_fit_exits_with_2(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, section: dict[str, Any], message: str
) -> None:
    config = write_config({**FAKES, "example_gen": {"source": section}})
    result = mnist_job("run", "--config", config, "--root", tmp_path / "root")
    assert result.exit_code == 2
    assert message in result.stderr
    assert f"{config}:" in result.stderr
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([(IMAGES / 255, LABELS)], r"training batch 0 is float64 \[20, 28, 28\]"),
        ([(IMAGES[0], LABELS)], r"training batch 0 is uint8 \[28, 28\]"),
        ([(IMAGES, LABELS[:3])], r"20 images and labels of shape \[3\]"),
        ([(IMAGES, LABELS), (IMAGES[:, 1:], LABELS)], "training batch 1 has images of 27x28"),
        ([(IMAGES, LABELS - 1)], "training image 0 of .*Given has the label -1"),
        ([(IMAGES, LABELS / 2)], "training image 0 of .* has the label 0.0"),
        ([(IMAGES[:3], ["a", "b", None])], "training image 2 of .* has the label None"),
    ],
)
def test_data_that_do_not_fit_raise_data_error(batches: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load(given(batches))
    assert caught.value.expected
    assert caught.value.remedy


def test_label_without_class_names_the_test_image() -> None:
    with pytest.raises(DataError, match="test image 1 of .* has the label 2") as caught:
        load(given([(IMAGES[:2], [0, 1])], [(IMAGES[:2], [0, 2])], class_names=("no", "yes")))
    assert caught.value.expected == "one of the 2 labels 0, 1"


class Failing(Given):
    def batches(self) -> Iterator[Any]:
        raise ZeroDivisionError("no images")


def test_failing_class_raises_config_error() -> None:
    with pytest.raises(ConfigError, match="yields no batch"):
        load(given([]))
    with pytest.raises(ConfigError, match=r"Failing raised ZeroDivisionError: no images \(test_image_source.py, line"):
        load(source_of(Failing))


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file", "a.npz"), EOFError(), BadZipFile("not a zip")])
def test_unreadable_data_raise_data_error(error: Exception) -> None:
    def fail() -> Iterator[Any]:
        raise error
        yield

    with pytest.raises(DataError, match=f"raised {type(error).__name__}"):
        load(source_of(type("Failing", (Given,), {"batches": lambda _: fail()})))


def test_identity_of_other_objects_is_refused() -> None:
    source = source_of(type("Given", (Given,), {"identity": lambda self: {"files": {"a", "b"}}}))  # noqa: ARG005
    with pytest.raises(ConfigError, match="has the identity `files`: {'[ab]', '[ab]'}, which is neither"):
        source.identity()


def test_options_survive_json_and_kind_is_not_needed() -> None:
    config = ExampleGenConfig.model_validate({"source": {"use": Given, "count": 3}})
    assert ExampleGenConfig.model_validate_json(config.model_dump_json()) == config
    assert ExampleGen(config).identity()["source"]["count"] == "3"
    with pytest.raises(ValidationError, match="count"):
        source_of(Given, count=True)
