"""Charts as inline SVG, one module a kind. Every value can be read by hover, by arrow key and in a table."""

from components.visualizer.report.charts.bars import bar_chart
from components.visualizer.report.charts.chart import Chart, Series
from components.visualizer.report.charts.intervals import IntervalRow, interval_chart
from components.visualizer.report.charts.lines import line_chart

__all__ = ["Chart", "IntervalRow", "Series", "bar_chart", "interval_chart", "line_chart"]
