"""Whose an answer is that a Router's call keeps: its model group's.

Whichever deployment has answered, the same question to the group finds it; but only in a Router whose group has the
same models at the same addresses, with the same keys.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from litellm import exceptions as e
from litellm.router.deployments import Deployment, Deployments
from litellm.sdk.ask import request_of
from litellm.sdk.client import client
from litellm.settings import settings
from litellm.types.calls import Target

_UNKNOWN: Final = ""


@dataclass(frozen=True, slots=True)
class Owner:
    """Two owners share no answer. `scope`: by which addresses and keys; `model`: which answers."""

    scope: str
    model: str


@dataclass(frozen=True, slots=True)
class Caching:
    """What a Router says to its calls, as their argument `caching`. `cache` takes the place of `litellm.cache`;
    `asked`: the caller wants it where it is off by default; `embed` takes the place of `aembedding`."""

    cache: Any
    owner: Owner | None
    asked: bool
    embed: Callable[..., Awaitable[Any]]


def owner_of(target: Target) -> Owner:
    """Of a call without a Router."""
    return Owner(f"{target.base_url}\n{_hashed(target.api_key)}", f"{target.provider}/{target.model}")


class GroupCaches:
    """`own` is the Router's cache, if it has one. The model groups of each list in `shared` answer for one another."""

    __slots__ = ("_deployments", "_scopes", "_shared", "own")

    def __init__(self, own: Any, shared: Sequence[Sequence[str]], deployments: Deployments) -> None:
        self.own = own
        self._deployments = deployments
        self._shared: Mapping[str, tuple[str, ...]] = {name: tuple(sorted(names)) for names in shared for name in names}
        self._scopes: dict[str, str] = {}

    @property
    def used(self) -> bool:
        return self.own is not None or settings.__dict__.get("cache") is not None

    def owner(self, model: str) -> Owner | None:
        """None if it cannot be told with which keys its deployments are called."""
        names = self._shared.get(model, (model,))
        scopes = [self._scope(group) for group in map(self._deployments.group, names) if group]
        return None if _UNKNOWN in scopes else Owner("\n".join(scopes), "\n".join(names))

    def _scope(self, group: Sequence[Deployment]) -> str:
        """Worked out once: what a wildcard stands for is at the wildcard's addresses."""
        name = group[0].model_name
        scope = self._scopes.get(name)
        if scope is None:
            own = [one for one in self._deployments.all if one.model_name == name]
            scope = self._scopes[name] = _scope_of(own)
        return scope


def _scope_of(group: Sequence[Deployment]) -> str:
    try:
        owners = {owner_of(_target(one)) for one in group}
    except e.LiteLLMError:
        return _UNKNOWN
    return _hashed("\n".join(sorted(f"{one.scope}\n{one.model}" for one in owners)))


def _target(deployment: Deployment) -> Target:
    """Where its calls go. Raises LiteLLMError."""
    request = request_of("chat", {**deployment.defaults, "model": deployment.target.model})
    return client.target(request.wish, request.ask.mock is not None)


def _hashed(text: str | None) -> str:
    return sha256((text or "").encode()).hexdigest()
