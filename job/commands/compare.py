"""Command `compare`: what differs between runs, and whether their models differ on the same test images."""

from collections.abc import Sequence
from pathlib import Path

from job.comparison.as_json import comparison_json
from job.comparison.compare import compare_runs
from job.comparison.terminal import print_comparison
from job.reporters.terminal import make_console, print_json


def compare(names: Sequence[str], root: Path, *, as_json: bool) -> None:
    """Compare the first run with each of the others, and print the result.

    Raises:
        JobError: if a run does not exist, or what it produced is damaged.
    """
    comparisons = compare_runs(root, names)
    if as_json:
        print_json(comparison_json(comparisons))
        return
    print_comparison(make_console(), comparisons)
