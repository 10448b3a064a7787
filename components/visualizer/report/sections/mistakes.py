"""The mistakes that the network was surest of, as images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.visualizer.report.format import APOSTROPHE, percent
from components.visualizer.report.images import ink

if TYPE_CHECKING:
    from components.visualizer.report.report_data import ReportData


@dataclass(frozen=True)
class MistakeCard:
    """One image with both labels."""

    picture: str
    alt: str
    true: str
    taken: str
    sure: str
    row: int


@dataclass(frozen=True)
class Mistakes:
    """What the section shows."""

    told: str
    cards: tuple[MistakeCard, ...]


def tell_mistakes(story: ReportData) -> Mistakes:
    """Return the section, with no card where there is no mistake."""
    names, total = story.examples.class_names, story.mistaken
    cards = []
    for mistake in story.mistakes:
        true, taken, sure = names[mistake.label], names[mistake.prediction], percent(mistake.confidence, 1)
        cards.append(
            MistakeCard(
                picture=ink(mistake.image[..., 0]),
                alt=f"Test image {mistake.row}: a {true} that was read as {taken}",
                true=true,
                taken=taken,
                sure=sure,
                row=mistake.row,
            )
        )
    if not cards:
        return Mistakes("There are none: every test image was read right.", ())
    shown = f"the {len(cards)} surest of {total:,}" if len(cards) < total else f"all {total:,} of them"
    told = (
        f"Here are {shown}. Some are the network{APOSTROPHE}s fault, some the writer{APOSTROPHE}s, and some may be a "
        "wrong label in the data."
    )
    return Mistakes(told, tuple(cards))
