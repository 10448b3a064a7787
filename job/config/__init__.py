"""The configuration: YAML files and overrides, read into one frozen object tree."""

from job.config.config import JobConfig, load_config

__all__ = ["JobConfig", "load_config"]
