"""Measurements of the claims in README.md; nothing here is asserted."""
