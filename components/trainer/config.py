"""Configuration of the Trainer: the network and how to train it."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from components.base.component import ComponentConfig, Seed
from components.base.extension import BuiltInOrUse
from components.base.memory import DEFAULT_MEMORY_BUDGET, MemoryBudget
from components.object_storage.location import Reference
from components.runtime.tensorflow import Device
from components.trainer.augmentation import AugmentationConfig
from components.trainer.augmentation_function import AugmentationFunction
from components.trainer.early_stopping import Monitor
from components.trainer.learning_rate import LearningRate, OneCycleRate
from components.trainer.loss import LossConfig
from components.trainer.network import NetworkConfig
from components.trainer.network_function import NetworkFunction
from components.trainer.optimizer import AdamConfig, Optimizer

Strategy = Literal["one_device", "mirrored", "multi_worker"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
OptionalFormat = Literal["litert", "litert_int8", "onnx"]


class CheckpointConfig(ComponentConfig):
    """How often training saves a checkpoint, in addition to those on termination and at the end."""

    every_seconds: Annotated[float, Field(strict=True, ge=0)] = 30.0
    """Seconds between checkpoints; 0 for no limit."""
    every_steps: Annotated[int, Field(strict=True, ge=0)] = 0
    """Training steps between checkpoints; 0 for no limit."""


class GpuConfig(ComponentConfig):
    """Settings for training on a GPU; on a CPU they have no effect."""

    xla: Annotated[bool, Field(strict=True)] = True
    """Whether XLA compiles the training step. On a CPU, training with XLA would take nearly three times as long."""
    precision: Precision = "float32"
    """The precision in which layers compute; weights and the loss stay float32."""


class TrainerConfig(ComponentConfig):
    """The network and how it is trained."""

    network: Annotated[NetworkConfig | NetworkFunction, BuiltInOrUse()] = NetworkConfig()
    """Sizes of the built-in network's layers, or `use: my_module:my_function` for a custom network."""
    init_from: Reference | None = None
    """A trained model whose weights training begins with, in all layers that match by name and shape: any name of a
    run, the path of a sealed model, or `latest-blessed`, the newest blessed model of other training images."""
    freeze: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Layers whose weights stay as they are: names or patterns such as `convolution_*`."""
    epochs: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 8
    """The maximum number of passes through the training images."""
    batch_size: Annotated[int, Field(strict=True, ge=1, le=65_536)] = 128
    """Images per training step."""
    augmentation: Annotated[AugmentationConfig | AugmentationFunction, BuiltInOrUse()] = AugmentationConfig()
    """Random changes of training images, or `use: my_module:my_function` for a custom augmentation."""
    label_smoothing: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0
    """The fraction of each training label that is spread evenly over all classes (C. Szegedy et al., 2016)."""
    loss: LossConfig | None = None
    """The loss of training and validation, such as `{kind: CategoricalFocalCrossentropy}`; by default cross-entropy."""
    learning_rate: LearningRate = OneCycleRate()
    """The optimizer's learning rate over the steps of all epochs."""
    optimizer: Optimizer = AdamConfig()
    """The optimizer and its options; `kind` selects another one than Adam."""
    test_time_shift: Annotated[int, Field(strict=True, ge=0, le=4)] = 0
    """The model predicts the mean over an image and its shifts by up to this many pixels. 1 takes 5 times the work, 2
    takes 13 times; 0 for no shifts. Validation during training does not use it."""
    patience: Annotated[int, Field(strict=True, ge=0)] = 5
    """Stop after this many epochs without a better `monitor`."""
    monitor: Monitor = "val_loss"
    """The metric that decides which epoch is best. `epoch` keeps the last one and never stops early: a learning-rate
    cycle is best at its end."""
    device: Device = "auto"
    """`gpu` fails if there is no GPU; `auto` uses a GPU if there is one."""
    gpu: GpuConfig = GpuConfig()
    """Settings for training on a GPU."""
    strategy: Strategy = "one_device"
    """`mirrored` trains on all GPUs of the machine, `multi_worker` on several machines, which run the same command with
    the same root (see components/trainer/README.md)."""
    worker_wait_seconds: Annotated[float, Field(strict=True, gt=0)] = 600.0
    """With `multi_worker`, how long a worker waits for missing workers before training."""
    memory_budget: MemoryBudget = DEFAULT_MEMORY_BUDGET
    """Images that fit in half of it are shuffled all together, others block by block; by default the job's budget."""
    seed: Seed = 0
    """Determines weights, dropout, augmentation and the order of images; by default the job's seed."""
    exports: Annotated[tuple[OptionalFormat, ...], AfterValidator(lambda names: tuple(sorted({*names})))] = ("litert",)
    """Formats to write in addition to the `.keras` file and the SavedModel: any of `litert`, `litert_int8` (weights and
    activations are 8-bit integers) and `onnx` (needs the extra `onnx`), or none."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """How often to save a checkpoint; it does not affect the result."""

    @field_validator("learning_rate", mode="before")
    @classmethod
    def _default_schedule(cls, value: Any) -> Any:
        return {"schedule": OneCycleRate().schedule, **value} if isinstance(value, dict) else value

    @field_validator("optimizer", mode="before")
    @classmethod
    def _default_optimizer(cls, value: Any) -> Any:
        return {"kind": AdamConfig().kind, **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        if self.loss is not None and self.label_smoothing:
            raise ValueError("label_smoothing belongs to the default loss; set it in `loss` if that has such an option")
        if self.freeze and self.init_from is None and isinstance(self.network, NetworkConfig):
            raise ValueError("freeze needs init_from: without it, the frozen layers would keep random weights")
        if self.strategy != "one_device" and self.gpu.precision == "mixed_float16":
            raise ValueError(f"strategy {self.strategy} does not support mixed_float16; use mixed_bfloat16")
        options = self.optimizer.model_extra or {}
        if self.strategy != "one_device" and options.get("gradient_accumulation_steps"):
            option = "optimizer.gradient_accumulation_steps"
            raise ValueError(f"strategy {self.strategy} does not support {option}; increase batch_size instead")
        if (clean_epochs := self.augmentation.clean_epochs) > self.epochs:
            raise ValueError(f"augmentation.clean_epochs {clean_epochs} is more than epochs {self.epochs}")
        return self
