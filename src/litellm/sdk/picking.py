"""Whom a call goes to for another reason than the strategy's: the caller's own object says so, or it belongs with an
earlier call (`optional_pre_call_checks`)."""

from collections.abc import Collection
from dataclasses import dataclass

from litellm.router.affinity import Affinity, Bond, Preferring, keys_of
from litellm.router.deployments import Deployment, Deployments
from litellm.router.strategies import Strategy
from litellm.types.calls import Json, as_object
from litellm.types.router import CustomRoutingStrategyBase

Group = tuple[Deployment, ...]


@dataclass(frozen=True, slots=True)
class Picked:
    """A bond (`router/affinity.py`) of one call to one deployment."""

    id: str

    def over(self, strategy: Strategy, group: str, now: float) -> Strategy:
        return Preferring(strategy, self.id)

    def served(self, group: str, deployment: Deployment, now: float) -> None:
        """Nobody remembers."""


@dataclass(frozen=True, slots=True)
class Picking:
    strategy: CustomRoutingStrategyBase

    async def picked(
        self, group: Group, deployments: Deployments, given: Json, asynchronous: bool
    ) -> tuple[Group, Picked | None]:
        """Who may serve the call, and who is preferred of them: one of another group serves alone. Raises what the
        caller's own method does."""
        asked: Json = {
            "model": given["model"],
            "messages": given.get("messages"),
            "input": given.get("input"),
            "specific_deployment": False,
            "request_kwargs": given,
        }
        if asynchronous:
            made = await self.strategy.async_get_available_deployment(**asked)
        else:
            made = self.strategy.get_available_deployment(**asked)
        if made is None:
            return group, None
        id = made["model_info"]["id"]
        if any(one.id == id for one in group):
            return group, Picked(id)
        other = deployments.by_id(id)
        return (group if other is None else (other,)), None


@dataclass(frozen=True, slots=True)
class Sticking:
    """`checks` are some of `optional_pre_call_checks`; `seconds` is how long a session lasts after a call."""

    affinity: Affinity
    checks: Collection[str]
    seconds: float

    def bond(self, given: Json) -> Bond | None:
        """None if the call has nothing in common with others. A session is `litellm_session_id`, or `session_id` of the
        metadata."""
        session = given.get("litellm_session_id") or (as_object(given.get("metadata")) or {}).get("session_id")
        keys = keys_of(self.checks, given, session, "", self.seconds)
        return Bond(self.affinity, tuple(keys), given.get("prompt_cache_retention")) if keys else None
