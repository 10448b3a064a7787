"""The Trainer's configuration: the network and how it is trained."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from components.component import ComponentConfig, Seed
from components.runtime.tensorflow import Device
from components.training.augmentation import AugmentationConfig
from components.training.cnn import NetworkConfig
from components.training.schedule import LearningRate, OneCycleRate
from components.training.stopping import Monitor


class CheckpointConfig(ComponentConfig):
    """How often training saves its progress, beside when it is asked to end and when it is done."""

    every_seconds: Annotated[float, Field(strict=True, ge=0)] = 30.0
    """At the first step after so many seconds; 0 for never."""
    every_steps: Annotated[int, Field(strict=True, ge=0)] = 0
    """At the first step after so many training steps; 0 for never."""


class TrainerConfig(ComponentConfig):
    """The network and how it is trained."""

    network: NetworkConfig = NetworkConfig()
    """The network's shape."""
    epochs: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 8
    """At most so many times through the training images."""
    batch_size: Annotated[int, Field(strict=True, ge=1, le=65_536)] = 128
    """Images a training step."""
    augmentation: AugmentationConfig = AugmentationConfig()
    """How training images are changed at random."""
    learning_rate: LearningRate = OneCycleRate()
    """Adam's learning rate over the steps of all epochs."""
    patience: Annotated[int, Field(strict=True, ge=0)] = 5
    """Stop after so many epochs without a better `monitor`."""
    monitor: Monitor = "val_loss"
    """What says which epoch is best."""
    device: Device = "auto"
    """`gpu` fails where there is none; `auto` takes one if there is one."""
    seed: Seed = 0
    """Decides weights, dropout, augmentation and the order of images; by default the job's seed."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """How often progress is saved; it decides nothing of the result."""

    @field_validator("learning_rate", mode="before")
    @classmethod
    def _schedule_has_a_default(cls, value: Any) -> Any:
        return {"schedule": OneCycleRate().schedule, **value} if isinstance(value, dict) else value
