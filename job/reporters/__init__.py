"""Reporters: a run, its results and its errors, for people and for machines."""
