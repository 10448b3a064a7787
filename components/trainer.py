"""Trainer: from scaled images to a trained network, in the forms that one deploys."""

from __future__ import annotations

import platform
from contextlib import nullcontext
from functools import partial
from typing import Any

from components.artifacts import Model, Stored, TrainingEnvironment, TransformedExamples
from components.component import Component, Context
from components.runtime.disk import room_for
from components.runtime.libraries import library_version
from components.runtime.resources import cpu_limit, processor
from components.runtime.tensorflow import choose_device, import_tensorflow, make_deterministic, require_gpu
from components.training.cnn import build_network
from components.training.config import GpuConfig, TrainerConfig

FORMS = 3
"""The weights are written as `.keras`, as a draft of it, and as a SavedModel."""


class Trainer(Component[TrainerConfig]):
    """Builds the convolutional network and trains it with `fit()`."""

    Config = TrainerConfig
    libraries = ("tensorflow", "keras", "numpy")

    def identity(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json", exclude={"checkpoint"})

    def preflight(self) -> None:
        """Raise ResourceError now if a GPU is asked for and none can be had."""
        if self.config.device == "gpu":
            require_gpu()

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        """Train, and write `model.keras`, `saved_model/` and `history.csv`.

        Raises:
            TerminationError: if the job was asked to end; training goes on from there the next time.
            ConfigError: if the images are too small for the network's pooling, or training diverges.
            StorageError: if there is no space for the model or a checkpoint.
            ResourceError: if a GPU is asked for and TensorFlow sees none.
        """
        with context.timed("imports"):
            tf = import_tensorflow()
            from components.data.formats import read_scaled
            from components.training.exporting import weights_digest, write_keras, write_saved_model
            from components.training.fitting import fit
            from components.training.history import write_history

        device = choose_device(tf, self.config.device)
        make_deterministic(tf, device)
        threads = tf.config.threading.get_intra_op_parallelism_threads() or cpu_limit()
        machine = f"{processor()} with {threads} threads" if device == "CPU" else device
        config, stated, output = self.config, transformed.artifact, context.output
        classes = len(stated.class_names)
        # Not by hiding the GPUs: TensorFlow may have begun to work in this process, and then refuses.
        context.termination.check()
        gpu = config.gpu if device != "CPU" else GpuConfig(xla=False)
        build = partial(
            build_network, config.network, image_shape=stated.image_shape, classes=classes, seed=config.seed
        )
        with tf.device("CPU") if device == "CPU" else nullcontext():
            with context.timed("building"):
                network = build(precision=gpu.precision)
            with context.timed("training"):
                fitted = fit(
                    network,
                    config,
                    read_scaled(transformed, stated.splits.train),
                    read_scaled(transformed, stated.splits.validation),
                    context,
                    machine=machine,
                    xla=gpu.xla,
                )
            if gpu.precision != "float32":  # what is deployed computes in float32 everywhere
                trained, network = network, build()
                network.set_weights(trained.get_weights())
        with context.timed("exporting"), room_for(output, FORMS * network.count_params() * 4, "the trained model"):
            write_keras(network, output / "model.keras")
            write_saved_model(network, stated.graph, output / "saved_model", test_time_shift=config.test_time_shift)
            write_history(fitted.history, output / "history.csv")
        return Model(
            format="keras",
            file="model.keras",
            saved_model="saved_model",
            history_file="history.csv",
            image_shape=stated.image_shape,
            class_names=stated.class_names,
            test_time_shift=config.test_time_shift,
            parameters=network.count_params(),
            weights_sha256=weights_digest(network),
            history=fitted.history,
            best_epoch=fitted.best_epoch,
            stopped_early=fitted.stopped_early,
            environment=TrainingEnvironment(
                versions={name: library_version(name) for name in self.libraries},
                python=platform.python_version(),
                device=device,
                threads=threads,
                seed=config.seed,
            ),
        )
