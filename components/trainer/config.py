"""The Trainer's configuration: the network and how it is trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from components.base.component import ComponentConfig, Seed
from components.base.memory import DEFAULT_MEMORY_BUDGET, MemoryBudget
from components.runtime.tensorflow import Device
from components.trainer.augmentation import AugmentationConfig
from components.trainer.early_stopping import Monitor
from components.trainer.learning_rate import LearningRate, OneCycleRate
from components.trainer.network import NetworkConfig
from components.trainer.optimizer import AdamConfig

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]


class CheckpointConfig(ComponentConfig):
    """How often training saves its progress, beside when it is asked to end and when it is done."""

    every_seconds: Annotated[float, Field(strict=True, ge=0)] = 30.0
    """At the first step after so many seconds; 0 for never."""
    every_steps: Annotated[int, Field(strict=True, ge=0)] = 0
    """At the first step after so many training steps; 0 for never."""


class GpuConfig(ComponentConfig):
    """What is done otherwise where the device is a GPU; on a CPU neither is of use."""

    xla: Annotated[bool, Field(strict=True)] = True
    """Whether XLA compiles the training step. Its convolutions on a CPU take twice as long as TensorFlow's own."""
    precision: Precision = "float32"
    """What layers compute in; weights and the loss stay float32."""


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
    label_smoothing: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0
    """Share of each training label that is spread evenly over all classes (C. Szegedy et al., 2016)."""
    learning_rate: LearningRate = OneCycleRate()
    """Adam's learning rate over the steps of all epochs."""
    optimizer: AdamConfig = AdamConfig()
    """Adam's other constants."""
    test_time_shift: Annotated[int, Field(strict=True, ge=0, le=4)] = 0
    """The model answers with the mean over an image and the same moved by up to so many pixels, which takes 5 times the
    work for 1 pixel and 13 times for 2; 0 for none. Validation while training goes without."""
    patience: Annotated[int, Field(strict=True, ge=0)] = 5
    """Stop after so many epochs without a better `monitor`."""
    monitor: Monitor = "val_loss"
    """What says which epoch is best. `epoch` keeps the last one and never stops early: a cycle of the learning
    rate is best at its end."""
    device: Device = "auto"
    """`gpu` fails where there is none; `auto` takes one if there is one."""
    gpu: GpuConfig = GpuConfig()
    """What is done otherwise on a GPU."""
    memory_budget: MemoryBudget = DEFAULT_MEMORY_BUDGET
    """Images that fit in it are shuffled as one, others block by block; by default the job's budget."""
    seed: Seed = 0
    """Decides weights, dropout, augmentation and the order of images; by default the job's seed."""
    exports: Annotated[tuple[Literal["litert", "onnx"], ...], AfterValidator(lambda names: tuple(sorted({*names})))] = (
        "litert",
    )
    """What is written beside the `.keras` file and the SavedModel: a LiteRT file, an ONNX file (which needs the extra
    `onnx`), both or neither."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """How often progress is saved; it decides nothing of the result."""

    @field_validator("learning_rate", mode="before")
    @classmethod
    def _schedule_has_a_default(cls, value: Any) -> Any:
        return {"schedule": OneCycleRate().schedule, **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _some_epoch_is_changed(self) -> TrainerConfig:
        if self.augmentation.clean_epochs > self.epochs:
            raise ValueError(
                f"augmentation.clean_epochs {self.augmentation.clean_epochs} is more than epochs {self.epochs}"
            )
        return self
