"""What one call says about the cache: `cache: {"no-cache": true}` in its body, or the header Cache-Control. Pure."""

from dataclasses import dataclass
from typing import Any, Final

from litellm.types.calls import Json, as_object


@dataclass(frozen=True, slots=True)
class Controls:
    """`no_cache`: ask anew, and keep the answer. `no_store`: keep nothing. Times are in seconds."""

    no_cache: bool = False
    no_store: bool = False
    ttl: float | None = None
    max_age: float | None = None
    """How old an entry may be."""
    namespace: str = ""
    use_cache: bool = False
    """Asks for the cache where it is off by default."""


NOTHING: Final = Controls()
_FLAGS: Final = ("no-cache", "no-store", "use-cache")


def controls(given: Any, header: str | None = None) -> Controls:
    """Raises ValueError that names the field."""
    if given is None and not header:
        return NOTHING
    known = as_object({} if given is None else given)
    fields: Json = _refuse("cache", "an object", given) if known is None else known
    flags = {name: _flag(fields, name) for name in _FLAGS}
    words = {word.strip().lower() for word in (header or "").split(",")}
    return Controls(
        no_cache=flags["no-cache"] or "no-cache" in words,
        no_store=flags["no-store"] or "no-store" in words,
        ttl=_seconds(fields, "ttl"),
        max_age=_seconds(fields, "s-maxage"),
        namespace=_text(fields.get("namespace")),
        use_cache=flags["use-cache"],
    )


def _flag(fields: Json, name: str) -> bool:
    value = fields.get(name)
    return bool(value) if isinstance(value, bool | None) else _refuse(f"cache.{name}", "true or false", value)


def _seconds(fields: Json, name: str) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        _refuse(f"cache.{name}", "a number of seconds above 0", value)
    return float(value)


def _text(value: Any) -> str:
    return value or "" if isinstance(value, str | None) else _refuse("cache.namespace", "a string", value)


def _refuse(name: str, expected: str, value: Any) -> Any:
    raise ValueError(f"'{name}' must be {expected}, not {str(value)[:50]}")
