"""What holds where a configuration and a command line say nothing; light enough for `--help`."""

ROOT = "output"
"""The folder that artifacts and runs are kept in."""
SEED = 0
