"""The model card as a section: the Markdown of the card as HTML in the style of the page."""

from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from components.artifacts.figures import CARD_RUN_PLACEHOLDER
from components.html.format import SPACE
from components.visualizer.report.sections import render_section


def render_model_card(card: str) -> Markup:
    return render_section("model_card", card=card_html(card))


def card_html(card: str) -> Markup:
    """Return a model card as HTML, without its title.

    Headings are one level deeper, because the section has its own heading. The paragraph before a table becomes its
    caption. The placeholder for the run is removed: the page has its own sections about the run.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(card.replace(CARD_RUN_PLACEHOLDER, "").replace(" %", f"{SPACE}%"))
    if tokens and tokens[0].tag == "h1":
        tokens = tokens[3:]  # a heading is three tokens: open, content, close
    for token in tokens:
        if token.type.startswith("heading"):
            token.tag = f"h{int(token.tag[1]) + 1}"
    html = parser.renderer.render(list(_with_header_cells(_with_captions(tokens))), parser.options, {})
    return Markup(html)  # noqa: S704  (HTML in the card is escaped)


def _with_captions(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yield the tokens, with each table in a scrollable box and the paragraph before it as its caption."""
    rest = list(tokens)
    while rest:
        if [token.type for token in rest[:4]] == ["paragraph_open", "inline", "paragraph_close", "table_open"]:
            _, caption, _, table = rest[:4]
            if caption.children and caption.children[-1].type == "text":
                caption.children[-1].content = caption.children[-1].content.removesuffix(":")
            yield from (_html('<div class="scroll">\n'), table, _html("<caption>"), caption, _html("</caption>\n"))
            del rest[:4]
            continue
        token = rest.pop(0)
        yield token
        if token.type == "table_close":
            yield _html("</div>\n")


def _with_header_cells(tokens: Iterator[Token]) -> Iterator[Token]:
    """Yield the tokens, with the first cell of each row as its header and with the scope of each header."""
    first_cell = in_header = False
    for token in tokens:
        if token.type == "th_open":
            token.attrSet("scope", "col")
        elif token.type == "tr_open":
            first_cell = True
        elif token.type == "td_open" and first_cell:
            token.tag, in_header, first_cell = "th", True, False
            token.attrSet("scope", "row")
        elif token.type == "td_close" and in_header:
            token.tag, in_header = "th", False
        yield token


def _html(markup: str) -> Token:
    return Token("html_block", "", 0, content=markup)
