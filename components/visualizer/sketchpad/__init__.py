"""Sketchpad: a section of the report where the reader draws an image and the trained network classifies it."""

from components.visualizer.sketchpad.section import render_sketchpad

__all__ = ["render_sketchpad"]
