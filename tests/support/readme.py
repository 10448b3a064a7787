"""The fenced blocks of all README files, and what a test does with each.

Blocks are run in the order of the files and of the blocks in a file, by language:

- sh: lines with `python -m job`, `mnist-job` or `make run` are run. `export` and `mkdir` are followed, other lines are
  skipped. A comment with `exit code N` states the expected exit code.
- yaml: loaded as a configuration.
- python: run as a script.
- yaml and python after a paragraph with "into `NAME`" or "this `NAME`" that ends in a colon: written to the file NAME,
  for later blocks. Then a configuration is loaded, a module imported, and a module whose name begins with `test_` run
  by pytest.
- Others are output or sketches and are not run. Only the options of commands after `$ ` are checked.

An HTML comment on the line before a fence changes this: `<!-- not run: REASON -->` or `<!-- thorough -->`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.processes import REPOSITORY

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DIRECTIVE = re.compile(r"<!-- (thorough|not run: \S.*?) -->\n\Z")
FILE_NAME = re.compile(r"(?:into|this)\s+`([\w.-]+\.(?:py|yaml))`")
FOLDERS = ("components", "configs", "docker", "job", "tests")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of a README file.

    Attributes:
        readme: path of the file in the repository.
        line: line number of the opening fence.
        language: empty if the fence has none.
        file_name: name of the file that the text before the block gives it; empty if none.
        directive: text of the HTML comment before the fence; empty if none.
    """

    readme: str
    line: int
    language: str
    text: str
    file_name: str
    directive: str

    @property
    def is_run(self) -> bool:
        return self.language in ("sh", "yaml", "python") and not self.directive.startswith("not run")

    @property
    def commands(self) -> list[str]:
        """The lines of a shell block, or the lines after `$ ` of another block; continued lines are joined."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "sh":
            return lines
        return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def readmes() -> list[Path]:
    """Return all README files: that of the repository first, then by folder."""
    below = [path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("README.md")]
    return [REPOSITORY / "README.md", *sorted(below)]


@cache
def blocks() -> tuple[Block, ...]:
    """Return the blocks of all README files, in order."""
    return tuple(block for path in readmes() for block in blocks_of(path))


def blocks_of(path: Path) -> list[Block]:
    """Return the blocks of one file, in order."""
    text, found = path.read_text(), []
    for match in FENCE.finditer(text):
        before = text[: match.start()]
        directive = DIRECTIVE.search(before)
        before = before[: directive.start()] if directive else before
        paragraph = before.rstrip("\n").rpartition("\n\n")[2]
        name = FILE_NAME.search(paragraph) if paragraph.endswith(":") else None
        found.append(
            Block(
                readme=str(path.relative_to(REPOSITORY)),
                line=text.count("\n", 0, match.start()) + 1,
                language=match[1],
                text=match[2],
                file_name=name[1] if name else "",
                directive=directive[1] if directive else "",
            )
        )
    return found


def find_block(language: str, containing: str) -> Block:
    """Return the only block of a language that contains a text, of any README file; that of a folder wins."""
    found = [block for block in blocks() if block.language == language and containing in block.text]
    (block,) = [block for block in found if block.readme != "README.md"] or found
    return block


def fenced_block(language: str, containing: str) -> str:
    """Return the text of `find_block`."""
    return find_block(language, containing).text
