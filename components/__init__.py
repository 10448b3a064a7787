"""What a step is: the components, and the typed artifacts that they exchange."""

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
from components.base.component import Component, ComponentConfig, Context
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
    "Context",
    "Evaluation",
    "Evaluator",
    "ExampleGen",
    "Examples",
    "Figures",
    "Model",
    "PushedModel",
    "Pusher",
    "Stored",
    "Trainer",
    "Transform",
    "TransformedExamples",
    "Visualizer",
]
