"""`router_settings`: how a deployment is chosen, and what follows a failure."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field

from litellm.proxy.config.kinds import Amount, Count, Positive, Secret, Text, names_of
from litellm.proxy.config.model_groups import GroupSettings, MidStream, PhaseTimeouts, QueueSettings
from litellm.proxy.config.section import Section
from litellm.router.rules import allowance, fallback_lists
from litellm.router.spending import Allowance
from litellm.router.strategies import STRATEGIES
from litellm.types.router import AllowedFailsPolicy, RetryPolicy

RoutingStrategy = Literal[
    "simple-shuffle",
    "least-busy",
    "latency-based-routing",
    "usage-based-routing",
    "usage-based-routing-v2",
    "cost-based-routing",
    "power-of-two",
    "lar1",
]
Check = Literal[
    "prompt_caching",
    "session_affinity",
    "deployment_affinity",
    "enforce_model_rate_limits",
    "router_budget_limiting",
    "responses_api_deployment_check",
    "encrypted_content_affinity",
]
BUILT_CHECKS: Final = frozenset(
    {
        "prompt_caching", "session_affinity", "deployment_affinity", "enforce_model_rate_limits",
        "router_budget_limiting",
    }
)  # fmt: skip
"""Limits and budgets of deployments are always enforced, said or not."""
BUILT_STRATEGIES: Final = frozenset(STRATEGIES)

FallbackLists = Annotated[dict[str, tuple[str, ...]], BeforeValidator(fallback_lists)]
"""Model -> models to turn to; written as `[{model: [other, ...]}]`."""


class Alias(Section):
    """A value of `model_group_alias`."""

    model: Text = Field(description="The model that the name stands for.")
    hidden: bool | None = Field(default=None, description="Not listed by `/v1/models`.")


class RouterSettings(PhaseTimeouts):
    """`router_settings`: how a deployment is chosen, and what follows a failure."""

    later: ClassVar[frozenset[str]] = names_of(
        """
        alerting_config cache_kwargs cache_responses caching_groups client_ttl default_litellm_params
        enable_health_check_routing guardrail_list health_check_staleness_threshold
        ignore_invalid_deployments polling_interval router_general_settings routing_strategy_args search_tools
        """
    )
    unguarded: ClassVar[frozenset[str]] = names_of("guardrail_list")

    redis_url: Secret | None = Field(default=None, description="As `general_settings.redis_url`, which wins over it.")
    redis_host: Text | None = Field(default=None, description="Redis's host, in place of `redis_url`.")
    redis_port: Count | None = Field(default=None, description="Default 6379.")
    redis_password: Secret | None = Field(default=None, description="Of the default user.")
    redis_db: Count | None = Field(default=None, description="Default 0.")
    num_retries: Count | None = Field(default=None, description="As in `litellm_settings`, and wins over it.")
    timeout: Positive | None = Field(
        default=None, description="As `request_timeout` of `litellm_settings`, and wins over it."
    )
    stream_timeout: Positive | None = Field(default=None, description="The same for streamed calls.")
    routing_strategy: RoutingStrategy | None = Field(
        default=None,
        description="How calls are shared: `simple-shuffle` (default; at random by `weight`, `rpm` or `tpm`), "
        "`least-busy`, `latency-based-routing`, `usage-based-routing-v2`, `cost-based-routing`, `power-of-two`.",
    )
    retry_after: Amount | None = Field(
        default=None, description="Seconds at least before a deployment that failed is asked again. Default: 0."
    )
    retry_policy: RetryPolicy | None = Field(
        default=None, description="Retries by kind of failure, such as `RateLimitErrorRetries`."
    )
    model_group_retry_policy: dict[str, RetryPolicy] | None = Field(
        default=None, description="The same for single models."
    )
    total_timeout: Positive | None = Field(
        default=None, description="Seconds for a call with all its attempts, pauses and fallbacks."
    )
    allowed_fails: Count | None = Field(
        default=None,
        description="Failures in a minute before a deployment rests. Default: 5 in a row, or more than half of at "
        "least 5 calls.",
    )
    allowed_fails_policy: AllowedFailsPolicy | None = Field(
        default=None, description="The same by kind of failure, such as `TimeoutErrorAllowedFails`."
    )
    cooldown_time: Amount | None = Field(default=None, description="Seconds that a deployment rests. Default: 5.")
    disable_cooldowns: bool | None = Field(default=None, description="No deployment ever rests.")
    fallbacks: FallbackLists | None = Field(
        default=None, description="Models to turn to if one fails: `[{gpt-4: [claude, mistral]}]`; `*` is any other."
    )
    context_window_fallbacks: FallbackLists | None = Field(
        default=None, description="The same, for prompts that are too long for the model."
    )
    content_policy_fallbacks: FallbackLists | None = Field(
        default=None, description="The same, for prompts that the provider's content policy refuses."
    )
    default_fallbacks: tuple[str, ...] | None = Field(
        default=None, description="Models to turn to if any model fails, after its own fallbacks."
    )
    max_fallbacks: Count | None = Field(default=None, description="Models to turn to at most. Default: 5.")
    mid_stream_fallback: MidStream | None = Field(
        default=None,
        description="A chat stream that breaks off: `error` (default) tells the caller so, `continue` asks another "
        "deployment with `supports_assistant_prefill` to go on with it.",
    )
    model_group_alias: dict[str, str | Alias] | None = Field(
        default=None, description="Other names of models: `alias: model`, or `alias: {model: ..., hidden: true}`."
    )
    optional_pre_call_checks: tuple[Check, ...] | None = Field(
        default=None,
        description="What keeps calls together on one deployment: `prompt_caching` (the same `prompt_cache_key`, or "
        "the same first 4,096 characters), `session_affinity` (the same `x-litellm-session-id`), "
        "`deployment_affinity` (the same key).",
    )
    enable_pre_call_checks: bool | None = Field(
        default=None,
        description="A chat goes only to deployments whose `max_input_tokens` (of `model_info`, else of the catalog) "
        "its prompt fits in; if there is none, to `context_window_fallbacks`.",
    )
    deployment_affinity_ttl_seconds: Positive | None = Field(
        default=None, description="Seconds that a session, or a key, keeps its deployment after a call. Default: 3600."
    )
    provider_budget_config: dict[Text, Annotated[Allowance, BeforeValidator(allowance)]] | None = Field(
        default=None,
        description="What providers may cost: `{openai: {budget_limit: 100, time_period: 1d}}`, in dollars, in any "
        "such period (`30s`, `10m`, `24h`, `1d`, `1mo`; without one, ever). Then their deployments take no calls.",
    )
    default_max_parallel_requests: Count | None = Field(
        default=None, description="`max_parallel_requests` of deployments that have none."
    )
    queue: QueueSettings | None = Field(
        default=None,
        description="Calls wait for a deployment with room instead of being refused: at most `max_size` (100), each at "
        "most `max_wait` seconds (30), `max_per_tenant` of one team, user or key (half of `max_size`).",
    )
    default_priority: Count | None = Field(
        default=None, description="`priority` of calls that say none: 0 (default) is served first."
    )
    model_groups: dict[str, GroupSettings] | None = Field(
        default=None,
        description="For single models, in the place of what is said here: `queue`, `total_timeout`, "
        "`connect_timeout`, `first_token_timeout`, `between_tokens_timeout`, `mid_stream_fallback`; and `hedging` "
        "(`percentile` 95, `max_share` 0.05, `min_seconds` 0, `min_samples` 20): a second deployment is asked where "
        "the first is slow.",
    )
    enable_weighted_failover: bool | None = Field(
        default=None,
        description="Always so, said or not: what is tried next is drawn, by `weight`, among the model's others.",
    )
    enable_tag_filtering: bool | None = Field(
        default=None, description="A request with tags goes to deployments with these tags only."
    )
    tag_filtering_match_any: bool | None = Field(
        default=None, description="One of the request's tags is enough (default), or a deployment must have them all."
    )
