"""The report: one self-contained HTML page about a run."""

from components.visualizer.report.page import render_report

__all__ = ["render_report"]
