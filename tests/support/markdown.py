"""GitHub-flavoured Markdown, read by a parser that is not ours."""

from __future__ import annotations

from dataclasses import dataclass, field

from markdown_it import MarkdownIt

from tests.support.html import Element, read_html


@dataclass
class Part:
    """What is below one heading, down to the next."""

    words: list[str] = field(default_factory=list)
    """Of each paragraph, list and block of code."""
    tables: list[list[list[str]]] = field(default_factory=list)
    """Of each its rows, the head first."""

    @property
    def text(self) -> str:
        return "\n".join(self.words)


def to_html(markdown: str) -> Element:
    """Return what a reader of GitHub-flavoured Markdown sees."""
    reader = MarkdownIt("commonmark", {"xhtmlOut": False}).enable(["table", "strikethrough"])
    return read_html(reader.render(markdown))


def read_markdown(markdown: str) -> dict[str, Part]:
    """Return the parts of a text by their headings."""
    parts: dict[str, Part] = {}
    for element in to_html(markdown).children:
        if element.tag in ("h1", "h2", "h3"):
            assert element.text not in parts
            part = parts[element.text] = Part()
        elif element.tag == "table":
            part.tables.append([[cell.text for cell in row.all("th", "td")] for row in element.all("tr")])
        else:
            part.words.append(element.text)
    return parts
