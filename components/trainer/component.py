"""Trainer: train a network on scaled images and export it in the formats for deployment."""

import platform
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

from components.artifacts import Artifact, Export, ExportFormat, Model, Stored, TrainingEnvironment, TransformedExamples
from components.base.cluster import Cluster
from components.base.component import Component, Context, EarlierRun
from components.base.errors import ConfigError
from components.runtime.cluster import require_cluster
from components.runtime.disk import disk_space_guard
from components.runtime.libraries import library_version, missing_modules
from components.runtime.resources import cpu_limit, processor
from components.runtime.tensorflow import choose_device, import_tensorflow, make_deterministic, require_gpu
from components.trainer.config import GpuConfig, TrainerConfig
from components.trainer.network import weights_digest
from components.trainer.network_function import NetworkFunction

ONNX_PACKAGES = ("tf2onnx", "onnx", "onnxruntime")
HISTORY_FILE = "history.csv"
STEPS_FILE = "steps.csv"
EXPORTED_COPIES = 6
"""Maximum number of copies of the weights on disk: the `.keras` file, its draft, SavedModel, LiteRT, LiteRT with 8-bit
integers, and ONNX."""


class Trainer(Component[TrainerConfig]):
    """Builds a network, trains it with Keras and exports it.

    >>> Trainer(TrainerConfig(epochs=3, exports=("litert",))).config.epochs
    3
    """

    Config = TrainerConfig
    libraries: tuple[str, ...] = ("tensorflow", "keras", "numpy")

    def __init__(self, config: TrainerConfig | None = None) -> None:
        super().__init__(config)
        if "onnx" in self.config.exports:
            self.libraries = (*self.libraries, *ONNX_PACKAGES)

    def identity(self) -> dict[str, Any]:
        return self.config.content(exclude={"checkpoint", "init_from", "worker_wait_seconds"})

    def references(self) -> dict[str, str]:
        return {} if self.config.init_from is None else {"init_from": self.config.init_from}

    def mismatch(self, name: str, candidate: Artifact, inputs: Mapping[str, Artifact]) -> str:  # noqa: ARG002
        return "" if isinstance(candidate, Model) and candidate.format == "keras" else "without a Keras network"

    def relative_work(self, inputs: Mapping[str, Artifact], earlier: EarlierRun) -> float | None:
        from components.trainer.work import relative_work

        return relative_work(self.identity(), inputs, earlier)

    def cluster(self) -> Cluster | None:
        return require_cluster() if self.config.strategy == "multi_worker" else None

    def preflight(self) -> None:
        if self.config.device == "gpu":
            require_gpu()
        self.cluster()
        self.require_packages(self.config.exports)

    def run(
        self, context: Context, /, *, transformed: Stored[TransformedExamples], init_from: Stored[Model] | None = None
    ) -> Model:
        """Train, and write `history.csv`, `steps.csv` and the exported formats."""
        with context.timed("imports"):
            tf = import_tensorflow()
            from components.inference.split_images import open_scaled
            from components.io.history import write_history
            from components.trainer.augmented_images import write_augmented_images
            from components.trainer.checkpoint import open_checkpoints
            from components.trainer.export.export import REQUIRED_FORMATS, export_model, read_example_images
            from components.trainer.export.keras_file import FILE_NAME
            from components.trainer.export.serving_model import ServingModel
            from components.trainer.export.trial import try_exports
            from components.trainer.init_from import prepare_weights
            from components.trainer.layers import describe_layers
            from components.trainer.strategy import open_devices
            from components.trainer.train_network import train_network

        config, inputs, output = self.config, transformed.artifact, context.output
        device = choose_device(tf, config.device)
        make_deterministic(tf, device)
        threads = tf.config.threading.get_intra_op_parallelism_threads() or cpu_limit()
        context.termination.check()
        devices, checkpoints = open_devices(tf, config, context, open_checkpoints(context), device=device)
        machine = devices.describe(f"{processor()} with {threads} threads" if device == "CPU" else device)
        shape, classes = inputs.image_shape, len(inputs.class_names)
        formats: tuple[ExportFormat, ...] = (*REQUIRED_FORMATS, *config.exports)
        output_is_kept = context.cluster is None or context.cluster.is_chief
        serving_model = partial(
            ServingModel.from_network,
            graph=inputs.graph,
            test_time_shift=config.test_time_shift,
            picture_shape=inputs.picture_shape,
        )
        # GPUs are not hidden: TensorFlow refuses that once it has begun to work in this process.
        with tf.device("CPU") if device == "CPU" else nullcontext():
            with context.timed("building"):
                train, validation = (
                    open_scaled(transformed, split) for split in (inputs.splits.train, inputs.splits.validation)
                )
                network = config.network.build(image_shape=shape, classes=classes, seed=config.seed)
                initial_weights, frozen = prepare_weights(
                    network, config, init_from, train, inputs.class_names, context.progress
                )
            example_images = read_example_images(transformed)
            export_bytes = EXPORTED_COPIES * network.count_params() * 4
            if isinstance(config.network, NetworkFunction):  # every built-in network can be exported
                with context.timed("trial export"), disk_space_guard(output, export_bytes, "a trial export"):
                    try_exports(serving_model(network), formats, example_images, context)
                make_deterministic(tf, device)  # the trial computed exactly
            with context.timed("training"):
                gpu = config.gpu if device != "CPU" else GpuConfig(xla=False)
                loop = train_network(
                    network,
                    config,
                    train,
                    validation,
                    context,
                    machine=machine,
                    gpu=gpu,
                    devices=devices,
                    checkpoints=checkpoints,
                )
            with context.timed("exporting"), disk_space_guard(output, export_bytes, "the trained model"):
                write_history(loop.history, output / HISTORY_FILE)
                loop.step_history.write(output / STEPS_FILE)
                augmented = write_augmented_images(config, train, output, classes=classes)
                exports = export_model(
                    serving_model(network), formats if output_is_kept else (), example_images, context
                )
        return Model(
            format="keras",
            built_by=config.network.use if isinstance(config.network, NetworkFunction) else "",
            file=FILE_NAME,
            exports=exports,
            history_file=HISTORY_FILE,
            steps_file=STEPS_FILE,
            image_shape=inputs.picture_shape,
            class_names=inputs.class_names,
            label_smoothing=config.label_smoothing,
            test_time_shift=config.test_time_shift,
            parameters=network.count_params(),
            weights_sha256=weights_digest(network),
            history=tuple(loop.history),
            layers=describe_layers(network),
            augmented=augmented,
            initial_weights=initial_weights,
            frozen=frozen,
            best_epoch=loop.stopping.best.epoch,
            stopped_early=len(loop.history) < config.epochs,
            environment=TrainingEnvironment(
                versions={name: library_version(name) for name in self.libraries},
                python=platform.python_version(),
                device=devices.describe(device),
                threads=threads,
                seed=config.seed,
            ),
        )

    @staticmethod
    def export(
        model: Stored[Model],
        transformed: Stored[TransformedExamples],
        formats: Iterable[ExportFormat],
        context: Context,
        *,
        setting: str = "trainer.exports",
    ) -> tuple[Export, ...]:
        """Export a trained `keras` model again, with the same check as after training (see `export_model`).

        `transformed` has the images that it was trained on. The packages of the formats must be installed (see
        `require_packages`).
        """
        from components.inference.predictor import load_network
        from components.trainer.export.export import export_model, read_example_images
        from components.trainer.export.serving_model import ServingModel

        network, inputs = load_network(model), transformed.artifact  # first: imports TensorFlow without its log
        images = read_example_images(transformed)
        serving_model = ServingModel.from_network(
            network, inputs.graph, model.artifact.test_time_shift, inputs.picture_shape
        )
        return export_model(serving_model, formats, images, context, setting=setting)

    @classmethod
    def require_packages(cls, formats: Iterable[ExportFormat], *, setting: str = "trainer.exports") -> None:
        """Raise ConfigError if a package is not installed that exporting to `formats` needs."""
        if missing := cls.missing_packages(formats):
            raise ConfigError(
                f"{setting} names onnx, but its converter is not installed: {', '.join(missing)}",
                expected="the packages of the extra `onnx`",
                remedy=f"`make extras` or `pip install -e '.[onnx]'`, or remove onnx from {setting}",
            )

    @staticmethod
    def missing_packages(formats: Iterable[ExportFormat]) -> list[str]:
        """Return packages that exporting to `formats` needs and that are not installed, without importing any."""
        return missing_modules(ONNX_PACKAGES) if "onnx" in formats else []
