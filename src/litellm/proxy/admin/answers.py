"""What the management routes answer, as OpenAPI shows it. Money is in dollars, times are ISO 8601 in UTC.

For the description alone: nothing is checked against it on the way out (the tests check every answer).
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

from litellm.types.calls import Json


def of(model: Any) -> dict[str, Any]:
    """A route's options: its answer is described so."""
    return {"response_model": None, "responses": {200: {"model": model, "description": "OK"}}}


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class _Stamps(_Answer):
    created_at: str | None
    updated_at: str | None
    created_by: str | None
    updated_by: str | None


class _Limits(_Stamps):
    max_budget: float | None
    soft_budget: float | None
    budget_duration: str | None
    tpm_limit: int | None
    rpm_limit: int | None
    max_parallel_requests: int | None
    metadata: Json


class ModelBudget(_Answer):
    max_budget: float
    budget_duration: str | None


class Budget(_Limits):
    budget_id: str
    model_max_budget: dict[str, ModelBudget]


class BudgetSetting(_Answer):
    """One field of a budget, as a form shows it."""

    field_name: str
    field_type: str
    field_description: str
    field_value: float | str | Json | None
    stored_in_db: bool
    field_default_value: None


class _Standing(_Limits):
    budget_id: str | None
    litellm_budget_table: Budget | None
    spend: float
    budget_reset_at: str | None


class Customer(_Standing):
    user_id: str
    alias: str | None
    blocked: bool
    allowed_model_region: str | None
    default_model: str | None


class DeletedCustomers(_Answer):
    deleted_customers: int
    message: str


class BlockedCustomers(_Answer):
    blocked_users: list[Customer]


class UnblockedCustomers(_Answer):
    unblocked_users: list[Customer]


class Tag(_Standing):
    name: str
    description: str | None
    models: list[str]


class TagDone(_Answer):
    message: str
    tag: Tag


class Message(_Answer):
    message: str


class Done(_Answer):
    success: bool
    message: str


class Credential(_Stamps):
    credential_name: str
    credential_values: dict[str, str]
    credential_info: Json


class Credentials(_Answer):
    success: bool
    credentials: list[Credential]


class Model(_Stamps):
    model_id: str
    model_name: str
    litellm_params: Json
    model_info: Json
    blocked: bool


class Change(_Answer):
    id: str
    updated_at: str
    changed_by: str
    action: str
    table_name: str
    object_id: str
    before_value: Json | None
    updated_values: Json | None


class Changes(_Answer):
    audit_logs: list[Change]
    total: int
    page: int
    page_size: int
    total_pages: int


class Call(_Answer):
    """A row of the log. `spend` is null for a model without a price; `api_key` is the key's hash."""

    request_id: str
    call_type: str
    status: str
    error: str | None
    api_key: str
    user: str | None
    team_id: str | None
    organization_id: str | None
    end_user: str | None
    request_tags: list[str]
    session_id: str | None
    model: str
    model_group: str
    model_id: str
    custom_llm_provider: str
    api_base: str
    spend: float | None
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    usage_source: str
    cache_hit: bool
    metadata: Json
    startTime: str  # noqa: N815
    endTime: str  # noqa: N815
    completionStartTime: str | None  # noqa: N815
    request_duration_ms: int
    mcp_namespaced_tool_name: None
    agent_id: None
    cache_key: None
    requester_ip_address: None
    messages: None
    response: Json | str | None
    proxy_server_request: Json | str | None


class Calls(_Answer):
    data: list[Call]
    total: int
    page: int
    page_size: int
    total_pages: int


class LogDay(_Answer):
    startTime: str  # noqa: N815
    spend: float
    users: dict[str, float]
    models: dict[str, float]
    api_keys: dict[str, float]


class KeySpend(_Answer):
    token: str
    key_name: str
    key_alias: str | None
    user_id: str | None
    team_id: str | None
    max_budget: float | None
    expires: str | None
    spend: float


