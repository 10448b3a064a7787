"""Checks of the data: what is odd about images and labels, and how far they are from others."""
