"""`index.html` in the root: a page that lists all runs."""

from job.reporters.index.page import INDEX, write_index

__all__ = ["INDEX", "write_index"]
