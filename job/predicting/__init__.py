"""Asking a trained model about new images: which model answers, and its answers."""
