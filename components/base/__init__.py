"""What components are built from: the base class, errors, progress, termination, timing, hashing, memory budget."""

from components.base.component import Component, ComponentConfig, Context, Seed
from components.base.errors import (
    ConfigError,
    DataError,
    ExitCode,
    IntegrityError,
    JobError,
    ResourceError,
    StorageError,
    TerminationError,
)

__all__ = [
    "Component",
    "ComponentConfig",
    "ConfigError",
    "Context",
    "DataError",
    "ExitCode",
    "IntegrityError",
    "JobError",
    "ResourceError",
    "Seed",
    "StorageError",
    "TerminationError",
]
