"""Deployments, and which of them answer to a model name.

A model group is all deployments of one `model_name`. Exact names win over wildcards, and of two wildcards the one
with more literal text before its `*`.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, Final

import orjson

from litellm.exceptions import AuthenticationError
from litellm.router import ranks
from litellm.router.budget import RetryBudget
from litellm.router.health import State
from litellm.router.lot import Lot
from litellm.router.ranks import Ranks
from litellm.types.calls import Ask, Call, Json, Target
from litellm.types.http import Timeouts

if TYPE_CHECKING:  # the SDK's deployments have no rates: its calls are priced when somebody asks
    from litellm.catalog.cost import Rates

USUAL_CALL: Final = (1000, 250)
"""Tokens of a prompt and an answer by which prices are compared."""
MAX_EXPANDED: Final = 1000  # concrete models of wildcard groups that are kept


@dataclass(slots=True, eq=False)
class Deployment:
    """One row of a `model_list`, resolved.

    `defaults` are wire parameters that a request may override (OpenAI's own), `fixed` those that it may not.
    """

    id: str
    model_name: str
    target: Target
    defaults: Json = field(default_factory=dict[str, Any])
    fixed: Json = field(default_factory=dict[str, Any])
    weight: float | None = None
    rpm: float | None = None
    tpm: float | None = None
    order: int | None = None
    """Deployments of a lower order are asked first."""
    tags: frozenset[str] = frozenset()
    region: str | None = None
    cost: float = field(default=inf, init=False)
    """Pico-dollars of a usual call, to compare; infinite if nobody knows."""
    state: State | None = field(default=None, repr=False)
    """What the router knows of it; None where nothing needs to be known: it is alone and without limits."""
    retries: RetryBudget | None = field(default=None, repr=False)
    """Its group's budget for them, from the router. A program's own call has none: it is tried as often as it says."""
    max_retries: int | None = None
    stream_timeouts: Timeouts | None = None
    mock: Any = None
    clientside: frozenset[str] = frozenset()
    keyless: str | None = None
    """Why calls fail if the target has no key."""
    info: Json = field(default_factory=dict[str, Any])
    resolve: Callable[[str], "Deployment"] | None = field(default=None, repr=False)
    """Of a deployment whose model is `*` and nothing else: what the asked name, provider included, stands for."""
    by_provider: dict[str, State] = field(default_factory=dict[str, State], repr=False)
    """Of such a one: the states of what it stands for at providers that have budgets."""
    rates: "Rates | None" = field(default=None, repr=False)
    """What its answers cost; None if nobody knows, or wants to."""
    price: "Callable[[Target, Json], Rates | None] | None" = field(default=None, repr=False)
    """(target, info) -> its rates: for a wildcard's concrete models."""
    headers: bytes | None = field(default=None, repr=False)
    """The gateway's answer headers that depend on the deployment alone; made on first use."""

    def __post_init__(self) -> None:
        if self.rates is not None:
            prompt, answer = USUAL_CALL
            prices = self.rates.at(prompt)
            self.cost = prompt * (prices.input or 0) + answer * (prices.output or 0)

    def used(self, usage: Json | None) -> None:
        """An answer has reported its usage."""
        if usage and self.state is not None and self.state.wants_tokens:
            count = usage.get("total_tokens")
            self.state.used(count if type(count) is int else 0)

    def seconds(self, ask: Ask) -> float:
        """How long one attempt may take, a stream's until its first byte; infinite if nothing bounds it."""
        streaming = self.stream_timeouts if ask.stream else None
        bounds = streaming or self.target.timeouts
        seconds = bounds.first_byte if bounds.total is None else bounds.total
        return inf if seconds is None else seconds

    @property
    def address(self) -> str:
        """The target's, as it may be shown: a query may hold a key."""
        return self.target.base_url.partition("?")[0]

    def call(self, ask: Ask) -> Call:
        """One attempt at this deployment. What the caller wrote wins over the defaults. Raises AuthenticationError."""
        params = ask.params
        if self.defaults or self.fixed:
            params = {**self.defaults, **params, **self.fixed}
        mock = ask.mock if ask.mock is not None else self.mock
        if self.keyless and mock is None:
            raise AuthenticationError(self.keyless, self.target.provider, self.target.model)
        target = self.target
        if ask.stream and self.stream_timeouts is not None:
            target = self._streaming()
        return Call(ask.op, target, params, ask.stream, ask.call_id, mock, ask.mock_tool_calls, ask.metadata)

    def _streaming(self) -> Target:
        """The same target with the timeouts of streams; made once."""
        if self._stream_target is None:
            self._stream_target = replace(self.target, timeouts=self.stream_timeouts, endpoints={})
        return self._stream_target

    _stream_target: Target | None = field(default=None, repr=False)


class Group(tuple[Deployment, ...]):
    """The deployments of one name, and what does not change about them."""

    @cached_property
    def by_order(self) -> Ranks:
        return Ranks(self, ranks.by_order, ("weight", "rpm", "tpm"))

    @cached_property
    def lot(self) -> Lot | None:
        """None for a large group, and for weights that have no finite sum: of these the first is always drawn."""
        plain = len(self) <= ranks.MANY and isfinite(sum(self.by_order.level(0).weights))
        return Lot(self.by_order) if plain else None

    @cached_property
    def by_price(self) -> Ranks:
        return Ranks(self, ranks.by_price)

    @cached_property
    def ids(self) -> dict[str, Deployment]:
        return {one.id: one for one in self}


class Deployments:
    """An immutable index of deployments by model name."""

    def __init__(self, deployments: list[Deployment]) -> None:
        groups: dict[str, list[Deployment]] = {}
        for deployment in deployments:
            groups.setdefault(deployment.model_name, []).append(deployment)
        self.all = tuple(deployments)
        self.names = tuple(groups)
        self._exact = {name: Group(group) for name, group in groups.items() if "*" not in name}
        wild = ((name, tuple(group)) for name, group in groups.items() if "*" in name)
        self._wild = sorted(wild, key=lambda item: -len(item[0].partition("*")[0]))
        self._expanded: OrderedDict[str, tuple[Deployment, ...]] = OrderedDict()

    def group(self, model: str) -> tuple[Deployment, ...]:
        """The deployments that answer to a name; empty if none does."""
        return self._exact.get(model) or self._expand(model)

    def by_id(self, deployment_id: str) -> Deployment | None:
        return next((d for d in self.all if d.id == deployment_id), None)

    def _expand(self, model: str) -> tuple[Deployment, ...]:
        """The group of a wildcard, made for one concrete model."""
        known = self._expanded.get(model)
        if known is not None:
            return known
        for pattern, group in self._wild:
            before, _, after = pattern.partition("*")
            if len(model) >= len(pattern) and model.startswith(before) and model.endswith(after):
                matched = model[len(before) : len(model) - len(after)]
                made = Group(_concrete(deployment, matched) for deployment in group)
                self._expanded[model] = made
                if len(self._expanded) > MAX_EXPANDED:
                    self._expanded.popitem(last=False)
                return made
        return ()


def id_of(model_name: str, params: Json) -> str:
    """The same for the same deployment after any reload, on any replica (hard-parts 4)."""
    return sha256(orjson.dumps([model_name, params], option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()


def _concrete(deployment: Deployment, matched: str) -> Deployment:
    """Raises what `resolve` raises: a name may say a provider that nobody knows."""
    if deployment.resolve is not None:
        made = deployment.resolve(matched)
        # However many names it answers to, its limits are one deployment's, unless a provider's budget is its own.
        made.state = deployment.by_provider.get(made.target.provider, deployment.state)
        made.retries = deployment.retries
        return made
    target = replace(deployment.target, model=deployment.target.model.replace("*", matched), endpoints={})
    rates = deployment.price(target, deployment.info) if deployment.price is not None else None
    return replace(deployment, target=target, rates=rates, _stream_target=None, headers=None)
