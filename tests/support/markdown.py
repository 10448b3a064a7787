"""GitHub-flavoured Markdown, parsed by an independent library."""

from dataclasses import dataclass, field

from markdown_it import MarkdownIt

from tests.support.html import Element, read_html


@dataclass
class Part:
    """The content between one heading and the next."""

    words: list[str] = field(default_factory=list)
    """The text of each paragraph, list and code block."""
    tables: list[list[list[str]]] = field(default_factory=list)
    """The rows of each table, the header first."""

    @property
    def text(self) -> str:
        return "\n".join(self.words)


def to_html(markdown: str) -> Element:
    """Return rendered GitHub-flavoured Markdown."""
    reader = MarkdownIt("commonmark", {"xhtmlOut": False}).enable(["table", "strikethrough"])
    return read_html(reader.render(markdown))


def read_markdown(markdown: str) -> dict[str, Part]:
    """Return the parts of a text, by heading."""
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
