"""The model card: Markdown filled from the statements of the artifacts."""

from components.visualizer.model_card.card import render_card

__all__ = ["render_card"]
