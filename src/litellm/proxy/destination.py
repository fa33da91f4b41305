"""Where an inference request may go, whom it is for, how it is to be tried: by its key, its body and its headers."""

from functools import partial
from typing import TYPE_CHECKING, Final

from litellm.proxy import body, clientside, regions
from litellm.proxy.config.kinds import first
from litellm.proxy.errors import ProxyError
from litellm.proxy.exchange import Exchange
from litellm.proxy.keys.access import may_call
from litellm.proxy.keys.identity import MASTER, Identity
from litellm.proxy.snapshot import Snapshot
from litellm.router.deployments import Deployment
from litellm.router.tags import tagged
from litellm.types.accounts import Wanted, storable
from litellm.types.calls import Ask, Json, as_list

if TYPE_CHECKING:  # there are keys only if there is a store
    from litellm.proxy.keys.book import KeyBook


Destination = tuple[tuple[Deployment, ...], Wanted, Json, int | None]
"""Who may serve the request, whom it is for, the parameters of ours that it came with, those of headers included, and
how often it is to be tried again."""


# Headers that say what a body may say too (litellm-contract 1b.6).
_STEERING: Final = {
    b"x-litellm-timeout": "timeout",
    b"x-litellm-stream-timeout": "stream_timeout",
    b"x-litellm-num-retries": "num_retries",
    b"x-litellm-max-retries": "max_retries",
    b"x-litellm-priority": "priority",
}


def destination(
    snapshot: Snapshot,
    exchange: Exchange,
    identity: Identity,
    path: str,
    ask: Ask,
    ours: Json,
    keys: "KeyBook | None",
) -> Destination:
    """The ask is told of what the router needs to know. Raises ProxyError 400, 401, 403."""
    retries = None
    group = _group(snapshot, exchange, ask, identity, path)
    wanted = _NOBODY if keys is None and snapshot.any_tag is None else _wanted(exchange, ask, identity)
    bound = regions.bound(identity, keys.customer(wanted.end_user)) if keys is not None else None
    if bound is not None:
        group = _in_region(snapshot, exchange, ask, identity, bound, group)
    exchange.model = group[0].model_name
    if not _STEERING.keys().isdisjoint(exchange.fields):
        ours = {**_steered(exchange), **ours}
    if ours:
        clientside.refuse(ours, group)
        ask.fallbacks = _fallbacks(snapshot, ours, identity)
        group = clientside.applied(ours, group, ask.stream)
        retries = clientside.retries(ours)
    if snapshot.router.falls_back(ask):
        ask.fit = partial(_fit, snapshot.any_tag, wanted.tags, bound, ours, ask.stream)  # ask itself: a cycle
    if snapshot.sticking is not None:
        ask.bond = snapshot.sticking.bond(exchange, identity, ask, ours)
    if snapshot.queues:
        _place(snapshot, ask, ours, identity)
    return group, wanted, ours, retries


def _group(snapshot: Snapshot, exchange: Exchange, ask: Ask, identity: Identity, path: str) -> tuple[Deployment, ...]:
    """The deployments that may serve an ask; its model's alias is put in its place. Raises ProxyError 400, 401, 403."""
    asked = ask.model
    if exchange.trace is not None:
        ask.trace, exchange.trace.admin = exchange.trace, identity.is_admin
    if identity is MASTER:
        ask.model = snapshot.aliases.get(asked, asked)
    else:
        _check(snapshot, identity, ask, exchange.path)
    group = snapshot.router.deployments.group(ask.model)
    if not group:
        raise body.unknown_model(path, asked)
    return group if snapshot.any_tag is None else _tagged(snapshot, exchange, ask, identity, group)


def _fallbacks(snapshot: Snapshot, ours: Json, identity: Identity) -> tuple[str, ...] | None:
    """Those that the caller names must be there, and open to its key. Raises ProxyError 400, 403."""
    named = clientside.fallbacks(ours)
    if not named:
        return named
    models = tuple(snapshot.aliases.get(name, name) for name in named)
    for model in models:
        if identity is not MASTER:
            identity.access.check(model)
        if not snapshot.router.deployments.group(model):
            text = f"'fallbacks' names a model that is not served here: {model[: body.MAX_QUOTED]}"
            raise ProxyError(400, text, param="fallbacks")
    return models


