"""What a caller of the gateway may say beside OpenAI's parameters, and what is refused by name.

Where a call goes and as whom is the operator's to say. A deployment may open single fields to its callers
(`configurable_clientside_auth_params`); an address that a caller gives never travels with the deployment's own key.
"""

from dataclasses import replace
from typing import Any, Final

from litellm.catalog import params as names
from litellm.engine.resolve import timeouts
from litellm.proxy.errors import ProxyError
from litellm.router.deployments import Deployment
from litellm.types.calls import Json, Target, as_list
from litellm.types.http import InvalidRequest, Timeouts, Url

MAX_RETRIES: Final = 10  # that a caller may ask for
LEAST_PRIORITY: Final = 255
_BUILT_HERE: Final = frozenset({"fallbacks", "cache"})
_OPENABLE: Final = frozenset({"api_base", "base_url", "api_key", "organization"})


def refuse(ours: Json, group: tuple[Deployment, ...]) -> None:
    """Raises ProxyError 400 for a field that not every deployment of the group opens, and for features not built yet.

    A field that is null says nothing.
    """
    for name, value in ours.items():
        if value is None:
            continue
        if name in names.NOT_BUILT and name not in _BUILT_HERE:
            raise ProxyError(400, f"'{name}' is not supported by this gateway yet. Nothing was sent.", param=name)
        if names.is_credential(name) and not (name in _OPENABLE and all(name in d.clientside for d in group)):
            raise ProxyError(
                400,
                f"'{name}' may not be set by a request: it is the gateway's to say. A deployment can allow it in "
                "litellm_params.configurable_clientside_auth_params.",
                param=name,
            )


def applied(ours: Json, group: tuple[Deployment, ...], stream: bool) -> tuple[Deployment, ...]:
    """The group as this one caller asks for it: with its own address and key where that is open, its timeout, and
    `drop_params`, which decides no more than whether a parameter of its own is an error."""
    changes: Json = {name: ours[name] for name in _OPENABLE if ours.get(name) is not None}
    for name, value in changes.items():
        if not isinstance(value, str) or not value:
            raise ProxyError(400, f"'{name}' must be a string, and not empty", param=name)
    seconds = _seconds(ours, stream)
    drop = ours.get("drop_params")
    if not isinstance(drop, bool | None):
        raise ProxyError(400, "'drop_params' must be true or false", param="drop_params")
    if changes:
        group = tuple(_theirs(deployment, changes) for deployment in group)
    if seconds is not None:
        group = tuple(_within(deployment, seconds) for deployment in group)
    if drop is not None:
        group = tuple(_aimed(deployment, replace(deployment.target, drop_params=drop)) for deployment in group)
    return group


def _seconds(ours: Json, stream: bool) -> Timeouts | None:
    """The first of the names that is given. Raises ProxyError 400 with its name."""
    for name in ("stream_timeout", "timeout", "request_timeout") if stream else ("timeout", "request_timeout"):
        if ours.get(name) is not None:
            try:
                return timeouts(ours[name], stream)
            except (TypeError, ValueError):
                raise ProxyError(400, f"'{name}' must be a number of seconds above 0", param=name) from None
    return None


def _theirs(deployment: Deployment, changes: Json) -> Deployment:
    """The deployment with what the caller says of the address and of itself."""
    base: str | None = changes.get("base_url") or changes.get("api_base")
    if base is None:
        own = deployment.target
        key: str | None = changes.get("api_key", own.api_key)
        target = replace(own, api_key=key, organization=changes.get("organization", own.organization))
        return replace(_aimed(deployment, target), keyless=deployment.keyless if key is None else None)
    try:
        Url(base)
    except InvalidRequest as error:
        raise ProxyError(400, f"api_base: {error}", param="api_base") from None
    # Everything that is the deployment's own stays behind: its key, its organization, its headers, what its
    # `extra_body` adds, its client certificate.
    key = changes.get("api_key")
    target = replace(
        deployment.target, base_url=base, api_key=key, organization=changes.get("organization"), headers=(),
        tls=replace(deployment.target.tls, cert_file=None, key_file=None),
    )  # fmt: skip
    keyless = None if key else "api_base was given without api_key: the gateway's own key stays here"
    return replace(_aimed(deployment, target), keyless=keyless, fixed={})


def _within(deployment: Deployment, bounds: Timeouts) -> Deployment:
    """The time to a stream's first event stays bounded as it is: what it is for is to ask somebody else in time."""
    own = deployment.stream_timeouts
    if own is not None and own.first_event is not None:
        bounds = replace(bounds, first_event=min(own.first_event, bounds.first_byte or own.first_event))
    return replace(_aimed(deployment, replace(deployment.target, timeouts=bounds)), stream_timeouts=None)


def _aimed(deployment: Deployment, target: Target) -> Deployment:
    """The deployment with another target: nothing that was made from the old one is kept."""
    return replace(deployment, target=replace(target, endpoints={}), _stream_target=None, headers=None)


def fallbacks(ours: Json) -> tuple[str, ...] | None:
    """The models that the caller wants asked if its own fails; empty if it wants none; None if it does not say."""
    disabled = ours.get("disable_fallbacks")
    if not isinstance(disabled, bool | None):
        raise ProxyError(400, "'disable_fallbacks' must be true or false", param="disable_fallbacks")
    if disabled:
        return ()
    given = ours.get("fallbacks")
    if given is None:
        return None
    listed = as_list(given)
    if listed is None or not all(isinstance(name, str) and name for name in listed) or len(listed) > MAX_RETRIES:
        text = f"'fallbacks' must be a list of model names, at most {MAX_RETRIES}"
        raise ProxyError(400, text, param="fallbacks")
    return tuple(listed) or None


def priority(ours: Json) -> int | None:
    """How the call stands among those that wait for a deployment: 0 is first; None if it does not say."""
    given: Any = ours.get("priority")
    if given is None:
        return None
    try:
        number = int(given)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number <= LEAST_PRIORITY:
        raise ProxyError(400, f"'priority' must be a number between 0 and {LEAST_PRIORITY}", param="priority")
    return number


def retries(ours: Json) -> int | None:
    """How often the caller wants a failed call tried again; None if it does not say."""
    for name in ("num_retries", "max_retries"):
        given: Any = ours.get(name)
        if given is None:
            continue
        try:
            count = int(given)
        except (TypeError, ValueError):
            count = -1
        if not 0 <= count <= MAX_RETRIES:
            raise ProxyError(400, f"'{name}' must be a number between 0 and {MAX_RETRIES}", param=name)
        return count
    return None
