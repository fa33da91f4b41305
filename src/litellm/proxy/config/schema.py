"""config.yaml as types: which names there are, what each holds, what it does.

A field here is a name with an effect; its description is what `docs/configuration.md` says of it (`reference.py`). A
name in `later` that is no field is LiteLLM's, accepted with a warning that it has no effect yet; whoever builds the
feature makes it a field. Fields in `idle` have their type already, and get the same warning.

Nothing secret shows in `repr`: secrets are SecretStr, fields that may carry one are left out, and so is every name
that is not a field.
"""

from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_validator,
)

from litellm.catalog import params
from litellm.proxy.config.cache_params import CacheParams
from litellm.proxy.config.kinds import (
    Address,
    Amount,
    Callbacks,
    Count,
    HeaderMap,
    Positive,
    Secret,
    Text,
    dotted,
    duration,
    filled,
    header_name,
    names_of,
    network,
    or_empty,
    text_of_number,
    time_zone,
)
from litellm.proxy.config.model_groups import PhaseTimeouts
from litellm.proxy.config.router_settings import FallbackLists, RouterSettings
from litellm.proxy.config.section import Section
from litellm.proxy.limits.base import Limit

Mode = Literal[
    "chat", "embedding", "completion", "image_generation", "audio_transcription", "audio_speech", "rerank", "responses",
    "batch", "realtime", "ocr", "moderation", "image_edit", "video_generation", "search",
]  # fmt: skip

CLIENTSIDE_NAMES: Final = names_of("api_base base_url api_key organization")
"""What a deployment can let a request override."""

_ENDPOINT_PARAMS: Final = names_of(
    """
    add_generation_prompt cache_prompt chat_template chat_template_kwargs continue_final_message do_sample documents
    dynatemp_range early_stopping grammar guided_choice guided_grammar guided_json guided_regex id_slot ignore_eos
    include include_stop_str_in_output input_type instructions json_schema keep_alive length_penalty
    logits_processors lora_request max_new_tokens max_output_tokens min_p min_tokens mirostat mirostat_eta
    mirostat_tau models n_predict n_probs num_ctx num_predict options plugins previous_response_id prompt_logprobs
    provider quality random_seed reasoning reasoning_format reasoning_split repeat_last_n repeat_penalty
    repetition_penalty route safe_prompt samplers size skip_special_tokens stop_token_ids structured_outputs style
    task text tfs_z top_a top_k top_n_sigma transforms truncate_prompt_tokens truncation typical_p usage
    use_beam_search voice
    """
)
"""Parameters of well-known endpoints: sent as they are, and not taken for misspelt names of ours."""


