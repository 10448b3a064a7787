"""The page of a sweep: a table of its trials, and a parallel-coordinates chart."""

from job.sweep.page.page import refresh_page, write_page

__all__ = ["refresh_page", "write_page"]
