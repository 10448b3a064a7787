"""ExampleGen: read a source of labelled images and split it."""

from components.example_gen.component import ExampleGen, ExampleGenConfig

__all__ = ["ExampleGen", "ExampleGenConfig"]
