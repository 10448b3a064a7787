"""Figures: the figures of a run, its report and its model card."""

from typing import Annotated, Literal

from pydantic import Field

from components.artifacts.base import Artifact, FileName, Statement

REPORT_RUN_PLACEHOLDER = "<!-- the run -->"
"""An HTML comment inside `main`, after the last section, that the job replaces with the sections about the run."""
REPORT_LINKS_PLACEHOLDER = "<!-- links to the run -->"
"""An HTML comment that the job replaces with list items that link to these sections."""
CARD_RUN_PLACEHOLDER = "<!-- the run: command, configuration, fingerprints -->"
"""A paragraph of the model card that the job replaces with a section of level 3 about the run."""


class Figure(Statement):
    """One figure: its file and what it shows."""

    name: str
    file: FileName
    title: str
    alt: str
    """A description of the image for readers who cannot see it."""


class Figures(Artifact):
    """The figures, the report and the model card of a run."""

    kind: Literal["figures"] = "figures"
    figures: Annotated[tuple[Figure, ...], Field(min_length=1)]
    report_file: FileName | None = None
    """One self-contained HTML page. The job adds the run at `REPORT_RUN_PLACEHOLDER` if the page contains it."""
    model_card_file: FileName | None = None
    """Markdown. The job adds the run at `CARD_RUN_PLACEHOLDER` if the card contains it."""

    def file_names(self) -> tuple[str, ...]:
        pages = (self.report_file, self.model_card_file)
        return (*(figure.file for figure in self.figures), *(page for page in pages if page is not None))
