"""Training of a network in the configured precision and on the configured devices."""

from typing import Any

from components.base.component import Context
from components.inference.split_images import SplitImages
from components.trainer.augmentation_function import AugmentationFunction
from components.trainer.checkpoint import CheckpointStore
from components.trainer.config import GpuConfig, TrainerConfig
from components.trainer.precision import with_precision
from components.trainer.strategy import ONE_DEVICE, OneDevice
from components.trainer.training_loop import TrainingLoop

CHECKED_IMAGES = 8
"""Training images that a custom augmentation is tried with before the first step."""


def train_network(
    network: Any,
    config: TrainerConfig,
    train: SplitImages,
    validation: SplitImages,
    context: Context,
    *,
    machine: str,
    gpu: GpuConfig,
    devices: OneDevice = ONE_DEVICE,
    checkpoints: CheckpointStore | None = None,
) -> TrainingLoop:
    """Train a network in place, in the precision of `gpu`, and return the loop; see `TrainingLoop` and its `fit`.

    Raises:
        ConfigError: also if a custom augmentation fails for the first images.
    """
    if isinstance(config.augmentation, AugmentationFunction):
        images, labels = train[:CHECKED_IMAGES], train.labels[:CHECKED_IMAGES]
        config.augmentation.check(images, labels, classes=network.output_shape[-1], seed=config.seed)
    trained = network if gpu.precision == "float32" else with_precision(network, gpu.precision)
    trained = devices.replicate(trained)
    loop = TrainingLoop(
        trained,
        config,
        train,
        validation,
        context,
        machine=machine,
        xla=gpu.xla,
        devices=devices,
        checkpoints=checkpoints,
    )
    loop.fit()
    devices.close()
    if trained is not network:  # an exported model computes in float32, on one device
        network.set_weights(trained.get_weights())
    return loop
