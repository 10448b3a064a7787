"""ExampleGen: read a source of labelled images and split it."""

from components.example_gen.component import ExampleGen, ExampleGenConfig
from components.example_gen.sources import ImageSource

__all__ = ["ExampleGen", "ExampleGenConfig", "ImageSource"]
