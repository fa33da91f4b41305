"""`response_format` given a pydantic class, as the JSON schema OpenAI takes under `strict`."""

from typing import Any

from litellm.types.calls import Json, as_list, as_object


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
    items = as_list(schema)
    if items is not None:
        return [_strict(item) for item in items]
    fields = as_object(schema)
    if fields is None:
        return schema
    closed = {name: _member(name, value) for name, value in fields.items() if name != "default"}
    if isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
        closed["required"] = list(closed["properties"])
    return closed


def _member(name: str, value: Any) -> Any:
    """Under `properties` and `$defs` stand schemas by name, and a name may be `default` too."""
    named = as_object(value) if name in ("properties", "$defs") else None
    return _strict(value) if named is None else {key: _strict(item) for key, item in named.items()}
