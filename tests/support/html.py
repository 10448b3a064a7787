"""A strict HTML parser for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "input", "hr"}


@dataclass
class Element:
    """One element and its content."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it, with single spaces."""
        return " ".join(" ".join(self.words).split())

    def all(self, *tags: str) -> list[Element]:
        """Return the element itself and its descendants with one of the tags, in document order."""
        found = [self] if self.tag in tags else []
        return found + [element for child in self.children for element in child.all(*tags)]

    def by_id(self, name: str) -> Element:
        """Return the element with an id."""
        (found,) = [element for element in self.everything() if element.attributes.get("id") == name]
        return found

    def everything(self) -> list[Element]:
        return [self, *(element for child in self.children for element in child.everything())]


class Reader(HTMLParser):
    """Builds the tree; fails if an end tag does not match its start tag."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("document", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> at {self.getpos()} closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open[-1].tag not in ("script", "style"):
            for element in self.open:
                element.words.append(data)


def read_html(page: str) -> Element:
    """Return the tree of a page; fails if an element is not closed."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == [reader.root], f"<{reader.open[-1].tag}> is not closed"
    return reader.root
