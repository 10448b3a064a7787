"""Trained models beyond training: reading one back to predict, and the linear kind."""
