"""Sweeps: many runs that differ in chosen keys of the configuration, their ranking, and the evaluation of the best."""
