"""`litellm_settings`: defaults for every deployment."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from litellm.proxy.config.cache_params import CacheParams
from litellm.proxy.config.kinds import Address, Callbacks, Count, Positive, Secret, Text, dotted, names_of
from litellm.proxy.config.router_settings import FallbackLists
from litellm.proxy.config.section import Section


class CustomProvider(Section):
    """One row of `custom_provider_map`."""

    provider: Text = Field(description="The prefix of the models it serves: `my-llm` for `my-llm/any-name`.")
    custom_handler: Annotated[str, AfterValidator(dotted)] = Field(
        description="`module.instance`: a `CustomLLM`, in a file beside this one or in a module that can be imported."
    )


class LitellmSettings(Section):
    """`litellm_settings`: defaults for every deployment."""

    later: ClassVar[frozenset[str]] = names_of(
        """
        add_function_to_prompt budget_duration cloudzero_settings cost_discount_config
        cost_margin_config custom_prometheus_metadata_labels custom_prometheus_tags datadog_params
        default_internal_user_params default_key_generate_params default_team_params default_team_settings
        disable_aiohttp_transport disable_end_user_cost_tracking disable_end_user_cost_tracking_prometheus_only
        disable_hf_tokenizer_download disable_streaming_logging disable_token_counter enable_json_schema_validation
        enable_preview_features enable_redis_auth_cache expose_router_debug_in_errors
        force_ipv4 headers include_cost_in_streaming_usage  internal_user_budget_duration json_logs
        key_generation_settings langfuse_default_tags max_budget max_end_user_budget max_internal_user_budget max_tokens
        mcp_aliases model_alias_map model_cost_map_url model_fallbacks modify_params network_mock
        prometheus_initialize_budget_metrics prometheus_metrics_config public_model_groups
        redact_messages_in_exceptions redact_user_api_key_info require_auth_for_metrics_endpoint
        route_all_chat_openai_to_responses s3_callback_params service_callback service_callbacks
        suppress_debug_info tag_budget_config telemetry  upperbound_key_generate_params
        use_aiohttp_transport use_chat_completions_url_for_anthropic_messages
        """
    )
    later_prefixes: ClassVar[tuple[str, ...]] = ("cloudzero",)
    unguarded: ClassVar[frozenset[str]] = names_of(
        "max_budget max_end_user_budget max_internal_user_budget tag_budget_config upperbound_key_generate_params"
    )

    drop_params: bool | None = Field(default=None, description="Drop parameters that a provider does not support.")
    cache: bool | None = Field(default=None, description="Keep answers, and give them again to the same request.")
    cache_params: CacheParams | None = Field(default=None, description="Where and how long; see docs/caching.md.")
    num_retries: Count | None = Field(default=None, description="Further attempts after one that failed. Default 2.")
    fallbacks: FallbackLists | None = Field(default=None, description="As in `router_settings`, which wins over it.")
    context_window_fallbacks: FallbackLists | None = Field(default=None, description="As in `router_settings`.")
    content_policy_fallbacks: FallbackLists | None = Field(default=None, description="As in `router_settings`.")
    default_fallbacks: tuple[str, ...] | None = Field(default=None, description="As in `router_settings`.")
    allowed_fails: Count | None = Field(default=None, description="As in `router_settings`.")
    request_timeout: Positive | None = Field(
        default=None, description="Seconds; see `timeout` of a deployment. Default 600."
    )
    ssl_verify: bool | str | None = Field(
        default=None, description="`false`, or the path of a file of CA certificates."
    )
    ssl_certificate: str | None = Field(
        default=None, description="Path of the client's certificate shown to endpoints."
    )
    callbacks: Callbacks | None = Field(
        default=None,
        description="Who hears of every call: `module.instance`, a `CustomLogger` or a function, in a file beside this "
        "one or in a module that can be imported; or a callback's name.",
    )
    success_callback: Callbacks | None = Field(default=None, description="The same, for calls that succeeded.")
    failure_callback: Callbacks | None = Field(default=None, description="The same, for calls that failed.")
    input_callback: Callbacks | None = Field(default=None, description="The same, before a call.")
    turn_off_message_logging: bool | None = Field(default=None, description="Hide prompts and answers from callbacks.")
    custom_provider_map: tuple[CustomProvider, ...] | None = Field(
        default=None, description="Providers of your own, in Python: a list of `provider` and `custom_handler`."
    )
    set_verbose: bool | None = Field(default=None, description="The same as `--debug`.")
    api_base: Address | None = Field(default=None, description="For deployments that have none.")
    api_key: Secret | None = Field(default=None, description="For deployments that have none.")
    openai_key: Secret | None = Field(default=None, description="For deployments of `openai` that have none.")
    organization: str | None = Field(default=None, description="For deployments that have none.")

    @property
    def names_callbacks(self) -> bool:
        return bool(self.callbacks or self.success_callback or self.failure_callback or self.input_callback)
