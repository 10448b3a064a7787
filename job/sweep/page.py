"""The page of a sweep, made from its state."""

from job.sweep.state import Sweep, SweepFolder


def write_page(sweep: Sweep, folder: SweepFolder) -> None:
    """Write the page of a sweep."""
