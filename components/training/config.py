"""The Trainer's configuration: the network and how it is trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from components.component import ComponentConfig, Seed
from components.runtime.tensorflow import Device
from components.training.cnn import NetworkConfig
from components.training.schedule import LearningRate, OneCycleRate


class TrainerConfig(ComponentConfig):
    """The network and how it is trained."""

    network: NetworkConfig = NetworkConfig()
    """The network's shape."""
    epochs: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 8
    """At most so many times through the training images."""
    batch_size: Annotated[int, Field(strict=True, ge=1, le=65_536)] = 128
    """Images a training step."""
    learning_rate: LearningRate = OneCycleRate()
    """Adam's learning rate over the steps of all epochs."""
    patience: Annotated[int, Field(strict=True, ge=0)] = 5
    """Stop after so many epochs without a better `monitor`."""
    monitor: Literal["val_loss", "val_accuracy"] = "val_loss"
    """What says which epoch is best."""
    device: Device = "auto"
    """`gpu` fails where there is none; `auto` takes one if there is one."""
    seed: Seed = 0
    """Decides weights, dropout and the order of images; by default the job's seed."""

    @field_validator("learning_rate", mode="before")
    @classmethod
    def _schedule_has_a_default(cls, value: Any) -> Any:
        return {"schedule": OneCycleRate().schedule, **value} if isinstance(value, dict) else value
