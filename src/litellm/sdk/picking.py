"""A strategy of the caller's own: its object is asked who shall serve a call."""

from dataclasses import dataclass

from litellm.router.affinity import Preferring
from litellm.router.deployments import Deployment, Deployments
from litellm.router.strategies import Strategy
from litellm.types.calls import Json
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
