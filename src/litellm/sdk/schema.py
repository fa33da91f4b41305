"""`response_format` given a pydantic class, as the JSON schema OpenAI takes under `strict`."""

from typing import Any

from litellm.types.calls import Json


def response_format_of(value: Any) -> Any:
    """A class becomes `{"type": "json_schema", ...}`; anything else is the endpoint's to understand."""
    if not isinstance(value, type) or not hasattr(value, "model_json_schema"):
        return value
    schema: Json = value.model_json_schema()  # pyright: ignore
    return {
        "type": "json_schema",
        "json_schema": {"name": value.__name__, "schema": _strict(schema), "strict": True},
    }


def _strict(schema: Any) -> Any:
    """Objects closed and all their properties required, defaults left out: what `strict` demands.

    Source: OpenAI's guide to structured outputs, "Supported schemas".
    """
    if isinstance(schema, list):
        return [_strict(item) for item in schema]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(schema, dict):
        return schema
    closed: Json = {
        name: {key: _strict(item) for key, item in value.items()} if name in ("properties", "$defs") else _strict(value)
        for name, value in schema.items()  # pyright: ignore[reportUnknownVariableType]
        if not (name == "default" and value is None)
    }
    if isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
        closed["required"] = list(closed["properties"])
    return closed
