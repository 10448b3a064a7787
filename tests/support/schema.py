"""The JSON Schema of the configuration and its validator, made once: each takes half a second."""

from functools import cache
from typing import Any

import jsonschema

from job.config.schema import config_schema


@cache
def validator() -> Any:
    """Return a validator of configurations; the schema itself is valid."""
    schema = config_schema()
    cls = jsonschema.validators.validator_for(schema)
    cls.check_schema(schema)
    return cls(schema)
