"""Drift: distances from a baseline, and the anomalies above their limits."""

from math import log2, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from components import Context, ExampleGen, Examples, Stored
from components.base.errors import DataError
from components.example_gen.validation.distribution_checks import jensen_shannon_distance
from tests.support.data import squares, write_idx


def generate(
    folder: Path,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    baseline: Stored[Examples] | None = None,
    **config: Any,
) -> Stored[Examples]:
    output = folder / "out"
    output.mkdir(parents=True)
    write_idx(folder / "train-images-idx3-ubyte", images)
    write_idx(folder / "train-labels-idx1-ubyte", labels)
    source = {"kind": "idx", "path": folder, "classes": int(labels.max()) + 1}
    component = ExampleGen(ExampleGen.Config.model_validate({"source": source, **config}))
    return Stored(component.run(Context(output=output), baseline=baseline), output)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Stored[Examples]:
    return generate(tmp_path_factory.mktemp("baseline"), *squares(1000))


def distances(examples: Stored[Examples], of: str) -> list[float]:
    assert examples.artifact.drift is not None
    return [measure.distance for measure in examples.artifact.drift.measures if measure.of == of]


def drifts(examples: Stored[Examples]) -> list[str]:
    return [anomaly.message for anomaly in examples.artifact.anomalies if anomaly.check == "drift"]


def test_has_no_drift_without_baseline(baseline: Stored[Examples]) -> None:
    assert baseline.artifact.drift is None


def test_same_data_has_distance_zero(tmp_path: Path, baseline: Stored[Examples]) -> None:
    again = generate(tmp_path, *squares(1000), baseline)
    drift = again.artifact.drift
    assert drift is not None
    assert [(measure.split, measure.of) for measure in drift.measures] == [
        (split, of) for split in ("train", "validation", "test") for of in ("labels", "ink", "pixels")
    ]
    assert {measure.distance for measure in drift.measures} == {0.0}
    assert drift.content_sha256 == baseline.artifact.source.identity["content_sha256"]
    assert again.artifact.anomalies == ()


def test_similar_images_are_within_the_limits(tmp_path: Path, baseline: Stored[Examples]) -> None:
    others = generate(tmp_path, *squares(1000, seed=5), baseline)
    assert max(distances(others, "pixels")) > 0
    assert drifts(others) == []


def test_brighter_images_drift_in_ink_and_pixels_only(tmp_path: Path, baseline: Stored[Examples]) -> None:
    images, labels = squares(1000)
    brighter = generate(tmp_path, images + np.uint8(30), labels, baseline)
    assert distances(brighter, "labels") == [0, 0, 0]
    assert min(distances(brighter, "ink")) > 0.9
    assert min(distances(brighter, "pixels")) > 0.1
    ink, pixels = drifts(brighter)
    assert ink.startswith("ink drift from the baseline (Jensen-Shannon): 1.000 in train, 1.000 in validation")
    assert ink.endswith("the limit is 0.2")
    assert pixels.startswith("pixels drift")
    assert {(anomaly.level, anomaly.count) for anomaly in brighter.artifact.anomalies} == {("warning", 1000)}
    assert brighter.artifact.anomalies_file is None, "drift names no single images"


def test_other_class_fractions_drift_in_labels_only(tmp_path: Path, baseline: Stored[Examples]) -> None:
    images, labels = squares(1300)
    kept = (labels != 4) | (np.arange(1300) % 40 == 4)  # 33 of 130
    fewer = generate(tmp_path, images[kept], labels[kept], baseline, checks={"class_imbalance": {"level": "off"}})
    assert distances(fewer, "labels")[0] == pytest.approx(0.1 - kept[labels == 4].sum() / kept.sum(), abs=2e-3)
    (message,) = drifts(fewer)
    assert message.startswith("labels drift from the baseline (largest difference): 0.07")


def test_other_classes_and_sizes_are_anomalies(tmp_path: Path, baseline: Stored[Examples]) -> None:
    eleven = generate(tmp_path / "more", *squares(1100, classes=11, size=32), baseline)
    messages = drifts(eleven)
    assert messages[:2] == ["the baseline has no class `10`", "the images are 32x32, and those of the baseline 28x28"]
    assert distances(eleven, "labels")[0] == pytest.approx(1 / 11, abs=2e-3)
    nine = generate(tmp_path / "fewer", *squares(900, classes=9), baseline)
    assert drifts(nine)[0] == "the baseline's class `9` is missing"


def test_classes_in_another_order_are_an_anomaly(tmp_path: Path, baseline: Stored[Examples]) -> None:
    reordered = baseline.artifact.model_copy(update={"class_names": baseline.artifact.class_names[::-1]})
    examples = generate(tmp_path, *squares(1000), Stored(reordered, baseline.directory))
    assert drifts(examples) == ["the baseline has the classes in another order, and so other labels for them"]
    assert max(distances(examples, "labels")) == 0


def test_drift_can_be_off_or_an_error(tmp_path: Path, baseline: Stored[Examples]) -> None:
    images, labels = squares(1000)
    off = generate(tmp_path / "off", images + np.uint8(30), labels, baseline, checks={"drift": {"level": "off"}})
    assert (off.artifact.drift, off.artifact.anomalies) == (None, ())
    with pytest.raises(DataError, match="ink drift from the baseline") as caught:
        generate(tmp_path / "error", images + np.uint8(30), labels, baseline, checks={"drift": {"level": "error"}})
    assert caught.value.remedy == "correct the data, or set example_gen.checks.drift.level to `warning`"


histogram = st.lists(st.integers(0, 10**6), min_size=16, max_size=16).filter(any)


@given(counts=histogram, others=histogram)
def test_jensen_shannon_distance_follows_lins_definition(counts: list[int], others: list[int]) -> None:
    divergence = 0.0
    for count, other in zip(counts, others, strict=True):
        p, q = count / sum(counts), other / sum(others)
        divergence += sum(x * log2(x / ((p + q) / 2)) / 2 for x in (p, q) if x)
    distance = jensen_shannon_distance(counts, others)
    assert 0 <= distance <= 1
    # Near 0 the square root amplifies rounding errors.
    assert distance == pytest.approx(sqrt(max(divergence, 0)), abs=1e-7)


def test_nearly_equal_histograms_have_a_distance() -> None:
    counts = [10**9 + 3 * bin_ for bin_ in range(16)]
    for bin_ in range(16):
        others = [count + (index == bin_) for index, count in enumerate(counts)]
        assert 0 <= jensen_shannon_distance(counts, others) < 1e-7
