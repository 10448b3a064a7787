"""The pad of a report: a surface to draw on, read by the trained network, which runs in the page."""

from components.visualizer.sketchpad.section import PadSection, pad_section

__all__ = ["PadSection", "pad_section"]
