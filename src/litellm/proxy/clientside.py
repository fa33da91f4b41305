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
from litellm.types.calls import Json, Target
from litellm.types.http import InvalidRequest, Url

_BASES: Final = ("api_base", "base_url")
_OPENABLE: Final = frozenset({"api_base", "base_url", "api_key", "organization"})


def refuse(ours: Json, group: tuple[Deployment, ...]) -> None:
    """Raises ProxyError 400 for a field that no deployment of the group opens, and for features not built yet."""
    for name in ours:
        if name in names.NOT_BUILT:
            raise ProxyError(400, f"'{name}' is not supported by this gateway yet. Nothing was sent.", param=name)
        if names.is_credential(name) and not (name in _OPENABLE and all(name in d.clientside for d in group)):
            raise ProxyError(
                400,
                f"'{name}' may not be set by a request: it is the gateway's to say. A deployment can allow it in "
                "litellm_params.configurable_clientside_auth_params.",
                param=name,
            )


def applied(ours: Json, group: tuple[Deployment, ...], stream: bool) -> tuple[Deployment, ...]:
    """The group as this one caller asks for it: with its own address and key where that is open, and its timeout."""
    seconds = (ours.get("stream_timeout") if stream else None) or ours.get("timeout") or ours.get("request_timeout")
    changes: Json = {name: ours[name] for name in _OPENABLE if ours.get(name) is not None}
    if not changes and seconds is None:
        return group
    return tuple(_changed(deployment, changes, seconds, stream) for deployment in group)


def _changed(deployment: Deployment, changes: Json, seconds: Any, stream: bool) -> Deployment:
    target = deployment.target
    if changes:
        target = _credentials(target, changes)
    if seconds is not None:
        try:
            target = replace(target, timeouts=timeouts(seconds, stream), endpoints={})
        except (TypeError, ValueError) as error:
            raise ProxyError(400, f"timeout: {error}", param="timeout") from None
    keyless = deployment.keyless
    if changes:
        keyless = None if target.api_key else "api_base was given without api_key: the gateway's own key stays here"
    return replace(deployment, target=target, keyless=keyless, stream_timeouts=None, _stream_target=None, headers=None)


def _credentials(target: Target, changes: Json) -> Target:
    for name, value in changes.items():
        if not isinstance(value, str):
            raise ProxyError(400, f"'{name}' must be a string", param=name)
    base: str | None = changes.get("base_url") or changes.get("api_base")
    key: str | None = changes.get("api_key")
    if base is not None:
        try:
            Url(base)
        except InvalidRequest as error:
            raise ProxyError(400, f"api_base: {error}", param="api_base") from None
        # Everything that is the deployment's own stays behind: its key, its organization, its headers.
        target = replace(target, base_url=base, api_key=None, organization=None, headers=())
    organization: str | None = changes.get("organization", target.organization)
    return replace(target, api_key=key or target.api_key, organization=organization, endpoints={})


def retries(ours: Json) -> int | None:
    """How often the caller wants a failed call tried again; None if it does not say."""
    given = ours.get("num_retries", ours.get("max_retries"))
    if given is None:
        return None
    try:
        count = int(given)
    except (TypeError, ValueError):
        raise ProxyError(400, f"'num_retries' must be a number, not {given!r}", param="num_retries") from None
    if not 0 <= count <= 10:
        raise ProxyError(400, "'num_retries' must be between 0 and 10", param="num_retries")
    return count
