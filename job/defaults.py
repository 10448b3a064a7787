"""What holds where a configuration and a command line say nothing; light enough for `--help`."""

ROOT = "output"
"""The folder that artifacts and runs are kept in."""
ROOT_VARIABLE = "JOB_ROOT"
"""Environment variable that names another one, as an image does that keeps them on a volume."""
SEED = 0
