"""What a key's row may be: its fields, whose it is, and no more than its asker may give."""

from hashlib import sha256
from secrets import token_urlsafe
from typing import Final, Literal

from pydantic import Field

from litellm.proxy.admin import bounds, roles, rows
from litellm.proxy.admin.desk import Desk
from litellm.proxy.admin.fields import Anything, Kept, Limits, Name, Object, Text, changed, seconds, values_of
from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.identity import Identity
from litellm.types.accounts import GroupKind, Key, Member, Millis, Organization, Team, User, member_id, storable
from litellm.types.calls import Json


class KeyFields(Limits, Kept):
    """What a key may be given. Fields that are not sent stay as they are; null takes a limit away."""

    key_alias: Name | None = None
    duration: str | None = Field(default=None, description="How long it works: 30s, 30m, 1h, 30d, 1mo; -1: for ever.")
    aliases: dict[Text, Text] | None = Field(default=None, description="Model asked for -> model served.")
    tags: list[Text] | None = None
    allowed_routes: list[Text] | None = None
    allowed_model_region: Name | None = Field(
        default=None, description="Only deployments whose `region_name` is there, or begins with it, serve it."
    )
    key_type: Literal["default", "llm_api", "management", "read_only"] | None = Field(
        default=None, description="Short for `allowed_routes`."
    )
    user_id: Text | None = None
    team_id: Text | None = None
    organization_id: Text | None = None
    permissions: Object | None = None
    config: Object | None = None
    agent_id: Anything = None
    project_id: Anything = None
    mcp_rpm_limit: Anything = None
    tag_rpm_limit: Anything = None
    allowed_passthrough_routes: Anything = None
    enforced_params: Anything = None
    throttle_on_budget_exceeded: Anything = None
    auto_rotate: Anything = None
    rotation_interval: Anything = None
    send_invite_email: Anything = None
    default_estimated_output_tokens: Anything = None
    temp_budget_increase: Anything = None
    temp_budget_expiry: Anything = None


_TYPES: Final = {"default": (), "llm_api": ("llm_api_routes",), "management": ("management_routes",),
                 "read_only": ("info_routes",)}  # fmt: skip
_NO_FIELDS: Final = frozenset({"key", "new_key", "grace_period", "duration", "key_type"})


def id_of(key: str) -> str:
    """A key's id: of a whole key its SHA-256, else it is taken for one."""
    return sha256(key.encode(errors="replace")).hexdigest() if key.startswith("sk-") else storable(key)


async def new_key(
    desk: Desk, asked: KeyFields, given: str | None = None, owned: bool = True, permission: str = ""
) -> tuple[str, Key]:  # fmt: skip
    """A key that the asker may make, and its row, not yet written; `owned`: it is theirs if they name no other user.

    Raises ProxyError.
    """
    values = await bounds.inherited(desk, _values(asked, desk.now))
    bounds.check_region(desk.identity, values)
    if not desk.identity.is_admin and desk.identity.region is not None:
        values["extra"] = {**values.get("extra", {}), bounds.REGION: desk.identity.region}
    if not owned:
        values["user_id"] = None
    elif not desk.identity.is_admin:
        values = _of_asker(desk) | values
    plain = own_or_new(given)
    key = Key(id=id_of(plain), key_name=f"sk-...{plain[-4:]}", **rows.stamps(desk), **values)
    await _check_owners(desk, key, values, permission)
    return plain, key


def _of_asker(desk: Desk) -> Json:
    """Whose a key is that somebody makes without saying for whom."""
    return {**dict(desk.identity.reach.within), "user_id": desk.identity.user_id}


def own_or_new(given: str | None) -> str:
    if given is None:
        return f"sk-{token_urlsafe(16)}"
    if not given.startswith("sk-") or len(given) < 8 or not given.isascii() or not given.isprintable() or " " in given:
        raise ProxyError(400, "a key begins with sk- and has at least 8 visible ASCII characters", param="key")
    return given