def _fit(
    any_tag: bool | None,
    tags: tuple[str, ...],
    bound: regions.Bound | None,
    ours: Json,
    stream: bool,
    group: tuple[Deployment, ...],
) -> tuple[Deployment, ...]:
    """A fallback's deployments as the caller's own would be: by its tags, in its region, within its timeout, with its
    key. None of them, if they do not let it say what it said."""
    if any_tag is not None:
        group = tagged(group, tags, any_tag)
    if bound is not None:
        group = regions.within(bound.regions, group)
    if not ours or not group:
        return group
    try:
        clientside.refuse(ours, group)
    except ProxyError:
        return ()
    return clientside.applied(ours, group, stream)


def _place(snapshot: Snapshot, ask: Ask, ours: Json, identity: Identity) -> None:
    """Where the call stands among those that wait for a deployment. Raises ProxyError 400."""
    ask.tenant = identity.team_id or identity.user_id or identity.key
    ask.priority = first(clientside.priority(ours), snapshot.config.router_settings.default_priority, 0)


def _check(snapshot: Snapshot, identity: Identity, ask: Ask, path: str) -> None:
    """May a virtual key do this? Its aliases are applied first, then the config's. Raises ProxyError 403."""
    if not may_call(identity.allowed_routes, path, inference=True):
        raise ProxyError(403, f"Virtual key is not allowed to call this route: {path}", "auth_error")
    name = identity.aliases.get(ask.model, ask.model)
    ask.model = snapshot.aliases.get(name, name)
    identity.access.check(ask.model)


def _tagged(
    snapshot: Snapshot, exchange: Exchange, ask: Ask, identity: Identity, group: tuple[Deployment, ...]
) -> tuple[Deployment, ...]:
    """The group's deployments for the request's tags. Raises ProxyError 401, as LiteLLM does, if there are none."""
    tags = _wanted(exchange, ask, identity).tags
    fitting = tagged(group, tags, snapshot.any_tag is True)
    if exchange.trace is not None:
        exchange.trace.filtered(group, fitting, f"not for a request with tags {list(tags)}")
    if not fitting:
        text = f"No deployments available for model={ask.model} with tags {list(tags)}"
        raise ProxyError(401, text, "auth_error", param="tags")
    return fitting


def _in_region(
    snapshot: Snapshot,
    exchange: Exchange,
    ask: Ask,
    identity: Identity,
    bound: regions.Bound,
    group: tuple[Deployment, ...],
) -> tuple[Deployment, ...]:
    """The group's deployments in the allowed regions; else those of the end user's `default_model`, which takes the
    model's place. Raises ProxyError 400, 403."""
    exchange.bound = bound
    fitting = regions.within(bound.regions, group)
    if not fitting and bound.default_model is not None:
        ask.model = snapshot.aliases.get(bound.default_model, bound.default_model)
        if identity is not MASTER:
            identity.access.check(ask.model)
        group = snapshot.router.deployments.group(ask.model)
        if snapshot.any_tag is not None and group:
            group = _tagged(snapshot, exchange, ask, identity, group)
        fitting = regions.within(bound.regions, group)
    if not fitting:
        places = " and ".join(bound.regions)
        text = f"No deployments available for model={ask.model} in the allowed region {places}"
        raise ProxyError(400, text, param="model")
    return fitting


_NOBODY: Final = Wanted()
_SAYING: Final = frozenset(
    {b"x-litellm-end-user-id", b"x-litellm-customer-id", b"x-litellm-tags", b"x-litellm-session-id"}
)


def _wanted(exchange: Exchange, ask: Ask, identity: Identity) -> Wanted:
    """Whom a call is for, by its headers, its `user` and its metadata."""
    if ask.metadata is None and not identity.tags and "user" not in ask.params and _SAYING.isdisjoint(exchange.fields):
        return _NOBODY
    metadata = ask.metadata or {}
    said = exchange.header(b"x-litellm-end-user-id") or exchange.header(b"x-litellm-customer-id")
    user = said or ask.params.get("user")
    listed = as_list(metadata.get("tags")) or ()
    tags = [*identity.tags, *(exchange.header(b"x-litellm-tags") or "").split(","), *map(str, listed)]
    return Wanted(
        end_user=storable(user) if isinstance(user, str) else None,
        tags=tuple(dict.fromkeys(storable(tag.strip()) for tag in tags if tag.strip())),
        session_id=storable(exchange.header(b"x-litellm-session-id") or "") or None,
    )


def _steered(exchange: Exchange) -> Json:
    return {name: exchange.header(header) for header, name in _STEERING.items() if header in exchange.fields}
