"""Artifacts and runs on disk."""
