"""What a key may hand on: never more than it has itself."""

from litellm.proxy.admin.desk import Desk
from litellm.proxy.admin.fields import MONEY
from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.access import ALL_PROXY, ALL_TEAM
from litellm.proxy.keys.identity import Identity
from litellm.types.accounts import Key, Limited, Organization
from litellm.types.calls import Json

_CEILINGS = ("max_budget", "tpm_limit", "rpm_limit", "max_parallel_requests", "expires")
REGION = "allowed_model_region"
_ADMINS = frozenset({"budget_id", "permissions", "config"})


async def inherited(desk: Desk, values: Json) -> Json:
    """Values of a new row; what they leave open is bounded as the asker's own key is. Raises ProxyError 403."""
    own = await _own(desk)
    if own is None:
        return values
    limits = {name: limit for name, limit in (await _limits(desk, own)).items() if limit is not None}
    lists = {name: listed for name in ("models", "allowed_routes") if (listed := getattr(own, name))}
    filled = {**lists, **limits, **{name: value for name, value in values.items() if value not in (None, ())}}
    bounded = {**values, **{name: filled[name] for name in (*lists, *limits)}}
    await check(desk, bounded)
    return bounded


async def check(desk: Desk, values: Json) -> None:
    """Values of a key or team, or changes to one, against the asker's own key. Raises ProxyError 403."""
    own = await _own(desk)
    if own is None:
        return
    for name in _ADMINS & {name for name, value in values.items() if value}:
        raise _too_much(name, "only an admin may set it")
    limits = await _limits(desk, own)
    for name in (name for name in _CEILINGS if name in values and limits.get(name) is not None):
        if values[name] is None or values[name] > limits[name]:
            raise _too_much(name, "it is more than your own key has")
    _check_listed("models", values, own)
    _check_listed("allowed_routes", values, own)
    for name in ("model_rpm_limit", "model_tpm_limit", "model_max_budget"):
        if name in values and getattr(own, name) and values[name] != getattr(own, name):
            raise _too_much(name, "your own key is limited by it")


def check_region(identity: Identity, values: Json) -> None:
    """What a key is bound to, those that its bearer makes or changes are bound to. Raises ProxyError 403."""
    given: Json = values.get("extra", {})
    if not identity.is_admin and identity.region is not None and given.get(REGION, identity.region) != identity.region:
        raise _too_much(REGION, "your own key is bound to another")


def check_models(values: Json, owner: Limited, name: str) -> None:
    """Those named must be among the owner's: an organization's, for its teams. Raises ProxyError 403."""
    beyond = set(values.get("models") or ()) - set(owner.models) - {ALL_TEAM}
    if owner.models and ALL_PROXY not in owner.models and beyond:
        raise _too_much("models", f"{sorted(beyond)[0]} is not among those of the {name}")


def check_money(values: Json, owner: Limited, name: str) -> None:
    for field in sorted(MONEY & values.keys()):
        if owner.max_budget is not None and values[field] is not None and values[field] > owner.max_budget:
            raise _too_much(field, f"it is more than the {name} has")


def check_team(values: Json, organization: Organization) -> None:
    """A team against its organization. Raises ProxyError 403."""
    check_models(values, organization, "organization")
    check_money(values, organization, "organization")


async def _own(desk: Desk) -> Key | None:
    """The asker's key; None for those who may hand on everything."""
    return None if desk.identity.is_admin else await desk.records.get(Key, desk.identity.key)


async def _limits(desk: Desk, own: Key) -> Json:
    """With those of the named budget that the key takes its own from: the key's scope has them."""
    scope = desk.identity.scopes[0]
    return {"max_budget": scope.budget, "tpm_limit": scope.tpm, "rpm_limit": scope.rpm,
            "max_parallel_requests": scope.parallel, "expires": own.expires}  # fmt: skip


def _check_listed(name: str, values: Json, own: Key) -> None:
    listed = getattr(own, name)
    if name not in values or not listed or ALL_PROXY in listed:
        return
    if not values[name] or set(values[name]) - set(listed):
        raise _too_much(name, "it is more than your own key may use")


def _too_much(name: str, why: str) -> ProxyError:
    return ProxyError(403, f"{name}: {why}", "auth_error", name)
