"""Pipeline components, and the artifacts that they exchange.

A custom component needs these names and, of `components.inference`, `read_scaled` and, for a linear model,
`write_linear_model` (see components/README.md).
"""

from components.artifacts import Evaluation, Examples, Figures, Model, PushedModel, TransformedExamples
from components.artifacts.base import Artifact, Stored
from components.base.component import Component, ComponentConfig, Context, Seed
from components.base.errors import ConfigError, DataError, JobError
from components.bulk_inferrer import BulkInferrer
from components.evaluator import Evaluator
from components.example_gen import ExampleGen, ImageSource
from components.pusher import Pusher
from components.trainer import Trainer
from components.transform import Transform
from components.visualizer import Visualizer
