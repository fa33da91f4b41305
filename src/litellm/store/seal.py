"""Secrets at rest: AES-256-GCM under a key derived from the salt by HKDF-SHA256.

A sealed value is a text, `sealed:v1:<key id>:<nonce and ciphertext>`. The key's id says which salt made it, so that
values under a former one can be told, and opened by who has that salt, too. What a value is about (row and field) is
bound to it: moved to another row, it does not open.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Iterable
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
    """`salt` closes and opens, `former` ones only open. `key_id` names the salt's key, and tells nothing of it.

    (What it needs is loaded for a gateway that has a salt.)
    """

    def __init__(self, salt: str, former: Iterable[str] = ()) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._keys = {_id_of(one): AESGCM(_derived(one, b"litellm store: seal", _KEY)) for one in (salt, *former)}
        self.key_id = _id_of(salt)
        self._key = self._keys[self.key_id]

    def close(self, value: Any, about: str) -> str:
        """`value` is anything that JSON can say."""
        nonce = urandom(_NONCE)
        closed = nonce + self._key.encrypt(nonce, orjson.dumps(value), about.encode())
        return f"{PREFIX}{self.key_id}:{urlsafe_b64encode(closed).decode()}"

    def is_current(self, sealed: str) -> bool:
        """Whether it was closed under the newest salt."""
        return sealed.startswith(f"{PREFIX}{self.key_id}:")

    def open(self, sealed: str, about: str) -> Any:
        """Raises Unsealable."""
        from cryptography.exceptions import InvalidTag

        key_id, _, text = sealed.removeprefix(PREFIX).partition(":")
        key = self._keys.get(key_id)
        if key is None:
            raise Unsealable(f"it was sealed under another LITELLM_SALT_KEY (key id {key_id}, not {self.key_id})")
        try:
            closed = urlsafe_b64decode(text)
            return orjson.loads(key.decrypt(closed[:_NONCE], closed[_NONCE:], about.encode()))
        except (InvalidTag, Error, ValueError):
            raise Unsealable("it has been altered, or belongs to another row") from None


def is_sealed(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(PREFIX)


def _id_of(salt: str) -> str:
    return _derived(salt, b"litellm store: key id", _ID).hex()


def _derived(salt: str, purpose: bytes, length: int) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), length, salt=None, info=purpose).derive(salt.encode())
