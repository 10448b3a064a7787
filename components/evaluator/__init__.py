"""Evaluator: scores a model on the test split and decides whether it is blessed."""

from components.evaluator.component import Evaluator
from components.evaluator.config import EvaluatorConfig

__all__ = ["Evaluator", "EvaluatorConfig"]
