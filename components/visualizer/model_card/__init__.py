"""The model card: Markdown rendered from the statements of the artifacts."""

from components.visualizer.model_card.card import render_card

__all__ = ["render_card"]
