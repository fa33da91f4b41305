"""`router_settings` as the router takes them: retries, strategy, cooldowns, fallbacks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Final
from zoneinfo import ZoneInfo

from litellm.proxy.config.kinds import first
from litellm.proxy.config.load import Config
from litellm.proxy.config.model_groups import GroupSettings, PhaseTimeouts
from litellm.proxy.config.model_list import ModelEntry
from litellm.router import rules
from litellm.router.deployments import Deployment
from litellm.router.fallbacks import Fallbacks, Table
from litellm.router.health import Cooldowns, Health, State
from litellm.router.hedge import HedgePolicy
from litellm.router.plan import RetryPolicy, Routing
from litellm.router.queue import QueuePolicy
from litellm.router.spending import Allowance, Spending, of_deployment, of_provider
from litellm.types.http import Timeouts


def retry_policy(config: Config) -> RetryPolicy:
    routing = config.router_settings
    return RetryPolicy(
        first(routing.num_retries, config.litellm_settings.num_retries, rules.DEFAULT_RETRIES),
        routing.retry_after or 0.0,
        rules.kinds(routing.retry_policy, "Retries"),
        {group: rules.kinds(policy, "Retries") for group, policy in (routing.model_group_retry_policy or {}).items()},
    )


def routing_of(config: Config) -> Routing:
    given = config.router_settings
    groups = given.model_groups or {}
    return Routing(
        rules.strategy_of(given.routing_strategy),
        Cooldowns(
            first(given.cooldown_time, rules.DEFAULT_REST),
            bool(given.disable_cooldowns),
            first(given.allowed_fails, config.litellm_settings.allowed_fails),
            rules.kinds(given.allowed_fails_policy, "AllowedFails"),
        ),
        given.total_timeout,
        {name: group.total_timeout for name, group in groups.items() if group.total_timeout is not None},
    )


def fallbacks_of(config: Config) -> Fallbacks:
    """With the models that aliases stand for."""
    given, older = config.router_settings, config.litellm_settings

    def table(name: str) -> Table:
        return first(getattr(given, name), getattr(older, name)) or {}

    return rules.fallbacks_of(
        aliases_of(config),
        table("fallbacks"),
        table("context_window_fallbacks"),
        table("content_policy_fallbacks"),
        first(given.default_fallbacks, older.default_fallbacks, ()),
        given.max_fallbacks,
    )


def hidden_of(config: Config) -> frozenset[str]:
    """Aliases that `/v1/models` does not list."""
    given = config.router_settings.model_group_alias or {}
    return frozenset(name for name, alias in given.items() if not isinstance(alias, str) and alias.hidden)


def aliases_of(config: Config) -> dict[str, str]:
    given = config.router_settings.model_group_alias or {}
    return {name: alias if isinstance(alias, str) else alias.model for name, alias in given.items()}


def has_budgets(config: Config, entries: Sequence[ModelEntry]) -> bool:
    return bool(config.router_settings.provider_budget_config) or any(
        entry.litellm_params.max_budget is not None for entry in entries
    )


def allowances_of(
    config: Config, entries: Sequence[ModelEntry], deployments: Sequence[Deployment]
) -> dict[str, Allowance]:
    """The budgets of providers and of deployments, by their ids."""
    of_all = config.router_settings.provider_budget_config or {}
    found = {of_provider(name): allowance for name, allowance in of_all.items()}
    for entry, one in zip(entries, deployments, strict=True):
        params = entry.litellm_params
        if params.max_budget is not None:
            own, id = Allowance.of(params.max_budget, params.budget_duration), of_deployment(one.id)
            found[id] = min(own, found.get(id, own), key=_limit)  # an entry that is there twice: the lesser holds
    return found


_limit: Final = attrgetter("limit")


def zone_of(config: Config) -> ZoneInfo:
    return ZoneInfo(config.general_settings.budget_time_zone or "UTC")


def attach(
    config: Config,
    entries: Sequence[ModelEntry],
    deployments: Sequence[Deployment],
    health: Health,
    spending: Spending | None = None,
) -> None:
    """Gives a state to each deployment that has company, a limit or a budget. `entries` say what was written of each of
    them."""
    company = Counter(one.model_name for one in deployments)
    ids = {one.id for one in deployments}
    if spending is not None:
        spending.follow(allowances_of(config, entries, deployments), zone_of(config))
    strategy = rules.strategy_of(config.router_settings.routing_strategy)
    for entry, one in zip(entries, deployments, strict=True):
        most = first(entry.litellm_params.max_parallel_requests, config.router_settings.default_max_parallel_requests)
        limited = any(limit is not None for limit in (most, one.rpm, one.tpm))
        provider = one.target.provider if one.resolve is None else ""  # `*` is at none until it is asked for a name
        found: dict[str, str] = {}
        if company[one.model_name] > 1 or limited or (spending is not None and spending.concerns(provider, one.id)):
            found[provider] = one.id
        if one.resolve is not None:
            found.update((name, f"{one.id}/{name}") for name in config.router_settings.provider_budget_config or ())
        for name, id in found.items():
            state = health.of(id)
            state.queues = health.queues(one.model_name, queue_of(config, one.model_name))
            state.limit(most, one.rpm, one.tpm, () if spending is None else spending.holding(state, name, one.id))
            rules.observe(state, strategy)
            if id == one.id:
                one.state = state
            else:
                one.by_provider[name] = state
                ids.add(id)
    groups: dict[str, list[State]] = {}
    for one in deployments:
        if one.state is not None:
            groups.setdefault(one.model_name, []).append(one.state)
    for group, states in groups.items():
        hedging = health.hedging(group, hedging_of(config, group) if len(states) > 1 else None, states)
        for state in states:
            state.hedging = hedging
    health.keep(ids)


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


def continued(config: Config) -> tuple[bool, dict[str, bool]]:
    """Whether streams that break off are continued: those of all groups, and what single ones say of their own."""
    given = config.router_settings
    said = {name: group.mid_stream_fallback for name, group in (given.model_groups or {}).items()}
    groups = {name: how == "continue" for name, how in said.items() if how is not None}
    return given.mid_stream_fallback == "continue", groups


def hedging_of(config: Config, group: str) -> HedgePolicy | None:
    said = _of(config, group).hedging
    if said is None:
        return None
    return HedgePolicy(said.percentile / 100, said.max_share, said.min_seconds, said.min_samples)
