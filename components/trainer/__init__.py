"""Trainer: train a network and export it."""

from components.trainer.component import Trainer
from components.trainer.config import TrainerConfig

__all__ = ["Trainer", "TrainerConfig"]
