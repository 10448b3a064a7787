"""The job's `mnist-fast`, each time with one thing done otherwise: what was worth trying, and how it is tried."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


def _module(name: str) -> Any:
    """Return a module of `components`, to be tampered with."""
    return importlib.import_module(f"components.{name}")


def _pieces_of(steps: int) -> Callable[[], None]:
    def change() -> None:
        fitting = _fitting()
        fitting.REPORTS_AN_EPOCH, fitting.LONGEST_PIECE = 1, steps

    return change


def _threads(count: int) -> Callable[[], None]:
    def change() -> None:
        _module("runtime.tensorflow").cpu_limit = _module("trainer").cpu_limit = lambda: count

    return change


def _fit_with(**options: Any) -> Callable[[], None]:
    def change() -> None:
        fitting = _fitting()
        fit = fitting.fit
        fitting.fit = lambda *arguments, **given: fit(*arguments, **{**given, **options})

    return change


def _precision(policy: str) -> Callable[[], None]:
    def change() -> None:
        trainer = _module("trainer")
        config = trainer.GpuConfig(xla=False, precision=policy)
        trainer.GpuConfig = lambda **_: config

    return change


def _fitting() -> Any:
    """Return the module that fits; TensorFlow must have been imported in our way before it."""
    _module("runtime.tensorflow").import_tensorflow()
    return _module("training.fitting")


def _images_as_bytes() -> None:
    _fitting()
    import numpy as np
    import tensorflow as tf

    resident = _module("training.resident")
    read, kind = resident.read_rows, resident.DeviceCache
    begin, take = kind.__init__, kind.take

    def beginning(self: Any, split: Any) -> None:
        begin(self, split)
        shape = (None, *split.images.shape[1:])
        self._images = tf.Variable(np.zeros((0, *shape[1:]), np.uint8), shape=shape, trainable=False)

    def taking(self: Any, rows: Any) -> tuple[Any, Any]:
        images, labels = take(self, rows)
        return tf.cast(images, tf.float32) * (1 / 255), labels

    def reading(array: Any, start: int, stop: int) -> Any:
        rows = read(array, start, stop)
        return np.rint(rows * 255).astype(np.uint8) if rows.dtype == np.float32 else rows

    kind.__init__, kind.take, resident.read_rows = beginning, taking, reading


def _images_from_the_pipeline() -> None:
    fitting = _fitting()
    batches, kind = fitting.training_batches, _module("training.resident").DeviceCache
    take, acquire = kind.take, kind.acquire
    held: list[Any] = []

    def holding(self: Any, start: int, rows: int) -> None:
        acquire(self, start, rows)
        held.append(self)

    def gathered(rows: Any, **options: Any) -> Any:
        resident = held[-1]
        return batches(rows, **options).map(lambda step, rows: (step, take(resident, rows))).prefetch(4)

    def taking(self: Any, rows: Any) -> Any:
        return rows if isinstance(rows, tuple) else take(self, rows)

    kind.acquire, kind.take, fitting.training_batches = holding, taking, gathered


def _relu_before_pooling() -> None:
    trainer = _module("trainer")
    build_network = trainer.build_network

    def build(*arguments: Any, **options: Any) -> Any:
        import keras

        network = build_network(*arguments, **options)
        layers = list(network.layers)
        for pooling in [layer for layer in layers if layer.name.startswith("pooling")]:
            place = layers.index(pooling)
            end = next(at for at in range(place, len(layers)) if layers[at].name.startswith("relu"))
            layers[place : end + 1] = [*layers[place + 1 : end + 1], pooling]
        return keras.Sequential([keras.Input(network.input_shape[1:]), *layers])

    trainer.build_network = build


def _import_tensorflow_beside() -> None:
    import threading

    threading.Thread(target=_module("runtime.tensorflow").import_tensorflow).start()


def _nothing() -> None:
    """Change nothing."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One thing done otherwise.

    Attributes:
        overrides: of the configuration.
        environment: variables of the process.
        change: done in the process before the job runs.
        fresh: whether data is read and scaled in this process, too.
    """

    overrides: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    change: Callable[[], None] = _nothing
    fresh: bool = False


VARIANTS: Mapping[str, Variant] = {
    "as shipped": Variant(),
    "images as uint8, scaled in the step": Variant(change=_images_as_bytes),
    "images from the input pipeline": Variant(change=_images_from_the_pipeline),
    "1 step an execution": Variant(change=_pieces_of(1)),
    "8 steps an execution": Variant(change=_pieces_of(8)),
    "an epoch an execution": Variant(change=_pieces_of(10_000)),
    "ReLU before pooling": Variant(change=_relu_before_pooling),
    "XLA": Variant(change=_fit_with(xla=True)),
    "mixed_bfloat16": Variant(change=_precision("mixed_bfloat16")),
    "1 thread": Variant(change=_threads(1)),
    "4 threads": Variant(change=_threads(4)),
    "without oneDNN": Variant(environment={"TF_ENABLE_ONEDNN_OPTS": "0"}),
    "batch 64": Variant(overrides=("trainer.batch_size=64",)),
    "batch 256": Variant(overrides=("trainer.batch_size=256",)),
    "batch 512": Variant(overrides=("trainer.batch_size=512",)),
    "constant rate 0.001": Variant(overrides=("trainer.learning_rate={schedule: constant, rate: 0.001}",)),
    "cosine from 0.01": Variant(overrides=("trainer.learning_rate={schedule: cosine, peak: 0.01}",)),
    "Adam's usual betas": Variant(overrides=("trainer.optimizer={beta_1: 0.9, beta_2: 0.999}",)),
    "without label smoothing": Variant(overrides=("trainer.label_smoothing=0.0",)),
    "without batch normalization": Variant(overrides=("trainer.network.batch_normalization=false",)),
    "padding same, everywhere": Variant(overrides=("trainer.network.padding=[same, same, same]",)),
    "kernels 3, 3, 3": Variant(overrides=("trainer.network.kernels=[3, 3, 3]",)),
    "filters 12, 32, 64": Variant(overrides=("trainer.network.filters=[12, 32, 64]",)),
    "filters 8, 24, 48": Variant(overrides=("trainer.network.filters=[8, 24, 48]",)),
    "affine augmentation": Variant(overrides=("trainer.augmentation={rotation: 10.0, zoom: 0.1, shift: 0.05}",)),
    "from the source on": Variant(fresh=True),
    "from the source on, TensorFlow imported beside": Variant(fresh=True, change=_import_tensorflow_beside),
    "from the source on, without .pyc files": Variant(
        fresh=True, environment={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "/nowhere"}
    ),
}
