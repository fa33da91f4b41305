"""`router_settings` as the router takes them: retries, strategy, cooldowns, fallbacks, tags."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel

from litellm.proxy.config.kinds import first
from litellm.proxy.config.load import Config
from litellm.proxy.config.model_groups import GroupSettings, PhaseTimeouts
from litellm.proxy.config.schema import ModelEntry
from litellm.router.deployments import Deployment
from litellm.router.fallbacks import MOST, Fallbacks, Table
from litellm.router.health import Cooldowns, Health, State
from litellm.router.hedge import HedgePolicy
from litellm.router.plan import RetryPolicy, Routing
from litellm.router.strategies import STRATEGIES
from litellm.router.waiting import QueuePolicy
from litellm.types.http import Timeouts

DEFAULT_RETRIES: Final = 2
DEFAULT_REST: Final = 5.0  # seconds
DEFAULT_STRATEGY: Final = "simple-shuffle"
CATCH_ALL: Final = "default"
"""The tag of deployments that serve whatever no other tag is for."""


def retry_policy(config: Config) -> RetryPolicy:
    routing = config.router_settings
    return RetryPolicy(
        first(routing.num_retries, config.litellm_settings.num_retries, DEFAULT_RETRIES),
        routing.retry_after or 0.0,
        _kinds(routing.retry_policy, "Retries"),
        {group: _kinds(policy, "Retries") for group, policy in (routing.model_group_retry_policy or {}).items()},
    )


def routing_of(config: Config) -> Routing:
    given = config.router_settings
    groups = given.model_groups or {}
    return Routing(
        STRATEGIES.get(given.routing_strategy or DEFAULT_STRATEGY, STRATEGIES[DEFAULT_STRATEGY]),
        Cooldowns(
            first(given.cooldown_time, DEFAULT_REST),
            bool(given.disable_cooldowns),
            first(given.allowed_fails, config.litellm_settings.allowed_fails),
            _kinds(given.allowed_fails_policy, "AllowedFails"),
        ),
        given.total_timeout,
        {name: group.total_timeout for name, group in groups.items() if group.total_timeout is not None},
    )


def fallbacks_of(config: Config) -> Fallbacks:
    """With the models that aliases stand for."""
    given, older, aliases = config.router_settings, config.litellm_settings, aliases_of(config)

    def models(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(aliases.get(name, name) for name in names)

    def table(name: str) -> Table:
        written: Table = first(getattr(given, name), getattr(older, name)) or {}
        return {aliases.get(model, model): models(others) for model, others in written.items()}

    return Fallbacks(
        table("fallbacks"),
        table("context_window_fallbacks"),
        table("content_policy_fallbacks"),
        models(first(given.default_fallbacks, older.default_fallbacks, ())),
        first(given.max_fallbacks, MOST),
    )


def aliases_of(config: Config) -> dict[str, str]:
    given = config.router_settings.model_group_alias or {}
    return {name: alias if isinstance(alias, str) else alias.model for name, alias in given.items()}


def attach(config: Config, entries: Sequence[ModelEntry], deployments: Sequence[Deployment], health: Health) -> None:
    """Gives a state to each deployment that has company or a limit. `entries` say what was written of each of them."""
    company = Counter(one.model_name for one in deployments)
    for entry, one in zip(entries, deployments, strict=True):
        most = first(entry.litellm_params.max_parallel_requests, config.router_settings.default_max_parallel_requests)
        if company[one.model_name] > 1 or most is not None or one.rpm is not None or one.tpm is not None:
            one.state = health.of(one.id)
            one.state.queues = health.queues(one.model_name, queue_of(config, one.model_name))
            one.state.limit(most, one.rpm, one.tpm)
    groups: dict[str, list[State]] = {}
    for one in deployments:
        if one.state is not None:
            groups.setdefault(one.model_name, []).append(one.state)
    for group, states in groups.items():
        hedging = health.hedging(group, hedging_of(config, group) if len(states) > 1 else None, states)
        for state in states:
            state.hedging = hedging
    health.keep({one.id for one in deployments})


_UNSAID: Final = GroupSettings()


def _of(config: Config, group: str) -> GroupSettings:
    return (config.router_settings.model_groups or {}).get(group, _UNSAID)


def phased(bounds: Timeouts, params: PhaseTimeouts, config: Config, group: str, stream: bool) -> Timeouts:
    """With the phases' own bounds: a deployment's, else its group's, else those for all."""
    said = (params, _of(config, group), config.router_settings)
    connect = first(*(one.connect_timeout for one in said))
    if connect is not None:
        bounds = replace(bounds, connect=connect)
    if not stream:
        return bounds
    event = first(*(one.first_token_timeout for one in said))
    gap = first(*(one.between_tokens_timeout for one in said))
    if event is None:
        return bounds if gap is None else replace(bounds, between_events=gap)
    bytes_apart = bounds.between_bytes  # also between the head and the first event: no less than that may take
    lenient = None if bytes_apart is None else max(bytes_apart, event)
    return replace(
        bounds, first_byte=event, first_event=event, between_bytes=lenient, between_events=first(gap, bytes_apart)
    )


def queue_of(config: Config, group: str) -> QueuePolicy | None:
    said = first(_of(config, group).queue, config.router_settings.queue)
    return None if said is None else QueuePolicy(said.max_size, said.max_wait, said.max_per_tenant)


def hedging_of(config: Config, group: str) -> HedgePolicy | None:
    said = _of(config, group).hedging
    if said is None:
        return None
    return HedgePolicy(said.percentile / 100, said.max_share, said.min_seconds, said.min_samples)


def tagged(group: tuple[Deployment, ...], tags: Collection[str], any_will_do: bool) -> tuple[Deployment, ...]:
    """The deployments for a request with these tags; for the rest those of the tag `default`, else those without."""
    if tags:
        asked = frozenset(tags)
        fitting = tuple(one for one in group if (one.tags & asked if any_will_do else asked <= one.tags))
        return fitting or tuple(one for one in group if CATCH_ALL in one.tags)
    return tuple(one for one in group if CATCH_ALL in one.tags) or tuple(one for one in group if not one.tags)


def _kinds(policy: BaseModel | None, ending: str) -> dict[str, int]:
    """`RateLimitErrorRetries: 3` is 3 for RateLimitError."""
    given: dict[str, Any] = policy.model_dump(exclude_none=True) if policy is not None else {}
    return {name.removesuffix(ending): count for name, count in given.items()}
