"""Visualizer: draws the figures of a run, and writes its report and its model card."""

from components.visualizer.component import Visualizer, VisualizerConfig
from components.visualizer.figure_function import FigureData

__all__ = ["FigureData", "Visualizer", "VisualizerConfig"]
