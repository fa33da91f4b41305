"""The key of an answer: what was asked, and on whose behalf. Pure."""

from hashlib import sha256
from typing import Any, Final

import orjson

from litellm.types.calls import Json

_IGNORED: Final = frozenset({"user", "metadata", "stream", "stream_options", "safety_identifier", "prompt_cache_key"})
"""Parameters that do not alter the answer: a stream and a whole answer share an entry."""


def cache_key(scope: str, op: str, model: str, params: Json, *, namespace: str = "", mock: Any = None) -> str | None:
    """SHA-256 in hex. `scope` is the tenant: two of them never share an entry. None for what cannot be written down.

    Parameters count whatever their order, and those that are None do not count.
    """
    asked = {name: value for name, value in params.items() if value is not None and name not in _IGNORED}
    try:
        told = orjson.dumps(
            [scope, namespace, op, model, mock, asked],
            default=_written,
            option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS,
        )
    except TypeError:
        return None
    return sha256(told).hexdigest()


def _written(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump()
    raise TypeError
