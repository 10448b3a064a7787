"""Comparison of runs, on the terminal and as a page."""
