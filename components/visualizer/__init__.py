"""Visualizer: figures, the report and the model card."""

from components.visualizer.component import Visualizer, VisualizerConfig

__all__ = ["Visualizer", "VisualizerConfig"]
