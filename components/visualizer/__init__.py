"""Visualizer: draws the figures of a run, and writes its report and its model card."""

from components.visualizer.component import Visualizer, VisualizerConfig

__all__ = ["Visualizer", "VisualizerConfig"]
