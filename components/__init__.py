"""Pipeline components, and the artifacts that they exchange.

A component of your own needs these names, `read_scaled` of `components.io`, and, for a linear model,
`write_linear_model` of `components.inference` (see components/README.md).
"""

from components.artifacts import (
    Artifact,
    Evaluation,
    Examples,
    Figures,
    Model,
    PushedModel,
    Stored,
    TransformedExamples,
)
from components.base import Component, ComponentConfig, ConfigError, Context, DataError, JobError, Seed
from components.evaluator import Evaluator
from components.example_gen import ExampleGen
from components.pusher import Pusher
from components.trainer import Trainer
from components.transform import Transform
from components.visualizer import Visualizer

__all__ = [
    "Artifact",
    "Component",
    "ComponentConfig",
    "ConfigError",
    "Context",
    "DataError",
    "Evaluation",
    "Evaluator",
    "ExampleGen",
    "Examples",
    "Figures",
    "JobError",
    "Model",
    "PushedModel",
    "Pusher",
    "Seed",
    "Stored",
    "Trainer",
    "Transform",
    "TransformedExamples",
    "Visualizer",
]
