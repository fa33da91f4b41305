"""Who may call, who pays, and what was spent: the rows that the store keeps and the gateway decides by.

Money is in integer nano-dollars, times in integer milliseconds since 1970 (UTC). A row is immutable: a change makes
another. Fields have the names of the management API (litellm-contract 1b.2), so that a row and its JSON read alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from litellm.types.calls import Json
from litellm.types.units import Millis as Millis
from litellm.types.units import Nano as Nano

Role = Literal["proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"]
GroupKind = Literal["team", "organization"]
MemberRole = Literal["admin", "user", "org_admin", "internal_user", "internal_user_viewer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What every row has. `id` is unique within its kind."""

    id: str
    metadata: Json = field(default_factory=dict[str, Any])
    created_at: Millis = 0
    updated_at: Millis = 0
    created_by: str | None = None
    updated_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited(Row):
    """A row that calls are counted against. None is no limit; `models` empty is all of them.

    A row with a `budget_id` takes from that budget whatever it does not say itself.
    """

    models: tuple[str, ...] = ()
    max_budget: Nano | None = None
    soft_budget: Nano | None = None
    budget_duration: str | None = None
    """`30s`, `1h`, `1d`, `7d`, `1mo`: the budget begins anew at each boundary. None: it is for ever."""
    budget_started_at: Millis = 0
    """Spend before it does not count (a reset by hand); boundaries are computed, not stored."""
    budget_id: str | None = None
    tpm_limit: int | None = None
    rpm_limit: int | None = None
    max_parallel_requests: int | None = None
    model_max_budget: Json = field(default_factory=dict[str, Any])
    """{model: {"max_budget": nano-dollars, "budget_duration": str | None}}"""
    model_rpm_limit: Json = field(default_factory=dict[str, Any])
    model_tpm_limit: Json = field(default_factory=dict[str, Any])
    blocked: bool = False
    extra: Json = field(default_factory=dict[str, Any])
    """Documented fields that are kept and shown and have no column; most of them have no effect (yet)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key(Limited):
    """A virtual key. `id` is the SHA-256 of the whole key, in hex; the key itself is nowhere."""

    key_name: str = ""
    """`sk-...` and the last four characters, to be shown."""
    key_alias: str | None = None
    user_id: str | None = None
    team_id: str | None = None
    organization_id: str | None = None
    expires: Millis | None = None
    aliases: Json = field(default_factory=dict[str, Any])
    """{model asked for: model group}"""
    allowed_routes: tuple[str, ...] = ()
    """Paths, `/prefix/*`, or `llm_api_routes`, `management_routes`, `info_routes`; empty: what the role may do."""
    tags: tuple[str, ...] = ()
    permissions: Json = field(default_factory=dict[str, Any])
    config: Json = field(default_factory=dict[str, Any])
    replaced_by: str | None = None
    """The key that a regeneration made; this one works until its `expires` (the grace period)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Limited):
    user_email: str | None = None
    user_alias: str | None = None
    user_role: Role = "internal_user"
    sso_user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Team(Limited):
    team_alias: str | None = None
    organization_id: str | None = None
    model_aliases: Json = field(default_factory=dict[str, Any])
    member_budget: Nano | None = None
    """What each member may spend in the team, unless the membership says otherwise; the next two likewise."""
    member_rpm_limit: int | None = None
    member_tpm_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization(Limited):
    organization_alias: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(Limited):
    """A user in a team or an organization. `id` is `member_id(...)`."""

    group_kind: GroupKind = "team"
    group_id: str = ""
    user_id: str = ""
    role: MemberRole = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndUser(Limited):
    """A customer: whom the `user` field of a request names."""

    alias: str | None = None
    allowed_model_region: str | None = None
    default_model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Limited):
    """Limits with a name, for rows that share them (`budget_id`). Each of those rows counts for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag(Limited):
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Row):
    """A deployment kept in the store: it overlays the config's `model_list`. Secrets in `litellm_params` are sealed."""

    model_name: str = ""
    litellm_params: Json = field(default_factory=dict[str, Any])
    model_info: Json = field(default_factory=dict[str, Any])
    blocked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential(Row):
    """A provider's credentials under a name. The values are sealed (AES-256-GCM); no route returns them."""

    values: Json = field(default_factory=dict[str, Any])
    info: Json = field(default_factory=dict[str, Any])


KINDS: Final[Mapping[str, type[Row]]] = {
    "key": Key,
    "user": User,
    "team": Team,
    "organization": Organization,
    "member": Member,
    "end_user": EndUser,
    "budget": Budget,
    "tag": Tag,
    "model": Model,
    "credential": Credential,
}
"""A kind's name: of its table, of its part of a scope's id (`key:...`), of what an audit row is about."""

KIND_OF: Final[Mapping[type[Row], str]] = {row: kind for kind, row in KINDS.items()}


def member_id(group_kind: GroupKind, group_id: str, user_id: str) -> str:
    return f"{group_kind}/{group_id}/{user_id}"


Status = Literal["success", "failure", "unknown"]
"""`unknown`: the process ended while the call was under way; its cost is the estimate."""

UsageSource = Literal["reported", "estimated", "none"]


ATTEMPT: Final = "attempt"


@dataclass(slots=True, kw_only=True)
class SpendRow:
    """One call in the spend log. `spend` is None for a model without a price: the tokens are known, the cost is not.

    `charged` names whom it was counted against: (scope's id, start of the budget period in which the call was
    admitted). A row with `call_type` `adjustment` is a correction by hand, and may be negative. One with ATTEMPT is an
    attempt that did not serve its call and may be billed all the same, or an embedding that the cache made of the
    call's question: it is no request of its own.
    """

    call_id: str
    day: str
    """Of the admission, UTC, `2026-11-23`."""
    admitted_at: Millis
    ended_at: Millis = 0
    first_token_at: Millis | None = None
    call_type: str = ""
    status: Status = "success"
    error: str | None = None
    """`429 RateLimitError`: status and class, never a message."""
    model: str = ""
    """As asked for."""
    model_group: str = ""
    model_id: str = ""
    provider: str = ""
    provider_model: str = ""
    api_base: str = ""
    key: str = ""
    """The key's id; empty for the master key."""
    key_alias: str | None = None
    user_id: str | None = None
    team_id: str | None = None
    organization_id: str | None = None
    end_user: str | None = None
    tags: tuple[str, ...] = ()
    session_id: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    spend: Nano | None = None
    usage_source: UsageSource = "reported"
    stream: bool = False
    cache_hit: bool = False
    retries: int = 0
    metadata: Json = field(default_factory=dict[str, Any])
    """The caller's `x-litellm-spend-logs-metadata`, cut to a kilobyte."""
    charged: tuple[tuple[str, Millis], ...] = ()


MAX_TEXT: Final = 256


def storable(text: str) -> str:
    """What a caller wrote, as every database takes it: NULs and lone surrogates would be refused, and would hold up
    all that stands behind them in the journal."""
    if text.isprintable() and len(text) <= MAX_TEXT:
        return text
    return "".join(char if char.isprintable() else "?" for char in text[:MAX_TEXT])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request says of whom it is for."""

    end_user: str | None = None
    tags: tuple[str, ...] = ()
    session_id: str | None = None
