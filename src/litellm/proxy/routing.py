"""`router_settings` as the router takes them: retries, strategy, cooldowns, fallbacks."""

from collections import Counter
from collections.abc import Sequence

from litellm.proxy.config.kinds import first
from litellm.proxy.config.load import Config
from litellm.proxy.config.schema import ModelEntry
from litellm.router import rules
from litellm.router.deployments import Deployment
from litellm.router.fallbacks import Fallbacks, Table
from litellm.router.health import Cooldowns, Health
from litellm.router.plan import RetryPolicy, Routing


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
    return Routing(
        rules.strategy_of(given.routing_strategy),
        Cooldowns(
            first(given.cooldown_time, rules.DEFAULT_REST),
            bool(given.disable_cooldowns),
            first(given.allowed_fails, config.litellm_settings.allowed_fails),
            rules.kinds(given.allowed_fails_policy, "AllowedFails"),
        ),
        given.total_timeout,
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


def attach(config: Config, entries: Sequence[ModelEntry], deployments: Sequence[Deployment], health: Health) -> None:
    """Gives a state to each deployment that has company or a limit. `entries` say what was written of each of them."""
    company = Counter(one.model_name for one in deployments)
    for entry, one in zip(entries, deployments, strict=True):
        most = first(entry.litellm_params.max_parallel_requests, config.router_settings.default_max_parallel_requests)
        if company[one.model_name] > 1 or most is not None or one.rpm is not None or one.tpm is not None:
            one.state = health.of(one.id)
            one.state.limit(most, one.rpm, one.tpm)
    health.keep({one.id for one in deployments})
