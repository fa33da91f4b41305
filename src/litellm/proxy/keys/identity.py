"""Who is calling: a key with all that follows from its rows, worked out once and kept until something of it changes."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, Final

from litellm.proxy.keys.access import ALL_TEAM, Access, Groups, Rule, rule
from litellm.proxy.keys.reach import Reach, reach
from litellm.proxy.limits.base import Scope
from litellm.types.accounts import Budget, Key, Limited, Member, Millis, Organization, Role, Team, User, member_id
from litellm.types.calls import Json
from litellm.types.periods import period

NEVER: Final = 2**62


@dataclass(slots=True, eq=False)
class Identity:
    """`key` is its id, empty for the master key. It holds until `until`: a budget period ends, a key expires."""

    key: str
    role: Role
    access: Access = field(default_factory=Access)
    scopes: tuple[Scope, ...] = ()
    until: Millis = NEVER
    refusal: tuple[int, str, str] | None = None
    """Why the bearer may do nothing at all (blocked, expired): a ProxyError's status, message and type."""
    key_alias: str | None = None
    user_id: str | None = None
    team_id: str | None = None
    organization_id: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    allowed_routes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    region: str | None = None
    """The only one whose deployments may serve it."""
    metadata: Json = field(default_factory=dict[str, Any])
    by_model: Mapping[str, tuple[Scope, ...]] = field(default_factory=dict[str, tuple[Scope, ...]])
    """Limits that hold for one model only."""
    reach: Reach = field(default_factory=Reach)

    @property
    def is_admin(self) -> bool:
        return self.role == "proxy_admin"

    @property
    def actor(self) -> str:
        """Who did it, for the audit log."""
        return self.user_id or self.key or "master_key"


MASTER: Final = Identity("", "proxy_admin")


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows are that a key refers to."""

    users: Mapping[str, User]
    teams: Mapping[str, Team]
    organizations: Mapping[str, Organization]
    members: Mapping[str, Member]
    budgets: Mapping[str, Budget]
    memberships: Mapping[str, Collection[Member]] = field(default_factory=dict[str, Collection[Member]])
    """The same members, by their user's id."""


def identity(key: Key, rows: Rows, groups: Groups, now: Millis, zone: tzinfo = UTC) -> Identity:
    """All that is known of a key's bearer at `now`."""
    team = rows.teams.get(key.team_id or "")
    user = rows.users.get(key.user_id or "")
    organization_id = key.organization_id or (team.organization_id if team else None)
    organization = rows.organizations.get(organization_id or "")
    member = rows.members.get(member_id("team", team.id, user.id)) if team and user else None
    made = _Scopes(rows.budgets, now, zone)
    made.add(f"key:{key.id}", key)
    if user is not None and team is None:  # a team's key spends the team's money, not its user's (1b.9)
        made.add(f"user:{user.id}", user)
    if team is not None:
        made.add(f"team:{team.id}", team)
        if key.user_id:
            made.add(f"member:{member_id('team', team.id, key.user_id)}", _as_member(member, team))
    if organization is not None:
        made.add(f"organization:{organization.id}", organization)
    return Identity(
        key=key.id,
        role=user.user_role if user else "internal_user",
        access=_access(key, user, team, organization, groups),
        scopes=tuple(made.scopes),
        until=min(made.until, key.expires if key.expires is not None and key.expires > now else NEVER),
        refusal=_refusal(key, now) or _refusal_of_owner(user, team, organization),
        key_alias=key.key_alias,
        user_id=key.user_id,
        team_id=key.team_id,
        organization_id=organization_id,
        aliases={**(team.model_aliases if team else {}), **key.aliases},
        allowed_routes=key.allowed_routes,
        tags=key.tags,
        region=key.extra.get("allowed_model_region"),
        metadata=key.metadata,
        by_model=_by_model(key, team, rows.budgets, now, zone),
        reach=reach(key, user is not None, rows.memberships.get(key.user_id or "", ()), rows.teams),
    )