class LitellmParams(PhaseTimeouts):
    """`model_list[].litellm_params`: where a deployment's calls go, and with which defaults.

    Every other name is a parameter of the calls, sent to the endpoint: OpenAI's are defaults that a request may
    override, any other is fixed.
    """

    open: ClassVar[bool] = True
    passed_on: ClassVar[frozenset[str]] = frozenset[str]().union(*params.OPENAI.values()) | _ENDPOINT_PARAMS
    later: ClassVar[frozenset[str]] = params.OURS | names_of(
        """
        budget_duration default_api_key_rpm_limit default_api_key_tpm_limit extra_query itpm keepalive_seconds
        max_budget otpm
        use_in_pass_through
        """
    )
    priced: ClassVar[bool] = True
    later_prefixes: ClassVar[tuple[str, ...]] = (
        *params.CREDENTIAL_PREFIXES,
        "azure_", "input_cost_per_", "output_cost_per_", "cache_read_input_", "cache_creation_input_",
    )  # fmt: skip
    unguarded: ClassVar[frozenset[str]] = names_of(
        "default_api_key_rpm_limit default_api_key_tpm_limit guardrails max_budget"
    )

    model: Text = Field(
        description="`provider/model`; `openai/<name>` for any OpenAI-compatible endpoint. With `*` in the entry's "
        "`model_name`, a `*` here stands for the same text."
    )
    custom_llm_provider: str | None = Field(default=None, description="The provider, for a `model` without its prefix.")
    api_base: Address | None = Field(
        default=None, description="The endpoint's address, version part included; the calls' own paths are appended."
    )
    base_url: Address | None = Field(default=None, description="The same as `api_base`, and wins over it.")
    litellm_credential_name: Text | None = Field(
        default=None, description="A credential of `/credentials`: its values stand for what is not said here."
    )
    api_key: Secret | None = Field(
        default=None,
        description="The key sent to the endpoint. Default: the provider's own variable, such as OPENAI_API_KEY.",
    )
    organization: str | None = Field(default=None, description="OpenAI's organization header.")
    region_name: Text | None = Field(
        default=None,
        description="Where the endpoint is, `eu` or `eu-west-1`: for keys and end users that have an "
        "`allowed_model_region`.",
    )
    timeout: Positive | None = Field(
        default=None,
        description="Seconds for connecting (at most 10), the first byte, each gap and, not streamed, the whole.",
    )
    stream_timeout: Positive | None = Field(default=None, description="The same for streamed calls.")
    max_retries: Count | None = Field(default=None, description="Further attempts after one that failed.")
    num_retries: Count | None = Field(default=None, description="The same as `max_retries`.")
    weight: Amount | None = Field(default=None, description="This deployment's share of its model's calls.")
    rpm: Count | None = Field(
        default=None, description="Requests per minute: no more go there. Without `weight`, also its share."
    )
    tpm: Count | None = Field(
        default=None, description="Tokens per minute: no more go there. Without `weight` and `rpm`, also its share."
    )
    order: int | None = Field(default=None, description="Deployments of a lower order are tried first.")
    max_parallel_requests: Count | None = Field(default=None, description="Calls in flight at once.")
    tags: tuple[str, ...] | None = Field(default=None, description="Tags that a request may ask for.")
    extra_headers: HeaderMap | None = Field(default=None, repr=False, description="Further headers for the endpoint.")
    headers: HeaderMap | None = Field(default=None, repr=False, description="The same as `extra_headers`.")
    extra_body: dict[str, Any] | None = Field(
        default=None, repr=False, description="Further parameters for the endpoint, whatever their names."
    )
    drop_params: bool | None = Field(default=None, description="Drop parameters that the provider does not support.")
    additional_drop_params: tuple[str, ...] | None = Field(
        default=None, description="Parameters to drop in any case; also paths such as `tools[*].function.strict`."
    )
    allowed_openai_params: tuple[str, ...] | None = Field(
        default=None, description="Parameters to send although the provider is said not to support them."
    )
    configurable_clientside_auth_params: tuple[str, ...] | None = Field(
        default=None, description="Which of `api_base`, `api_key` and the like a request may override."
    )
    mock_response: str | dict[str, Any] | None = Field(
        default=None,
        repr=False,
        description="Answer this, without calling anybody; `litellm.RateLimitError` raises it.",
    )
    ssl_verify: bool | str | None = Field(
        default=None, description="`false`, or the path of a file of CA certificates."
    )
    input_cost_per_token: Amount | None = Field(default=None, description="Dollars, in the catalog's stead.")
    output_cost_per_token: Amount | None = Field(default=None, description="Dollars a token of the completion.")
    input_cost_per_second: Amount | None = Field(default=None, description="Dollars; tokens cost nothing then.")
    output_cost_per_second: Amount | None = Field(default=None, description="If there is none for input.")
    cache_read_input_token_cost: Amount | None = Field(default=None, description="Dollars, if cached.")
    cache_creation_input_token_cost: Amount | None = Field(default=None, description="Dollars, if put there.")

    _missing: dict[str, str] = PrivateAttr(default_factory=dict[str, str])

    def model_post_init(self, context: Any, /) -> None:
        """The validation context says which parameters named an unset variable: a file cannot."""
        self._missing.update(context or {})

    @model_validator(mode="wrap")
    @classmethod
    def _one_name_each(cls, data: Any, handler: ModelWrapValidatorHandler["LitellmParams"]) -> "LitellmParams":
        """What was written under a second name is found under the first: api_base, extra_headers, max_retries."""
        params = handler(data)
        return params.model_copy(
            update={
                "api_base": params.base_url or params.api_base,
                "extra_headers": {**(params.headers or {}), **(params.extra_headers or {})} or None,
                "max_retries": params.num_retries if params.max_retries is None else params.max_retries,
            }
        )

    @property
    def missing(self) -> dict[str, str]:
        """Parameter -> the environment variable that was to hold it and is not set."""
        return self._missing

    @property
    def api_key_variable(self) -> str | None:
        """The unset variable that was to hold the key: a call without it is a 401 that names this one."""
        return self._missing.get("api_key")

    @cached_property
    def wire(self) -> dict[str, Any]:
        """Default parameters of the calls: what is not a name of ours. To be read, not changed."""
        extra = self.model_extra or {}
        return {k: v for k, v in extra.items() if v is not None and not (self.has_no_effect(k) or self.is_rate(k))}


