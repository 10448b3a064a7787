"""Figures as PNG files, one module per figure, drawn with matplotlib."""
