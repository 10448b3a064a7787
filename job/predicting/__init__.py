"""Asking a trained model about new images: what is asked for, which model answers, and its answers."""
