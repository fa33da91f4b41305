"""Affinity: calls of one session, or of one prompt's prefix, go where the last of them was served.

A provider keeps the prefixes of prompts for minutes (`catalog/prompt_caches.py`), and only where they were read. The
deployment that has one is preferred among those the strategy may choose from, and never to them: one that rests or is
full loses its sessions to whoever serves them then.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from litellm.catalog import prompt_caches
from litellm.router.deployments import Deployment
from litellm.router.strategies import Strategy
from litellm.types.calls import Json, as_list, as_object

MOST: Final = 20_000
"""Sessions and prefixes that are remembered: the longest unused goes first."""
PREFIX: Final = 4096
"""Characters of a prompt that make it the same as another; a shorter one has no prefix."""
SESSION_SECONDS: Final = 3600.0
MAX_VALUE: Final = 256
"""Characters of a session or a `prompt_cache_key`: a longer one is none."""


class Key(NamedTuple):
    """What calls have in common. `seconds` it lasts after a call; None: as long as the provider's cache."""

    kind: str
    value: str
    seconds: float | None = None


class Affinity:
    """Who served what. Owned by the process, so that it outlives a reload."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._served: OrderedDict[tuple[str, str, str], tuple[str, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._served)

    def of(self, group: str, key: Key, now: float) -> str | None:
        """The id of the deployment, while it is to be preferred."""
        found = self._served.get((group, key.kind, key.value))
        return found[0] if found is not None and found[1] > now else None

    def served(self, group: str, key: Key, deployment: str, until: float) -> None:
        name = (group, key.kind, key.value)
        self._served[name] = (deployment, until)
        self._served.move_to_end(name)
        if len(self._served) > self._most:
            self._served.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Preferring:
    """A strategy that chooses one deployment (its id) wherever it may, and leaves the choice to another elsewhere."""

    otherwise: Strategy
    id: str

    def __call__(self, candidates: Sequence[Deployment], now: float, draw: float) -> Deployment:
        same = next((one for one in candidates if one.id == self.id), None)
        return same or self.otherwise(candidates, now, draw)


@dataclass(frozen=True, slots=True)
class Bond:
    """One call's: `keys`, the strongest first. `retention` is its `prompt_cache_retention`."""

    affinity: Affinity
    keys: tuple[Key, ...]
    retention: Any = None

    def over(self, strategy: Strategy, group: str, now: float) -> Strategy:
        """The strategy, unless one of the candidates is preferred."""
        found = (self.affinity.of(group, key, now) for key in self.keys)
        preferred = next((id for id in found if id is not None), None)
        return strategy if preferred is None else Preferring(strategy, preferred)

    def served(self, group: str, deployment: Deployment, now: float) -> None:
        cache = prompt_caches.seconds(deployment.target.provider, self.retention)
        for key in self.keys:
            self.affinity.served(group, key, deployment.id, now + (cache if key.seconds is None else key.seconds))


def keys_of(checks: Collection[str], params: Json, session: Any, whose: str, seconds: float) -> list[Key]:
    """What a call has in common with others, by `optional_pre_call_checks`. Sessions and named prompts are `whose` they
    are; a prefix is whoever's sends it. `seconds` are a session's."""
    keys: list[Key] = []
    by_prompt = "prompt_caching" in checks
    if by_prompt and _usable(named := params.get("prompt_cache_key")):
        keys.append(Key("prompt_cache_key", f"{whose}\n{named}"))
    if "session_affinity" in checks and _usable(session):
        keys.append(Key("session", f"{whose}\n{session}", seconds))
    if by_prompt and (same := prefix(params)) is not None:
        keys.append(Key("prefix", same))
    return keys


def _usable(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_VALUE


def prefix(params: Json) -> str | None:
    """The hash of a prompt's first 4,096 characters of text; None for a shorter one."""
    text, left = blake2b(digest_size=16), PREFIX
    prompt = params.get("prompt")
    pieces = [prompt] if isinstance(prompt, str) else _pieces(params.get("messages"))
    for piece in pieces:
        text.update(piece[:left].encode("utf-8", "surrogatepass"))
        left -= len(piece)
        if left <= 0:
            return text.hexdigest()
    return None


def _pieces(messages: Any) -> "list[str]":
    """The texts of messages, up to as many characters as a prefix has."""
    found: list[str] = []
    size = 0
    for message in as_list(messages) or ():
        content: Any = (as_object(message) or {}).get("content")
        parts: list[Any] = [content] if isinstance(content, str) else as_list(content) or []
        for part in parts:
            text: Any = part if isinstance(part, str) else (as_object(part) or {}).get("text")
            if isinstance(text, str):
                found.append(text)
                size += len(text)
        if size >= PREFIX:
            break
    return found
