"""Who is calling: the key, from every header that clients use, against the master key.

The headers are looked at in the order of litellm-contract 1b.9. Without a master key everybody may call (the gateway
then listens on loopback only). Comparison takes the same time whatever the difference.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from litellm.proxy.errors import ProxyError

_HEADERS: Final = (
    b"x-litellm-api-key",
    b"authorization",
    b"api-key",
    b"x-api-key",
    b"x-goog-api-key",
    b"ocp-apim-subscription-key",
)


def key_of(headers: Mapping[bytes, bytes], custom: bytes | None = None) -> bytes | None:
    """The key a request carries, without `Bearer`; None if it has none. A header that is empty says nothing."""
    for name in (custom, *_HEADERS) if custom else _HEADERS:
        value = headers.get(name)
        if value:
            scheme, _, key = value.strip().partition(b" ")
            key = key.strip() if scheme.lower() == b"bearer" else value.strip()
            if key:
                return key
    return None


class Auth:
    """The master key's keeper. It holds a digest, so that nothing that shows this object shows the key."""

    __slots__ = ("_custom", "_digest")

    def __init__(self, master_key: str | None, key_header: str | None = None) -> None:
        self._digest = sha256(master_key.encode()).digest() if master_key else None
        self._custom = key_header.lower().encode() if key_header else None

    def check(self, headers: Mapping[bytes, bytes]) -> None:
        """Raises ProxyError 401."""
        if self._digest is None:
            return
        key = key_of(headers, self._custom)
        if not key:
            raise ProxyError(401, "Authentication Error, No api key passed in.", "auth_error")
        if not hmac.compare_digest(sha256(key).digest(), self._digest):
            raise ProxyError(401, "Authentication Error, Invalid proxy server token passed.", "auth_error")
