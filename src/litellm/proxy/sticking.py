"""What a call has in common with others: its session, its prompt, its key, as `optional_pre_call_checks` asks."""

from typing import Final

from litellm.proxy.exchange import Exchange
from litellm.proxy.keys.identity import Identity
from litellm.router.affinity import SESSION_SECONDS, Affinity, Bond, Key, keys_of
from litellm.types.calls import Ask, Json

CHECKS: Final = frozenset({"prompt_caching", "session_affinity", "deployment_affinity"})


class Sticking:
    """The config's: `checks` are some of CHECKS, `seconds` how long sessions and keys last after a call."""

    __slots__ = ("_affinity", "_checks", "_seconds")

    def __init__(self, affinity: Affinity, checks: frozenset[str], seconds: float | None) -> None:
        self._affinity = affinity
        self._checks = checks
        self._seconds = SESSION_SECONDS if seconds is None else seconds

    def bond(self, exchange: Exchange, identity: Identity, ask: Ask, ours: Json) -> Bond | None:
        """Sessions are their key's own; a prefix is whoever's sends it. None if the call has nothing in common."""
        session = exchange.header(b"x-litellm-session-id") or ours.get("litellm_session_id")
        keys = keys_of(self._checks, ask.params, session, str(identity.key), self._seconds)
        if "deployment_affinity" in self._checks and identity.key:
            keys.append(Key("key", str(identity.key), self._seconds))
        return Bond(self._affinity, tuple(keys), ask.params.get("prompt_cache_retention")) if keys else None