class ModelInfo(Section):
    """`model_list[].model_info`: what is known of the deployment. Further names are kept and shown by `/model/info`."""

    open: ClassVar[bool] = True
    priced: ClassVar[bool] = True
    later: ClassVar[frozenset[str]] = names_of(
        """
        allowed_fails team_id
        team_public_model_name
        """
    )
    unguarded: ClassVar[frozenset[str]] = names_of("team_id")

    id: Annotated[Text, BeforeValidator(text_of_number)] | None = Field(
        default=None, description="The deployment's id. Default: a hash of its model, address, key and parameters."
    )
    mode: Mode | None = Field(default=None, description="What the model does; says how `/health` tries it.")
    health_check_model: Text | None = Field(
        default=None, description="The model that checks ask for, in the place of the deployment's own, or of a `*`."
    )
    health_check_timeout: Positive | None = Field(
        default=None, description="Seconds within which a check wants an answer. Default: 60."
    )
    disable_background_health_check: bool | None = Field(
        default=None, description="`background_health_checks` leave it alone."
    )
    access_groups: tuple[str, ...] | None = Field(
        default=None, description="Names that stand for this model, and others of the group, in a key's `models`."
    )
    base_model: str | None = Field(default=None, description="The model that a deployment's own name stands for.")
    supports_assistant_prefill: bool | None = Field(
        default=None,
        description="It goes on with a last message of the assistant's, as `mid_stream_fallback: continue` asks it to. "
        "Default: what the catalog knows of the model or its host.",
    )
    max_tokens: Count | None = Field(default=None, description="For `/model/info`.")
    max_input_tokens: Count | None = Field(
        default=None, description="For `/model/info`, and for `enable_pre_call_checks`."
    )
    max_output_tokens: Count | None = Field(default=None, description="For `/model/info`.")
    input_cost_per_token: Amount | None = Field(default=None, description="As in `litellm_params`, and wins over it.")
    output_cost_per_token: Amount | None = Field(default=None, description="As in `litellm_params`, and wins over it.")
    input_cost_per_second: Amount | None = Field(default=None, description="As in `litellm_params`, and wins over it.")
    output_cost_per_second: Amount | None = Field(default=None, description="As in `litellm_params`, and wins over it.")
    cache_read_input_token_cost: Amount | None = Field(default=None, description="The same.")
    cache_creation_input_token_cost: Amount | None = Field(default=None, description="The same.")


class ModelEntry(Section):
    """`model_list[]`: one deployment. Entries of the same `model_name` share its calls."""

    model_name: Text = Field(
        description="The name that callers use. Wildcards: `openai/*`, and `*` for every name that no other entry has."
    )
    litellm_params: LitellmParams = Field(description="Where calls go. See below.")
    model_info: Annotated[ModelInfo, BeforeValidator(or_empty)] = Field(
        default_factory=ModelInfo, description="What is known of it. See below."
    )


class CredentialEntry(Section):
    """`credential_list[]`: credentials under a name, for deployments that say `litellm_credential_name`. One of
    `/credentials` with this name takes its place."""

    credential_name: Text = Field(description="Its name.")
    credential_values: dict[str, Any] = Field(
        repr=False, description="Parameters of deployments: `api_key`, `api_base`, `organization`."
    )
    credential_info: dict[str, Any] = Field(default_factory=dict[str, Any], description="For whoever reads the file.")


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


Failure = Literal["fail_open", "fail_closed"]