class UserSpend(_Answer):
    user_id: str
    user_email: str | None
    user_alias: str | None
    user_role: str | None
    max_budget: float | None
    spend: float


class TagSpend(_Answer):
    individual_request_tag: str
    log_count: int
    total_spend: float


class Everything(_Answer):
    spend: float
    max_budget: float | None


class DaySpend(_Answer):
    date: str
    spend: float


class DearKey(_Answer):
    api_key: str
    key_alias: str | None
    key_name: str | None
    total_spend: float


class DearModel(_Answer):
    model: str
    total_spend: float


class ProviderSpend(_Answer):
    provider: str
    spend: float


class TeamSpend(_Answer):
    team_id: str
    team_alias: str
    total_spend: float


class Teams(_Answer):
    """Each day has its `date`, and what each team has spent under its name."""

    daily_spend: list[dict[str, str | float]]
    teams: list[str]
    total_spend_per_team: list[TeamSpend]


class DearEndUser(_Answer):
    end_user: str
    total_count: int
    total_spend: float


class DearTag(_Answer):
    name: str
    spend: float
    log_count: int


class DearTags(_Answer):
    spend_per_tag: list[DearTag]


class ReportPart(_Answer):
    model: str
    api_key: str
    spend: float
    total_tokens: int
    requests: int


class _ReportOwner(_Answer):
    total_spend: float
    metadata: list[ReportPart]


class ReportTeam(_ReportOwner):
    team_name: str


class ReportCustomer(_ReportOwner):
    customer: str


class ReportKey(_ReportOwner):
    api_key: str


class ReportDay(_Answer):
    """One of `teams`, `customers` and `api_keys`, by `group_by`."""

    group_by_day: str
    teams: list[ReportTeam] | None = None
    customers: list[ReportCustomer] | None = None
    api_keys: list[ReportKey] | None = None


class Reset(_Answer):
    message: str
    status: str


class ActivityDay(_Answer):
    date: str
    api_requests: int
    total_tokens: int


class Activity(_Answer):
    daily_data: list[ActivityDay]
    sum_api_requests: int
    sum_total_tokens: int


class ModelActivity(Activity):
    model: str


class ExceptionDay(_Answer):
    date: str
    num_rate_limit_exceptions: int


class Exceptions(_Answer):
    daily_data: list[ExceptionDay]
    sum_num_rate_limit_exceptions: int


class AddressExceptions(Exceptions):
    api_base: str


class CacheHits(_Answer):
    api_key: str
    call_type: str
    model: str
    total_rows: int
    cache_hit_true_rows: int
    cached_completion_tokens: int
    generated_completion_tokens: int


class Metrics(_Answer):
    spend: float
    prompt_tokens: int
    completion_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    total_tokens: int
    successful_requests: int
    failed_requests: int
    api_requests: int


class KeyMetadata(_Answer):
    key_alias: str | None
    team_id: str | None


class KeyPart(_Answer):
    metrics: Metrics
    metadata: KeyMetadata


class Part(_Answer):
    metrics: Metrics
    metadata: Json
    api_key_breakdown: dict[str, KeyPart]


class Breakdown(_Answer):
    models: dict[str, Part] = {}
    model_groups: dict[str, Part] = {}
    providers: dict[str, Part] = {}
    entities: dict[str, Part] = {}
    api_keys: dict[str, KeyPart] = {}
    mcp_servers: dict[str, Part] = {}
    endpoints: dict[str, Part] = {}


class DailyResult(_Answer):
    date: str
    metrics: Metrics
    breakdown: Breakdown


class DailyTotals(_Answer):
    total_spend: float
    total_prompt_tokens: int
    total_completion_tokens: int
    total_cache_read_input_tokens: int
    total_cache_creation_input_tokens: int
    total_tokens: int
    total_successful_requests: int
    total_failed_requests: int
    total_api_requests: int
    page: int
    total_pages: int
    has_more: bool


class Daily(_Answer):
    results: list[DailyResult]
    metadata: DailyTotals
