"""The arguments of `litellm.Router`, and what the router makes of them."""

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, cast

from litellm.caching.places import Place
from litellm.router import rules
from litellm.router.deployments import Deployment, Deployments
from litellm.router.health import Cooldowns, Health
from litellm.router.plan import RetryPolicy, Routing
from litellm.router.shared import SharedAffinity
from litellm.router.spending import Allowance, Spending, of_deployment, of_provider
from litellm.router.strategies import STRATEGIES
from litellm.sdk.deployments import Entry, Usual
from litellm.sdk.group_caches import GroupCaches
from litellm.sdk.lines import Lines
from litellm.sdk.picking import Picking, Sticking
from litellm.sdk.routed import Routed
from litellm.settings import settings
from litellm.types.calls import Json
from litellm.unbuilt import NotBuilt

if TYPE_CHECKING:
    from litellm.sdk.cache import Cache
    from litellm.sdk.resting import Resting

NOT_BUILT: Final = (
    "alerting_config", "enable_health_check_routing", "router_general_settings",
    "search_tools", "guardrail_list",
)  # fmt: skip
"""Whoever passes one of these expects something that would not happen."""

ALWAYS: Final = frozenset({"enforce_model_rate_limits", "router_budget_limiting"})
"""Limits and budgets of deployments are enforced, said or not."""

CHECKS: Final = frozenset({"prompt_caching", "session_affinity"}) | ALWAYS
"""Of `optional_pre_call_checks`."""

REDIS: Final = ("redis_url", "redis_host", "redis_port", "redis_password")
"""Through which Routers tell each other who rests and what was spent, and where the Router's own cache is."""

BUFFER: Final = "lowest_latency_buffer"

CHANGEABLE: Final = (
    "routing_strategy", "routing_strategy_args",
    "num_retries", "max_fallbacks", "timeout", "stream_timeout", "retry_after", "retry_policy",
    "model_group_retry_policy", "allowed_fails", "allowed_fails_policy", "cooldown_time", "disable_cooldowns",
    "fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "default_fallbacks", "model_group_alias",
    "default_litellm_params", "default_max_parallel_requests", "enable_tag_filtering", "tag_filtering_match_any",
)  # fmt: skip

_OF_THE_PACKAGE: Final = (
    "num_retries", "allowed_fails", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks",
    "default_fallbacks",
)  # fmt: skip
"""Where `litellm.<name>` stands in for an argument that says nothing."""


def checked(given: Json) -> Json:
    """Raises NotBuilt, ValueError; both name the argument."""
    for name in NOT_BUILT:
        if given[name]:
            raise NotBuilt(f"litellm.Router({name}=...)")
    for name in given["optional_pre_call_checks"] or ():
        if name not in CHECKS:
            raise NotBuilt(f"litellm.Router(optional_pre_call_checks=[{name!r}])")
    for name in given["routing_strategy_args"] or ():
        if name != BUFFER:
            raise NotBuilt(f"litellm.Router(routing_strategy_args={{{name!r}: ...}})")
    set_ones = settings.__dict__
    made = {**given}
    for name in _OF_THE_PACKAGE:
        if made[name] in (None, []) and set_ones.get(name) is not None:
            made[name] = set_ones[name]
    made["model_group_alias"] = dict(made["model_group_alias"] or {})
    if made["routing_strategy"] not in STRATEGIES:
        known = ", ".join(STRATEGIES)
        raise ValueError(f"routing_strategy: expected one of {known}, not {made['routing_strategy']!r}")
    for name in ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks"):
        try:
            rules.fallback_lists(made[name] or [])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    budgets: Any = given["provider_budget_config"] or {}
    if not isinstance(budgets, Mapping):
        raise ValueError("provider_budget_config: expected {provider: {budget_limit: dollars, time_period: 1d}}")
    for name, value in cast("Mapping[str, Any]", budgets).items():
        try:
            rules.allowance(value)
        except ValueError as error:
            raise ValueError(f"provider_budget_config.{name}: {error}") from None
    return made


