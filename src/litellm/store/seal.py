"""Secrets at rest: AES-256-GCM under a key derived from the salt by HKDF-SHA256.

A sealed value is a text, `sealed:v1:<key id>:<nonce and ciphertext>`. The key's id says which salt made it, so that
values under a former one can be told. What a value is about (row and field) is bound to it: moved to another row, it
does not open.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from os import urandom
from typing import Any, Final

import orjson

PREFIX: Final = "sealed:v1:"
_NONCE: Final = 12
_KEY: Final = 32
_ID: Final = 6


class Unsealable(Exception):
    """The message says why, and nothing of the value."""


class Seal:
    """`key_id` names the key, and tells nothing of it. (What it needs is loaded for a gateway that has a salt.)"""

    def __init__(self, salt: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._key = AESGCM(_derived(salt, b"litellm store: seal", _KEY))
        self.key_id = _derived(salt, b"litellm store: key id", _ID).hex()

    def close(self, value: Any, about: str) -> str:
        """`value` is anything that JSON can say."""
        nonce = urandom(_NONCE)
        closed = nonce + self._key.encrypt(nonce, orjson.dumps(value), about.encode())
        return f"{PREFIX}{self.key_id}:{urlsafe_b64encode(closed).decode()}"

    def open(self, sealed: str, about: str) -> Any:
        """Raises Unsealable."""
        from cryptography.exceptions import InvalidTag

        key_id, _, text = sealed.removeprefix(PREFIX).partition(":")
        if key_id != self.key_id:
            raise Unsealable(f"it was sealed under another LITELLM_SALT_KEY (key id {key_id}, not {self.key_id})")
        try:
            closed = urlsafe_b64decode(text)
            return orjson.loads(self._key.decrypt(closed[:_NONCE], closed[_NONCE:], about.encode()))
        except (InvalidTag, Error, ValueError):
            raise Unsealable("it has been altered, or belongs to another row") from None


def is_sealed(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(PREFIX)


def _derived(salt: str, purpose: bytes, length: int) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), length, salt=None, info=purpose).derive(salt.encode())
