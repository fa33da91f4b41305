"""What a column takes: the same in every back-end, so that none of them is the first to find out.

Left alone, SQLite keeps a text in a column of numbers, Postgres refuses a NUL in a text or in JSON, and both drivers
have errors of their own for a number above 64 bits.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Final, cast, get_args, get_origin, get_type_hints

import orjson

from litellm.store.base import StoreError, Unstorable
from litellm.types.accounts import KINDS, Row

_LIMIT: Final = 2**63
UNIQUE: Final[Mapping[str, tuple[str, ...]]] = {"key": ("key_alias",), "user": ("user_email",)}
"""Beside the id: what no two rows of a kind share. None is shared by any number."""


def is_text(value: Any) -> bool:
    """Text that both databases keep: no NUL, and nothing that UTF-8 cannot say (half a surrogate pair)."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return value.isascii() or value.encode(errors="ignore").decode() == value


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -_LIMIT <= value < _LIMIT


def _is_json(value: Any) -> bool:
    try:
        written = orjson.dumps(value)
    except TypeError:  # orjson's own error is one
        return False
    return b"\\u0000" not in written or not _has_nul(value)


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_nul(part) for pair in value.items() for part in pair)  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return any(_has_nul(part) for part in value)  # pyright: ignore[reportUnknownVariableType]
    return isinstance(value, str) and "\0" in value


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and _is_json(value)


def _is_tuple(value: Any) -> bool:
    return isinstance(value, tuple) and _is_json(value)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


Check = Callable[[Any], bool]
_PLAIN: Final[Mapping[Any, Check]] = {int: _is_number, bool: _is_flag, str: is_text}
_CHECKS: Final[Mapping[Any, Check]] = {**_PLAIN, dict: _is_object, tuple: _is_tuple}


def _check_of(hint: Any) -> tuple[Check, bool]:
    """How a field's values are checked, and whether None is one of them."""
    members = [member for member in get_args(hint) if member is not type(None)]
    nullable = type(None) in get_args(hint)
    plain = members[0] if nullable else hint
    return _CHECKS.get(get_origin(plain) or plain, is_text), nullable


def _checks(cls: type[Row]) -> dict[str, tuple[Check, bool]]:
    hints = get_type_hints(cls)
    return {one.name: _check_of(hints[one.name]) for one in fields(cls)}


_BY_KIND: Final = {kind: _checks(cls) for kind, cls in KINDS.items()}


def check(kind: str, values: Mapping[str, Any]) -> None:
    """Raises Unstorable; StoreError for a field that the kind has not."""
    checks = _BY_KIND[kind]
    for name, value in values.items():
        if name not in checks:
            raise StoreError(f"a {kind} has no field {name}")
        fits, nullable = checks[name]
        if not (nullable if value is None else fits(value)):
            raise Unstorable(kind, name)
    if values.get("id") == "":
        raise Unstorable(kind, "id")


def sought(kind: str, name: str, value: Any) -> list[Any] | None:
    """Those of the values asked for that a row could have; None: rows without one.

    Raises StoreError for a field that is not searched.
    """
    fits, _ = plain(kind, name)
    if value is None:
        return None
    asked = cast("Iterable[Any]", value if isinstance(value, tuple | list) else (value,))
    return [one for one in asked if fits(one)]


def plain(kind: str, name: str) -> tuple[Check, bool]:
    """A field that may be searched and sorted by. Raises StoreError for others."""
    found = _BY_KIND[kind].get(name)
    if found is None or found[0] not in _PLAIN.values():
        raise StoreError(f"a {kind} is not searched by {name}")
    return found
