"""HTML pages: the layout, style sheet and script that all pages share, charts as SVG, and formatted numbers."""