def _values(asked: KeyFields, now: Millis) -> Json:
    """The fields that were sent, as a row has them. Raises ProxyError 400."""
    values = values_of(asked, Key, omit=_NO_FIELDS)
    if "duration" in asked.model_fields_set:
        duration = asked.duration
        ends = duration is not None and duration != "-1"
        values["expires"] = now + seconds(duration or "", "duration") * 1000 if ends else None
    if asked.key_type and not asked.allowed_routes:
        values["allowed_routes"] = _TYPES[asked.key_type]
    return values


async def after_change(desk: Desk, before: Key, asked: KeyFields, permission: str) -> Key:
    """A key as a change leaves it. Raises ProxyError."""
    values = _values(asked, desk.now)
    await bounds.check(desk, values)
    bounds.check_region(desk.identity, values)
    if "blocked" in values and not roles.fits(before, roles.led_keys(desk.identity)):
        raise ProxyError(403, "blocked: only an admin may change it", "auth_error", "blocked")
    key = changed(before, values)
    await _check_owners(desk, key, values, permission)
    return key


async def _check_owners(desk: Desk, key: Key, values: Json, permission: str) -> None:
    """Whose key it is to be: of groups that there are, and one that the asker may change then, too. Raises ProxyError.

    (A key of a team that is yet to be made would fall to whoever makes the team.)
    """
    if not desk.identity.is_admin:
        _check_groups(desk.identity, values, permission)
    if not roles.fits(key, roles.changed_keys(desk.identity, permission)):
        raise rows.missing(User, "user_id")
    team = await desk.records.get(Team, key.team_id) if key.team_id else None
    organization = await desk.records.get(Organization, key.organization_id) if key.organization_id else None
    if values.get("team_id") and team is None:
        raise rows.missing(Team, "team_id")
    if values.get("organization_id") and organization is None:
        raise rows.missing(Organization, "organization_id")
    if not desk.identity.is_admin:
        await _check_limits(desk, key, values, team, organization)


async def _check_limits(
    desk: Desk, key: Key, values: Json, team: Team | None, organization: Organization | None
) -> None:  # fmt: skip
    """A key that somebody else than an admin makes or changes has no more than its owners. Raises ProxyError."""
    user = await desk.records.get(User, key.user_id) if key.user_id else None
    if key.user_id and key.user_id != desk.identity.user_id:
        await _check_user(desk, key, user, "user_id" in values)
    owners = [(team, "team"), (organization, "organization"), (user if team is None else None, "user")]
    for owner, name in owners:
        if owner is not None:
            bounds.check_models(values, owner, name)
            bounds.check_money(values, owner, name)


def _check_groups(identity: Identity, values: Json, permission: str) -> None:
    """A key is given to groups that the asker leads, or has the permission of; of others one learns as much as of those
    that are not there.

    Raises ProxyError 403, 404.
    """
    reach = identity.reach
    granted = reach.granted[permission] if roles.has(identity, permission) else frozenset[str]()
    for kind, name, belongs, led in (
        (Team, "team_id", reach.teams, reach.led_teams | granted),
        (Organization, "organization_id", reach.organizations, reach.led_organizations),
    ):
        group = values.get(name)
        if group and group not in led and group in belongs:
            raise ProxyError(403, f"{name}: only its admins may make its keys", "team_member_permission_error", name)
        if group and group not in led:
            raise rows.missing(kind, name)


async def _check_user(desk: Desk, key: Key, user: User | None, given: bool) -> None:
    """A leader's key for another: for nobody above them, and `given` anew to members alone. Raises ProxyError."""
    kinds: tuple[tuple[GroupKind, str | None], ...] = (("team", key.team_id), ("organization", key.organization_id))
    ids = [member_id(kind, group, key.user_id or "") for kind, group in kinds if group]
    is_member = user is not None and bool(await desk.records.get_many(Member, ids))
    if (given and not is_member) or (user is not None and user.user_role in roles.ADMINS):
        raise rows.missing(User, "user_id")
