"""Trainer: from scaled images to a trained network, in the forms that one deploys."""

from __future__ import annotations

import platform
from contextlib import nullcontext
from functools import partial
from typing import Any

from components.artifacts import Model, Stored, TrainingEnvironment, TransformedExamples
from components.base.component import Component, Context
from components.runtime.disk import disk_space_guard
from components.runtime.libraries import library_version
from components.runtime.resources import cpu_limit, processor
from components.runtime.tensorflow import choose_device, import_tensorflow, make_deterministic, require_gpu
from components.trainer.config import GpuConfig, TrainerConfig
from components.trainer.export import onnx_file
from components.trainer.network import build_network

COPIES = 5
"""Of the weights that are written at most: as `.keras`, as a draft of it, as SavedModel, LiteRT and ONNX."""


class Trainer(Component[TrainerConfig]):
    """Builds the convolutional network and trains it with `fit()`."""

    Config = TrainerConfig
    libraries: tuple[str, ...] = ("tensorflow", "keras", "numpy")

    def __init__(self, config: TrainerConfig | None = None) -> None:
        super().__init__(config)
        if "onnx" in self.config.exports:
            self.libraries = (*self.libraries, *onnx_file.PACKAGES)

    def identity(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json", exclude={"checkpoint"})

    def preflight(self) -> None:
        """Raise ResourceError now if a GPU is asked for and none can be had, ConfigError if ONNX is and is not here."""
        if self.config.device == "gpu":
            require_gpu()
        if "onnx" in self.config.exports:
            onnx_file.require("trainer.exports")

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        """Train, and write `history.csv` and the formats in which the model is deployed.

        Raises:
            TerminationError: if the job was asked to end; training goes on from there the next time.
            ConfigError: if the images are too small for the network's pooling, or training diverges.
            DataError: if a model of these images could not be exported.
            JobError: if what was exported answers otherwise than the network in memory.
            StorageError: if there is no space for the model or a checkpoint.
            ResourceError: if a GPU is asked for and TensorFlow sees none.
        """
        with context.timed("imports"):
            tf = import_tensorflow()
            from components.io.history import write_history
            from components.io.splits import read_scaled
            from components.trainer.export.export import CHECK_IMAGES, FORMS, REQUIRED_FORMATS, export, raw_images
            from components.trainer.export.serving_model import ServingModel
            from components.trainer.training_loop import fit
            from components.trainer.weights import weights_digest

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
            validation = read_scaled(transformed, stated.splits.validation)
            tried_on = raw_images(stated.graph, validation.images[:CHECK_IMAGES])
            with context.timed("training"):
                fitted = fit(
                    network,
                    config,
                    read_scaled(transformed, stated.splits.train),
                    validation,
                    context,
                    machine=machine,
                    xla=gpu.xla,
                )
            if gpu.precision != "float32":  # what is deployed computes in float32 everywhere
                trained, network = network, build()
                network.set_weights(trained.get_weights())
            room = disk_space_guard(output, COPIES * network.count_params() * 4, "the trained model")
            with context.timed("exporting"), room:
                write_history(fitted.history, output / "history.csv")
                deployable = ServingModel.of(network, stated.graph, config.test_time_shift)
                exports = export(deployable, (*REQUIRED_FORMATS, *config.exports), tried_on, context)
        return Model(
            format="keras",
            file=FORMS["keras"][1],
            exports=exports,
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
