"""What a call has in common with others: its session, its prompt, its key, as `optional_pre_call_checks` asks."""

from typing import Final

from litellm.proxy.exchange import Exchange
from litellm.proxy.keys.identity import Identity
from litellm.router.affinity import SESSION_SECONDS, Affinity, Bond, Key, prefix
from litellm.types.calls import Ask, Json

CHECKS: Final = frozenset({"prompt_caching", "session_affinity", "deployment_affinity"})
MAX_VALUE: Final = 256
"""Characters of a session or a `prompt_cache_key`: a longer one is none."""


class Sticking:
    """The config's: `checks` are some of CHECKS, `seconds` how long sessions and keys last after a call."""

    __slots__ = ("_affinity", "_checks", "_seconds")

    def __init__(self, affinity: Affinity, checks: frozenset[str], seconds: float | None) -> None:
        self._affinity = affinity
        self._checks = checks
        self._seconds = SESSION_SECONDS if seconds is None else seconds

    def bond(self, exchange: Exchange, identity: Identity, ask: Ask, ours: Json) -> Bond | None:
        """Sessions are their key's own; a prefix is whoever's sends it. None if the call has nothing in common."""
        keys: list[Key] = []
        if "prompt_caching" in self._checks:
            named = ask.params.get("prompt_cache_key")
            if _usable(named):
                keys.append(Key("prompt_cache_key", f"{identity.key}\n{named}"))
        if "session_affinity" in self._checks:
            session = exchange.header(b"x-litellm-session-id") or ours.get("litellm_session_id")
            if _usable(session):
                keys.append(Key("session", f"{identity.key}\n{session}", self._seconds))
        if "prompt_caching" in self._checks:
            same = prefix(ask.params)
            if same is not None:
                keys.append(Key("prefix", same))
        if "deployment_affinity" in self._checks and identity.key:
            keys.append(Key("key", str(identity.key), self._seconds))
        return Bond(self._affinity, tuple(keys), ask.params.get("prompt_cache_retention")) if keys else None


def _usable(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_VALUE