class GeneralSettings(Section):
    """`general_settings`: the gateway itself."""

    passed_on: ClassVar[frozenset[str]] = names_of("store_model_in_db")  # it always can be
    later: ClassVar[frozenset[str]] = names_of(
        """
        admin_only_routes alert_to_webhook_url alert_types alerting alerting_args alerting_threshold allowed_ips
        allowed_routes allow_requests_on_db_unavailable always_include_stream_usage apply_user_budget_to_team_keys
        cancel_on_disconnect completion_model coordination_redis custom_auth
        custom_key_generate custom_sso database_connection_pool_limit database_connection_timeout
        default_team_disabled disable_adding_master_key_hash_to_db disable_budget_reservation disable_error_logs
        disable_master_key_return disable_prisma_schema_update disable_responses_id_security disable_spend_logs
        disable_spend_updates embedding_model enable_jwt_auth enable_oauth2_auth enforce_fallback_model_access
        enforce_user_param enforced_params forward_client_headers_to_llm_api forward_llm_provider_auth_headers
        forward_openai_org_id global_max_parallel_requests
        image_generation_model infer_model_from_keys key_management_settings
        key_management_system litellm_jwtauth litellm_license max_parallel_requests max_response_size_mb
        maximum_spend_logs_cleanup_cron maximum_spend_logs_retention_interval
        moderation_model pass_through_endpoints proxy_batch_polling_interval proxy_batch_write_at
        proxy_budget_rescheduler_max_time proxy_budget_rescheduler_min_time proxy_config_reload_interval_seconds
        public_routes reject_clientside_metadata_tags spend_report_frequency
        supported_db_objects token_rate_limit_type ui_access_mode
        use_client_credentials_pass_through_routes use_redis_transaction_buffer use_spend_logs_partitioning
        use_x_forwarded_for user_api_key_cache_ttl user_header_mappings user_header_name user_url_validation
        """
    )
    unguarded: ClassVar[frozenset[str]] = names_of(
        """
        admin_only_routes allowed_ips allowed_routes enforce_user_param enforced_params global_max_parallel_requests
        max_parallel_requests max_response_size_mb reject_clientside_metadata_tags user_url_validation
        """
    )

    master_key: Annotated[Secret, AfterValidator(filled)] | None = Field(
        default=None,
        description="The key that callers show. Default: the variable LITELLM_MASTER_KEY. Without one the gateway "
        "listens on this machine only.",
    )
    salt_key: Annotated[Secret, AfterValidator(filled)] | None = Field(
        default=None,
        description="What secrets in the store are sealed under. Default: the variable LITELLM_SALT_KEY. Without one "
        "the store takes no secret.",
    )
    litellm_key_header_name: Annotated[str, AfterValidator(header_name)] | None = Field(
        default=None, description="A further header in which callers may show their key."
    )
    trusted_proxies: tuple[Annotated[str, AfterValidator(network)], ...] = Field(
        default=(),
        description="Networks, such as `10.0.0.0/8`, whose `X-Forwarded-For` is believed where keys that nobody knows "
        "are slowed by the caller's address.",
    )
    database_url: Secret | None = Field(
        default=None,
        description="Where keys and spend are kept: `postgresql://...`. Default: the variable DATABASE_URL, else a "
        "SQLite file in `data_dir`, made with the first key.",
    )
    redis_url: Secret | None = Field(
        default=None,
        description="The Redis or Valkey in which the workers of several hosts count limits together: "
        "`redis://HOST:PORT/DB`, `rediss://...`, `unix:///PATH`. Default: the variable REDIS_URL, or REDIS_HOST, "
        "REDIS_PORT and REDIS_PASSWORD.",
    )
    redis_failure: Failure | dict[Limit, Failure] | None = Field(
        default=None,
        description="What becomes of calls while that Redis cannot be reached. `fail_open`: each worker counts for "
        "itself. `fail_closed`: calls with a limit are not let in (503). Or by kind of limit: `{budget: fail_closed, "
        "rpm: fail_open}`, likewise `tpm`, `max_parallel_requests`. Strict budgets are always `fail_closed`. Default "
        "`fail_open`.",
    )
    data_dir: str | None = Field(
        default=None,
        description="The folder of the journal of spend and of the SQLite file, on a local disk. Default: the variable "
        "LITELLM_DATA_DIR, else `./litellm-data`.",
    )
    budget_enforcement: Literal["default", "strict"] | None = Field(
        default=None,
        description="`default` lets a call in while there is money left. `strict` reserves the most that a call can "
        "cost and never overshoots; a call whose cost has no bound is refused.",
    )
    budget_time_zone: Annotated[str, AfterValidator(time_zone)] | None = Field(
        default=None, description="Whose midnights budgets of days, weeks and months begin at. Default UTC."
    )
    max_cached_keys: Annotated[Count, Field(ge=2000)] | None = Field(
        default=None,
        description="How many keys a worker has in memory. Of more, those shown last are there, and the others are "
        "looked up in the store when they are shown, many at a time. Default 300000.",
    )
    spend_durability: Literal["journal", "refuse", "database"] | None = Field(
        default=None,
        description="Where spend is before a call's last byte. `journal`: in a file in `data_dir`; in the database "
        "while that file cannot grow. `refuse`: the same, and no call is let in then (503). `database`: always in the "
        "database, for containers without a volume. Default `journal`.",
    )
    spend_journal_max_mb: Positive | None = Field(
        default=None,
        description="How much spend may wait in the journal for a database that is down; then no call is let in. "
        "Default 1024.",
    )
    maximum_spend_logs_retention_period: Annotated[str, AfterValidator(duration)] | None = Field(
        default=None,
        description="How long calls stay in the spend log: `30d`, `2w`, `6mo`. Then only their sums are kept, by day. "
        "Default: for ever.",
    )
    store_prompts_in_spend_logs: bool | None = Field(
        default=None, description="Keep what calls and answers said, up to 64 KiB each, as long as the spend log."
    )
    background_health_checks: bool | None = Field(
        default=None,
        description="One worker of each host, or of all hosts that share a Redis, asks every deployment for a token "
        "now and then. One that fails rests, and `/health` tells the latest instead of asking.",
    )
    health_check_interval: Positive | None = Field(
        default=None, description="Seconds from one round of checks to the next. Default 300."
    )
    health_check_concurrency: Count | None = Field(default=None, description="Checks at the same time. Default 10.")
    health_check_max_calls: Count | None = Field(
        default=None,
        description="Checks in an interval at most; the other deployments have their turn in the next. Default 100.",
    )
    health_check_details: bool | None = Field(
        default=None,
        description="False: `/health` tells neither the deployments' `api_base` nor what errors said. Default true.",
    )
    max_request_size_mb: Positive | None = Field(default=None, description="Larger request bodies are refused (413).")
    idempotency_ttl: Amount | None = Field(
        default=None,
        description="Seconds that the answer to a request with an `Idempotency-Key` is kept for its retries. Default "
        "3600; 0 ignores the header. See docs/caching.md.",
    )
    stream_commit_seconds: Positive | None = Field(
        default=None,
        description="How long the status line of a stream waits for the first event after the endpoint's 2xx; then it "
        "goes out, and comment lines follow at the same interval while the endpoint is silent. Default 15.",
    )


class ConfigFile(Section):
    """The file's top level."""

    later: ClassVar[frozenset[str]] = names_of(
        """
        assistant_settings callback_settings files_settings finetune_settings guardrails mcp_servers
        prompts search_tools vector_store_registry worker_registry
        """
    )
    unguarded: ClassVar[frozenset[str]] = names_of("guardrails")

    model_list: tuple[ModelEntry, ...] = Field(default=(), description="The deployments. See below.")
    credential_list: tuple[CredentialEntry, ...] = Field(default=(), repr=False, description="Named credentials.")
    litellm_settings: LitellmSettings = Field(default_factory=LitellmSettings, description="See below.")
    router_settings: RouterSettings = Field(default_factory=RouterSettings, description="See below.")
    general_settings: GeneralSettings = Field(default_factory=GeneralSettings, description="See below.")
    environment_variables: dict[str, str] = Field(
        default_factory=dict[str, str],
        repr=False,
        description="Variables to set in the gateway's process, before any `os.environ/NAME` is read.",
    )
    include: tuple[str, ...] = Field(
        default=(),
        description="Further files, relative to this one. Their lists extend the ones here, their other top-level keys "
        "replace those here.",
    )
