"""Variants of `mnist-fast` for `experiments`: each changes one thing, by an override, a variable or a patch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


def _module(name: str) -> Any:
    """Return a module of `components` to patch; TensorFlow is imported first, as the job does."""
    importlib.import_module("components.runtime.tensorflow").import_tensorflow()
    return importlib.import_module(f"components.{name}")


def _patch(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Replace an attribute that exists by what `make` returns for it."""
    setattr(owner, name, make(getattr(owner, name)))


def _group_steps(steps: int) -> Callable[[], None]:
    def change() -> None:
        loop = _module("trainer.training_loop")
        _patch(loop, "GROUPS_PER_EPOCH", lambda _: 1)
        _patch(loop, "MAX_STEPS_PER_GROUP", lambda _: steps)

    return change


def _use_threads(count: int) -> Callable[[], None]:
    def change() -> None:
        # Before TensorFlow is imported, which reads the number of threads.
        for module in ("components.runtime.tensorflow", "components.trainer.component"):
            _patch(importlib.import_module(module), "cpu_limit", lambda _: lambda: count)

    return change


def _compile_with_xla() -> None:
    def with_xla(loop: Any) -> Any:
        return lambda *arguments, **options: loop(*arguments, **{**options, "xla": True})

    _patch(_module("trainer.train_network"), "TrainingLoop", with_xla)


def _use_precision(policy: str) -> Callable[[], None]:
    def change() -> None:
        def with_policy(config: Any) -> Any:
            return lambda **_: config(xla=False, precision=policy)

        _patch(_module("trainer.component"), "GpuConfig", with_policy)

    return change


def _cache_bytes() -> None:
    """Cache images as uint8 and scale them in the training step."""
    cache = _module("trainer.device_cache")
    import numpy as np
    import tensorflow as tf

    class Bytes:
        def __init__(self, split: Any) -> None:
            self._split, self.labels, self.image_shape = split, split.labels, split.image_shape

        def __len__(self) -> int:
            return len(self.labels)

        def read(self, start: int, stop: int) -> Any:
            return np.rint(self._split.read(start, stop) * 255).astype(np.uint8)

    def init_with_bytes(init: Any) -> Any:
        def wrapped(self: Any, split: Any) -> None:
            init(self, split)
            self.split, shape = Bytes(split), split.image_shape
            self._images = tf.Variable(np.zeros((0, *shape), np.uint8), shape=(None, *shape), trainable=False)

        return wrapped

    def gather_scaled(gather: Any) -> Any:
        def wrapped(self: Any, rows: Any) -> tuple[Any, Any]:
            images, labels = gather(self, rows)
            return tf.cast(images, tf.float32) * (1 / 255), labels

        return wrapped

    _patch(cache.DeviceCache, "__init__", init_with_bytes)
    _patch(cache.DeviceCache, "gather", gather_scaled)


def _gather_in_pipeline() -> None:
    """Gather images in the input pipeline, on the host, instead of in the training step."""
    classifier, cache = _module("trainer.train_step").Classifier, _module("trainer.device_cache").DeviceCache
    gather_rows = cache.gather

    def fit_images(fit: Any) -> Any:
        def wrapped(self: Any, batches: Any, **options: Any) -> Any:
            images = self.train_images
            return fit(self, batches.map(lambda step, rows: (step, gather_rows(images, rows))).prefetch(4), **options)

        return wrapped

    _patch(classifier, "fit", fit_images)
    _patch(cache, "gather", lambda gather: lambda self, rows: rows if isinstance(rows, tuple) else gather(self, rows))


def _relu_before_pooling() -> None:
    def reorder(build_network: Any) -> Any:
        def build(*arguments: Any, **options: Any) -> Any:
            import keras

            network = build_network(*arguments, **options)
            layers = list(network.layers)
            for pooling in [layer for layer in layers if layer.name.startswith("pooling")]:
                start = layers.index(pooling)
                end = next(at for at in range(start, len(layers)) if layers[at].name.startswith("relu"))
                layers[start : end + 1] = [*layers[start + 1 : end + 1], pooling]
            return keras.Sequential([keras.Input(network.input_shape[1:]), *layers])

        return build

    _patch(_module("trainer.network"), "build_network", reorder)


def _import_tensorflow_in_thread() -> None:
    import threading

    runtime = importlib.import_module("components.runtime.tensorflow")
    threading.Thread(target=runtime.import_tensorflow).start()


def _no_change() -> None:
    """Leave the code unchanged."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One change.

    Attributes:
        overrides: of the configuration.
        environment: variables of the process.
        change: patches the code, in the process and before the job runs.
        fresh: whether the process also runs ExampleGen and Transform.
    """

    overrides: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    change: Callable[[], None] = _no_change
    fresh: bool = False


VARIANTS: Mapping[str, Variant] = {
    "as shipped": Variant(),
    "images as uint8, scaled in the step": Variant(change=_cache_bytes),
    "images from the input pipeline": Variant(change=_gather_in_pipeline),
    "1 step per execution": Variant(change=_group_steps(1)),
    "8 steps per execution": Variant(change=_group_steps(8)),
    "an epoch per execution": Variant(change=_group_steps(10_000)),
    "ReLU before pooling": Variant(change=_relu_before_pooling),
    "XLA": Variant(change=_compile_with_xla),
    "mixed_bfloat16": Variant(change=_use_precision("mixed_bfloat16")),
    "1 thread": Variant(change=_use_threads(1)),
    "4 threads": Variant(change=_use_threads(4)),
    "without oneDNN": Variant(environment={"TF_ENABLE_ONEDNN_OPTS": "0"}),
    "batch 64": Variant(overrides=("trainer.batch_size=64",)),
    "batch 256": Variant(overrides=("trainer.batch_size=256",)),
    "batch 512": Variant(overrides=("trainer.batch_size=512",)),
    "constant rate 0.001": Variant(overrides=("trainer.learning_rate={schedule: constant, rate: 0.001}",)),
    "cosine from 0.01": Variant(overrides=("trainer.learning_rate={schedule: cosine, peak: 0.01}",)),
    "Adam's default betas": Variant(overrides=("trainer.optimizer={beta_1: 0.9, beta_2: 0.999}",)),
    "without label smoothing": Variant(overrides=("trainer.label_smoothing=0.0",)),
    "without batch normalization": Variant(overrides=("trainer.network.batch_normalization=false",)),
    "padding same everywhere": Variant(overrides=("trainer.network.padding=[same, same, same]",)),
    "kernels 3, 3, 3": Variant(overrides=("trainer.network.kernels=[3, 3, 3]",)),
    "filters 12, 32, 64": Variant(overrides=("trainer.network.filters=[12, 32, 64]",)),
    "filters 8, 24, 48": Variant(overrides=("trainer.network.filters=[8, 24, 48]",)),
    "affine augmentation": Variant(overrides=("trainer.augmentation={rotation: 10.0, zoom: 0.1, shift: 0.05}",)),
    "whole data path": Variant(fresh=True),
    "whole data path, TensorFlow imported in a thread": Variant(fresh=True, change=_import_tensorflow_in_thread),
    "whole data path, without .pyc files": Variant(
        fresh=True, environment={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "/nowhere"}
    ),
}
