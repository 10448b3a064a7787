"""The runner: executes a pipeline once, step by step."""
