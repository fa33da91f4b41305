"""`general_settings`: the gateway itself."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from litellm.proxy.config.kinds import (
    Amount,
    Count,
    Positive,
    Secret,
    duration,
    filled,
    header_name,
    names_of,
    network,
    time_zone,
)
from litellm.proxy.config.section import Section
from litellm.proxy.limits.base import Limit

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
        "REDIS_PORT, REDIS_PASSWORD and REDIS_SSL.",
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
