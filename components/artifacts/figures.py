"""Figures: the pictures of a run, its report and the model's card."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.artifacts.base import Artifact, FileName, Statement


class Figure(Statement):
    """One picture: its file and what it shows."""

    name: str
    file: FileName
    title: str
    alt: str
    """What the picture shows, in words."""


class Figures(Artifact):
    """The pictures of a run."""

    kind: Literal["figures"] = "figures"
    figures: Annotated[tuple[Figure, ...], Field(min_length=1)]
    report_file: FileName | None = None
    """One HTML page that tells of the run and needs no other file; whoever runs the job adds to it what only he knows,
    at `components.visualizer.report.RUN_PLACE`."""

    model_card_file: FileName | None = None
    """Markdown that says what is to be known of the model before it is used; whoever runs the job adds to it what only
    he knows, at `components.visualizer.report.CARD_RUN_PLACE`."""

    def file_names(self) -> tuple[str, ...]:
        pages = (self.report_file, self.model_card_file)
        return (*(figure.file for figure in self.figures), *(page for page in pages if page is not None))
