"""`index.html` in the root: a page that lists all runs."""

from job.reporters.index.page import INDEX, refresh_index, write_index

__all__ = ["INDEX", "refresh_index", "write_index"]
