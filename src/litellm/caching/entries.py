"""An answer as an entry of a store: the JSON of it, and when it was made. Pure."""

import orjson

from litellm.types.calls import Json, as_object


def packed(wire: bytes, at: float) -> bytes:
    """`at` is in seconds since 1970."""
    return orjson.dumps({"at": at, "wire": orjson.Fragment(wire)})


def unpacked(raw: bytes | None, now: float, max_age: float | None) -> Json | None:
    """The answer, if `packed` has written it and it is no older than that; None for what anybody else has written."""
    try:
        entry = as_object(orjson.loads(raw)) if raw is not None else None
    except orjson.JSONDecodeError:
        return None
    at = entry.get("at") if entry is not None else None
    if entry is None or not isinstance(at, float) or (max_age is not None and now - at > max_age):
        return None
    return as_object(entry.get("wire"))
