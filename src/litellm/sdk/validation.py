"""Whether an answer keeps to a JSON schema. Needs the package `jsonschema`."""

import json
from importlib import import_module
from typing import Any

from litellm.exceptions import JSONSchemaValidationError


def validate_schema(schema: dict[str, Any], response: str) -> None:
    """Raises JSONSchemaValidationError if `response` is no JSON text or breaks the schema; ImportError without
    `jsonschema`."""
    validate: Any = import_module("jsonschema")
    try:
        validate.validate(json.loads(response), schema=schema)
    except (ValueError, validate.ValidationError):
        raise JSONSchemaValidationError(
            model="", llm_provider="", raw_response=response, schema=json.dumps(schema)
        ) from None
