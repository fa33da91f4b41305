"""Who is calling: the key, from every header that clients use, against the master key and the virtual ones.

The headers are looked at in the order of litellm-contract 1b.9. Without a master key everybody may call (the gateway
then listens on loopback only). Comparison takes the same time whatever the difference.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.identity import MASTER, Identity

if TYPE_CHECKING:  # there are keys only if there is a store
    from litellm.proxy.keys.book import KeyBook

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


class UnknownKey(ProxyError, prefix=False):
    """A key that nobody here knows, whatever it looks like. `digest` is its SHA-256."""

    def __init__(self, digest: bytes) -> None:
        super().__init__(401, "Authentication Error, Invalid proxy server token passed.", "auth_error")
        self.digest = digest


class Auth:
    """The master key's keeper. It holds a digest, so that nothing that shows this object shows the key."""

    __slots__ = ("_custom", "_digest")

    def __init__(self, master_key: str | None, key_header: str | None = None) -> None:
        self._digest = sha256(master_key.encode()).digest() if master_key else None
        self._custom = key_header.lower().encode() if key_header else None

    def identify(self, headers: Mapping[bytes, bytes], keys: "KeyBook | None") -> Identity:
        """Who shows the key: the master, or whom `keys` know it of. Raises ProxyError 401, UnknownKey.

        Without a master key everybody is the master, but for those who show a virtual key.
        """
        if self._digest is None and keys is None:
            return MASTER
        key = key_of(headers, self._custom)
        if not key:
            if self._digest is None:
                return MASTER
            raise ProxyError(401, "Authentication Error, No api key passed in.", "auth_error")
        digest = sha256(key).digest()
        if self._digest is not None and hmac.compare_digest(digest, self._digest):
            return MASTER
        found = keys.find(digest) if keys is not None else None
        if found is not None:
            if found.refusal is not None:
                raise ProxyError(*found.refusal)
            return found
        if self._digest is None:
            return MASTER
        raise UnknownKey(digest)
