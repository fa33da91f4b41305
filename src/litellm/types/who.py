"""Who asks: what the gateway knows of a request's key, as its hooks see it (`user_api_key_dict`)."""

from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from litellm.types.calls import as_object


class UserAPIKeyAuth(BaseModel):
    """`api_key` and `token` are the key's SHA-256, never the key: one given as `sk-...` is replaced when this is made.

    Amounts are dollars. None: no limit, or not known.
    """

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    api_key: str | None = None
    token: str | None = None
    key_name: str | None = None
    key_alias: str | None = None
    user_id: str | None = None
    user_role: str | None = None
    user_email: str | None = None
    team_id: str | None = None
    team_alias: str | None = None
    team_models: list[str] = Field(default_factory=list[str])
    team_metadata: dict[str, Any] | None = None
    org_id: str | None = None
    project_id: str | None = None
    agent_id: str | None = None
    end_user_id: str | None = None
    models: list[Any] = Field(default_factory=list[Any])
    aliases: dict[str, Any] = Field(default_factory=dict[str, Any])
    config: dict[str, Any] = Field(default_factory=dict[str, Any])
    metadata: dict[str, Any] = Field(default_factory=dict[str, Any])
    permissions: dict[str, Any] = Field(default_factory=dict[str, Any])
    spend: float = 0.0
    max_budget: float | None = None
    soft_budget: float | None = None
    budget_duration: str | None = None
    tpm_limit: int | None = None
    rpm_limit: int | None = None
    max_parallel_requests: int | None = None
    blocked: bool | None = None
    expires: Any = None
    request_route: str | None = None
    parent_otel_span: Any = None

    @model_validator(mode="before")
    @classmethod
    def _hide_the_key(cls, values: Any) -> Any:
        fields = as_object(values)
        key = fields.get("api_key") if fields else None
        if not isinstance(key, str) or not key.startswith("sk-"):
            return values
        digest = sha256(key.encode()).hexdigest()
        return {"token": digest, **(fields or {}), "api_key": digest}