class _Scopes:
    """Limits of rows, with those of the named budget that a row takes its own from."""

    def __init__(self, budgets: Mapping[str, Budget], now: Millis, zone: tzinfo) -> None:
        self._budgets, self._now, self._zone = budgets, now, zone
        self.scopes: list[Scope] = []
        self.until: Millis = NEVER

    def add(self, id: str, row: Limited) -> None:
        shared = self._budgets.get(row.budget_id or "")

        def of(name: str) -> Any:
            own = getattr(row, name)
            return own if own is not None or shared is None else getattr(shared, name)

        start, end = period(of("budget_duration"), self._now, self._zone, row.budget_started_at)
        limits = (of("rpm_limit"), of("tpm_limit"), of("max_parallel_requests"), of("max_budget"))
        self.scopes.append(Scope(id, *limits, start))
        self.until = min(self.until, end or NEVER)


def scope_of(id: str, row: Limited, budgets: Mapping[str, Budget], now: Millis, zone: tzinfo = UTC) -> Scope:
    """One row's scope as it is now."""
    made = _Scopes(budgets, now, zone)
    made.add(id, row)
    return made.scopes[0]


def _as_member(member: Member | None, team: Team) -> Member:
    """A membership, with the team's defaults for what it does not say."""
    own = member or Member(id="")

    def first(own: int | None, default: int | None) -> int | None:
        return default if own is None else own

    return Member(
        id=own.id,
        max_budget=first(own.max_budget, team.member_budget),
        budget_duration=own.budget_duration or team.budget_duration,
        budget_started_at=own.budget_started_at,
        budget_id=own.budget_id,
        rpm_limit=first(own.rpm_limit, team.member_rpm_limit),
        tpm_limit=first(own.tpm_limit, team.member_tpm_limit),
        max_parallel_requests=own.max_parallel_requests,
    )


def _access(
    key: Key, user: User | None, team: Team | None, organization: Organization | None, groups: Groups
) -> Access:
    """A key that says `all-team-models` is bound by its team's list alone."""
    own = () if ALL_TEAM in key.models and team else key.models
    lists: list[tuple[str, tuple[str, ...]]] = [("key", own)]
    lists += [("team", team.models)] if team else [("user", user.models)] if user else []
    lists += [("org", organization.models)] if organization else []
    rules: list[Rule | None] = [rule(owner, models, groups) for owner, models in lists]
    return Access(tuple(found for found in rules if found is not None))


def _refusal(key: Key, now: Millis) -> tuple[int, str, str] | None:
    if key.blocked:
        return (
            401,
            "Authentication Error, Key is blocked. Update via `/key/unblock` if you're admin.",
            "auth_error",
        )
    if key.expires is not None and key.expires <= now:
        return 401, "Authentication Error - Expired Key.", "expired_key"
    return None


def _refusal_of_owner(*owners: Limited | None) -> tuple[int, str, str] | None:
    for owner in owners:
        if owner is not None and owner.blocked:
            kind = type(owner).__name__
            return 401, f"Authentication Error, {kind}={owner.id} is blocked. An admin may unblock it.", "auth_error"
    return None


def _by_model(
    key: Key, team: Team | None, budgets: Mapping[str, Budget], now: Millis, zone: tzinfo
) -> dict[str, tuple[Scope, ...]]:
    found: dict[str, list[Scope]] = {}
    owners: tuple[tuple[str, Limited | None], ...] = ((f"key_model:{key.id}", key), (f"team_model:{key.team_id}", team))
    for prefix, row in owners:
        if row is None:
            continue
        shared = budgets.get(row.budget_id or "")
        money = row.model_max_budget or (shared.model_max_budget if shared else {})
        for model in {*row.model_rpm_limit, *row.model_tpm_limit, *money}:
            budget: Json = money.get(model) or {}
            start, _ = period(budget.get("budget_duration"), now, zone)
            limits = (row.model_rpm_limit.get(model), row.model_tpm_limit.get(model), None, budget.get("max_budget"))
            found.setdefault(model, []).append(Scope(f"{prefix}/{model}", *limits, start))
    return {model: tuple(scopes) for model, scopes in found.items()}


Clock = Callable[[], Millis]
