"""The `.keras` file in other releases of Keras: it opens in safe mode and predicts the same bits."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components import Transform
from components.artifacts import GraphOperation
from components.inference.transform_graph import apply_numpy, scaling_graph
from components.trainer import Trainer
from components.trainer.export import keras_file
from components.trainer.export.keras_config import make_portable
from components.trainer.export.serving_model import ExampleImages, RawImages, ServingModel
from components.trainer.network_function import NetworkFunction
from job.config.config import load_config
from tests.support.networks import nested
from tests.support.processes import REPOSITORY

PRESETS = {"digits": ["trainer.network.pooling=3"], "mnist-best": []}
"""Presets, and the keys that the test overrides. Together they have crop, dropout, batch normalization, overlapping
pooling, both paddings, means over shifts, and operations of the transform."""
OWN = "nested"
"""A custom network: nested functional models."""
RELEASES = ("3.3.3", "3.8.0", "3.14.1")
"""The oldest release, the one from which functional models state a single input differently, and the last one whose
initializers have no axes."""
SCRIPT = """
import sys, warnings
import numpy as np
with warnings.catch_warnings():  # TensorFlow and an old Keras have some of their own
    warnings.simplefilter("ignore")
    import keras
assert keras.__version__ == sys.argv[1], keras.__version__
for preset in sys.argv[2:]:
    model = keras.models.load_model(f"{preset}.keras", safe_mode=True)
    np.save(f"{preset}-{keras.__version__}.npy", model(np.load("images.npy")))
"""


def sharpen(pictures: Any, ops: Any) -> Any:
    return ops.clip(pictures * 2.0 - ops.mean(pictures, axis=(1, 2), keepdims=True), 0.0, 1.0)


def operations(images: RawImages) -> Iterator[GraphOperation]:
    """Yield every operation of the transform."""
    pictures = apply_numpy(scaling_graph(), images)
    kinds = ({"kind": "resize", "size": (28, 28)}, {"kind": "standardize"}, sharpen)
    for operation in Transform.Config(operations=kinds).operations:
        yield from operation.fit([pictures])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raw images, untrained models of each preset and of a custom network, and their predictions."""
    folder = tmp_path_factory.mktemp("models")
    random = np.random.default_rng(0)
    images: RawImages = random.integers(0, 256, (20, 28, 28), dtype=np.uint8)
    np.save(folder / "images.npy", images)
    for preset in (*PRESETS, OWN):
        config = Trainer.Config(network=NetworkFunction.model_validate(nested), test_time_shift=1)
        if preset != OWN:
            preset_config = load_config(REPOSITORY / f"configs/{preset}.yaml", PRESETS[preset]).pipeline.trainer.config
            config = Trainer.Config.model_validate(preset_config.model_dump())
        network = config.network.build(image_shape=(28, 28, 1), classes=10, seed=1)
        # An untrained bias is zero, and untrained statistics normalize nothing.
        weights = network.get_weights()
        network.set_weights([w + random.uniform(0.1, 0.2, w.shape) if w.ndim == 1 else w for w in weights])
        graph = (*scaling_graph(), *(operations(images) if preset == "digits" else ()))
        model = ServingModel.from_network(network, graph, config.test_time_shift)
        keras_file.write(model, folder / f"{preset}.keras", ExampleImages(check=images, calibration=lambda: [images]))
        predicted = keras_file.predict(folder / f"{preset}.keras", images)["probabilities"]
        np.testing.assert_allclose(predicted, model.predict(images), atol=1e-6)
        assert np.ptp(predicted, axis=0).max() > 1e-3, "the predictions depend on the images"
        np.save(folder / f"{preset}.npy", predicted)
    return folder


@pytest.mark.thorough
@pytest.mark.parametrize("release", RELEASES)
def test_other_release_predicts_the_same_bits(release: str, folder: Path, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(tmp_path), f"keras=={release}"]
    installed = subprocess.run(pip, capture_output=True, text=True, timeout=300)
    if installed.returncode:
        pytest.skip(f"keras {release} cannot be installed: {installed.stderr.strip().splitlines()[-1]}")
    python = [sys.executable, "-W", "error", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}){SCRIPT}"]
    subprocess.run([*python, release, *PRESETS, OWN], cwd=folder, check=True, timeout=300)
    for preset in (*PRESETS, OWN):
        predicted, expected = np.load(folder / f"{preset}-{release}.npy"), np.load(folder / f"{preset}.npy")
        np.testing.assert_array_equal(predicted, expected)


class Later:
    """A class of a release to come: it has an option, a flag, and a key that `from_config` requires."""

    def __init__(self, units: int, scale: float = 1.0, fused: bool | None = None, offset: float = 0.0) -> None:
        pass

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Later":
        return cls(offset=config.pop("offset"), **config)


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ({"units": 3, "scale": 1.0, "fused": False, "offset": 0.0}, {"units": 3, "offset": 0.0}),
        (
            {"units": 3, "scale": 2.0, "fused": True, "offset": 0.0},
            {"units": 3, "scale": 2.0, "fused": True, "offset": 0.0},
        ),
        ({"units": 0, "scale": 1.0, "fused": None, "offset": 1.0}, {"units": 0, "offset": 1.0}),
    ],
)
def test_only_keys_that_change_something_stay(config: dict[str, Any], kept: dict[str, Any]) -> None:
    def serialized(config: dict[str, Any]) -> dict[str, Any]:
        inner = {"module": __name__, "class_name": "Later", "config": config, "registered_name": None}
        dtype = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}
        return {"layers": [inner], "dtype": dtype, "class_name": "Unknown", "module": "nowhere", "config": {"axis": 1}}

    assert make_portable(serialized(config)) == serialized(kept) | {"dtype": "float32"}