def allowances(given: Json, entries: Iterable[Entry]) -> dict[str, Allowance]:
    """The budgets of providers and of deployments, by their ids."""
    budgets: Mapping[str, Any] = given["provider_budget_config"] or {}
    found = {of_provider(name): rules.allowance(value) for name, value in budgets.items()}
    for one in entries:
        if one.allowance is not None:
            id = of_deployment(one.deployment.id)
            found[id] = min(one.allowance, found.get(id, one.allowance), key=_limit)  # there twice: the lesser holds
    return found


_limit: Final = attrgetter("limit")


def usual(given: Json) -> Usual:
    params = {"timeout": given["timeout"], "stream_timeout": given["stream_timeout"]}
    return Usual(
        {
            **{name: value for name, value in params.items() if value is not None},
            **(given["default_litellm_params"] or {}),
        },
        given["default_max_parallel_requests"],
        priced=given["routing_strategy"] == "cost-based-routing",
        lenient=given["ignore_invalid_deployments"],
    )


def redis_of(given: Json) -> Place | None:
    """None if no Redis is named."""
    url, host, port, password = (given[name] for name in REDIS)
    return Place(url=url, host=host, port=port, password=password) if url or host else None


def resting(given: Json, health: Health, spending: Spending) -> "Resting | None":
    """Raises ValueError for an address that is none, ImportError for Redis without its library."""
    place = redis_of(given)
    if place is None:
        return None
    from litellm.sdk.resting import Resting  # with the client of Redis

    return Resting(place, health, spending)


def own_cache(given: Json) -> "Cache | None":
    """`cache_responses`: in Redis if one is named, else in memory; `cache_kwargs` are arguments of `litellm.Cache`.
    Raises as it does."""
    if not given["cache_responses"]:
        return None
    from litellm.sdk.cache import Cache  # with the stores

    place: Json = {name.removeprefix("redis_"): given[name] for name in REDIS if given[name]}
    arguments: Json = {"type": "redis" if place else "local", **place, **(given["cache_kwargs"] or {})}
    return Cache(**arguments)


def sticking(given: Json) -> Sticking | None:
    checks = CHECKS.intersection(given["optional_pre_call_checks"] or ()) - ALWAYS
    return Sticking(SharedAffinity(), checks, given["deployment_affinity_ttl_seconds"]) if checks else None


def routed(
    given: Json,
    listed: Iterable[Deployment],
    cache: "Cache | None",
    lines: Lines,
    picking: Picking | None,
    sticks: Sticking | None,
    spending: Spending,
) -> Routed:
    retries, rest = given["num_retries"], given["cooldown_time"]
    aliases = {name: one if isinstance(one, str) else one["model"] for name, one in given["model_group_alias"].items()}
    args: Mapping[str, Any] = given["routing_strategy_args"] or {}
    policies: Mapping[str, Any] = given["model_group_retry_policy"] or {}
    deployments = Deployments([*listed])
    return Routed(
        deployments,
        RetryPolicy(
            rules.DEFAULT_RETRIES if retries is None else retries,
            given["retry_after"] or 0.0,
            rules.kinds(given["retry_policy"], "Retries"),
            {group: rules.kinds(policy, "Retries") for group, policy in policies.items()},
        ),
        Routing(
            rules.strategy_of(given["routing_strategy"], args.get(BUFFER)),
            Cooldowns(
                rules.DEFAULT_REST if rest is None else rest,
                bool(given["disable_cooldowns"]),
                given["allowed_fails"],
                rules.kinds(given["allowed_fails_policy"], "AllowedFails"),
            ),
        ),
        rules.fallbacks_of(
            aliases,
            rules.fallback_lists(given["fallbacks"] or []),
            rules.fallback_lists(given["context_window_fallbacks"] or []),
            rules.fallback_lists(given["content_policy_fallbacks"] or []),
            given["default_fallbacks"] or (),
            given["max_fallbacks"],
        ),
        aliases,
        bool(given["tag_filtering_match_any"]) if given["enable_tag_filtering"] else None,
        bool(given["enable_pre_call_checks"]),
        GroupCaches(cache, given["caching_groups"] or (), deployments),
        lines,
        picking,
        sticks,
        spending if spending else None,
    )
