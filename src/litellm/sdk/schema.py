"""`response_format` given a pydantic class, as the JSON schema OpenAI takes under `strict`."""

import re
from typing import Any, Final

from litellm.types.calls import Json, as_list, as_object

_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_-]")


def response_format_of(value: Any) -> Any:
    """A class becomes `{"type": "json_schema", ...}`; anything else is the endpoint's to understand."""
    if not isinstance(value, type) or not hasattr(value, "model_json_schema"):
        return value
    schema: Json = as_object(value.model_json_schema()) or {}  # pyright: ignore
    strict = _strict(schema, as_object(schema.get("$defs")) or {})
    name = _NOT_IN_NAMES.sub("_", value.__name__)[:64]
    return {"type": "json_schema", "json_schema": {"name": name, "schema": strict, "strict": True}}


def _strict(schema: Any, defs: Json) -> Any:
    """Objects closed and all their properties required, defaults left out: what `strict` demands.

    Source: OpenAI's guide to structured outputs, "Supported schemas".
    """
    items = as_list(schema)
    if items is not None:
        return [_strict(item, defs) for item in items]
    fields = as_object(schema)
    if fields is None:
        return schema
    fields, defs = _inlined({name: value for name, value in fields.items() if name != "default"}, defs)
    closed = {name: _member(name, value, defs) for name, value in fields.items()}
    if isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
        closed["required"] = list(closed["properties"])
    return closed


def _inlined(fields: Json, defs: Json) -> tuple[Json, Json]:
    """A `$ref` may have nothing beside it: where it has (a description), what it means is put in its place.

    Within it the same definition is not put in again: a class that holds itself would have no end.
    """
    name = str(fields.get("$ref", "")).removeprefix("#/$defs/")
    meant = as_object(defs.get(name))
    if meant is None or len(fields) == 1:
        return fields, defs
    beside = {key: value for key, value in fields.items() if key != "$ref"}
    return {**meant, **beside}, {key: value for key, value in defs.items() if key != name}


def _member(name: str, value: Any, defs: Json) -> Any:
    """Under `properties` and `$defs` stand schemas by name, and a name may be `default` too."""
    named = as_object(value) if name in ("properties", "$defs") else None
    return _strict(value, defs) if named is None else {key: _strict(item, defs) for key, item in named.items()}
