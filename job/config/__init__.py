"""The configuration: YAML files and overrides, validated into one frozen model."""

from job.config.config import JobConfig, load_config

__all__ = ["JobConfig", "load_config"]
