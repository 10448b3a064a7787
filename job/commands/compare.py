"""Command `compare`: what differs between runs, and whether their models differ on the same test images."""

from collections.abc import Sequence
from pathlib import Path

from components.io.atomic import write_atomically
from job.comparison.as_json import comparison_json
from job.comparison.compare import compare_runs
from job.comparison.terminal import print_comparison
from job.reporters.terminal import make_console, print_json


def compare(names: Sequence[str], root: Path, *, html: Path | None, as_json: bool) -> None:
    """Compare the first run with each of the others, print the result, and write it as a page if `html` is set.

    Raises:
        JobError: if a run does not exist, or what it produced is damaged.
    """
    comparisons = compare_runs(root, names)
    if html is not None:
        from job.comparison.page import render_comparison

        write_atomically(html, render_comparison(comparisons, html.absolute().parent))
    if as_json:
        print_json(comparison_json(comparisons))
        return
    print_comparison(make_console(), comparisons)
