"""Texts that would change what a terminal or a page displays, and the check that no raw one does."""

import unicodedata

BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
HOSTILE = "\x1b[31mred\u202e[/b] [bold]<b>|`$\\x$\n\x9b" + "long " * 50 + "https://me:a5ecret@host?key=a5ecret"
"""Escape sequences, a bidirectional override, markup of rich, HTML, Markdown and TeX, a line end, and a password."""


def is_printable(character: str) -> bool:
    """Return whether a character has no effect but its own shape or width, by Unicode's categories."""
    is_control = unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
    return not is_control and unicodedata.bidirectional(character) not in BIDIRECTIONAL


def check_printable(text: str, *, has_secrets: bool = False) -> None:
    """Check that lines of text have no control character, no bidirectional override and no password."""
    assert [character for character in text if character != "\n" and not is_printable(character)] == []
    assert has_secrets or "a5ecret" not in text
