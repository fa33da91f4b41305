"""Which routes beside inference a key may call, by its role and by its own `allowed_routes`. Pure.

The master key, and keys of a `proxy_admin`, may call all of them; those of a `proxy_admin_viewer` may read. Everybody
else may ask which models there are and how the key stands that is shown.
"""

from typing import Final

from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.access import may_call
from litellm.proxy.keys.identity import Identity

_READING: Final = frozenset({"GET", "HEAD"})
_OWN: Final = frozenset({"/models", "/v1/models", "/key/info"})
_OWN_PREFIXES: Final = ("/models/", "/v1/models/")


def check(identity: Identity, method: str, path: str) -> None:
    """Raises ProxyError 403."""
    if not may_call(identity.allowed_routes, path, inference=False):
        raise ProxyError(403, f"Virtual key is not allowed to call this route: {path}", "auth_error")
    if identity.is_admin:
        return
    reading = method in _READING
    if reading and (identity.role == "proxy_admin_viewer" or path in _OWN or path.startswith(_OWN_PREFIXES)):
        return
    raise ProxyError(403, f"Only an admin may call {method} {path}. Your role is {identity.role}", "auth_error")
