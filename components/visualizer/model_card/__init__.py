"""The model card: what the artifacts of a run state, as one text of Markdown, which the report shows as a section."""

from components.visualizer.model_card.card import render_card
from components.visualizer.model_card.html import card_html

__all__ = ["card_html", "render_card"]
