"""The model card as a section of the report: the same Markdown, as HTML of the page's own kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from components.artifacts.figures import CARD_RUN_PLACEHOLDER
from components.visualizer.report.format import SPACE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TITLE = 3
"""Tokens of a heading of the first level: it opens, what it says, it closes."""


def make_reader() -> MarkdownIt:
    """Return what reads CommonMark with tables; HTML in it is text."""
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def card_html(card: str) -> Markup:
    """Return the card without its title, which the page's own heading takes the place of.

    Headings are one level deeper; the paragraph before a table is its caption; heads of rows and columns say so. The
    page has sections of its own on the run, so that there is no place for it.
    """
    reader = make_reader()
    tokens = reader.parse(card.replace(CARD_RUN_PLACEHOLDER, "").replace(" %", f"{SPACE}%"))
    if tokens and tokens[0].tag == "h1":
        tokens = tokens[TITLE:]
    for token in tokens:
        if token.type.startswith("heading"):
            token.tag = f"h{int(token.tag[1]) + 1}"
    return Markup(reader.renderer.render(list(_with_heads(_with_captions(tokens))), reader.options, {}))  # noqa: S704


def _with_captions(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yield the tokens with each table in a box that scrolls, and the paragraph before it as its caption."""
    rest = list(tokens)
    while rest:
        if [token.type for token in rest[:4]] == ["paragraph_open", "inline", "paragraph_close", "table_open"]:
            _, words, _, table = rest[:4]
            words.content = words.content.removesuffix(":")
            if words.children and words.children[-1].type == "text":
                words.children[-1].content = words.children[-1].content.removesuffix(":")
            yield from (_html('<div class="scroll">\n'), table, _html("<caption>"), words, _html("</caption>\n"))
            del rest[:4]
            continue
        token = rest.pop(0)
        yield token
        if token.type == "table_close":
            yield _html("</div>\n")


def _with_heads(tokens: Iterator[Token]) -> Iterator[Token]:
    """Yield the tokens with the first cell of each row as its head, and with what each head is the head of."""
    first = in_head = False
    for token in tokens:
        if token.type == "th_open":
            token.attrSet("scope", "col")
        elif token.type == "tr_open":
            first = True
        elif token.type == "td_open" and first:
            token.tag, in_head, first = "th", True, False
            token.attrSet("scope", "row")
        elif token.type == "td_close" and in_head:
            token.tag, in_head = "th", False
        yield token


def _html(markup: str) -> Token:
    return Token("html_block", "", 0, content=markup)
