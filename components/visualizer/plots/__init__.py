"""Figures as PNG files, one module a figure, drawn with matplotlib."""
