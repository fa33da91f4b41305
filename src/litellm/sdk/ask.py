"""A call's keyword arguments as what the lower floors take: where it goes (Wish), what is asked (Ask), how often."""

import logging
import os
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import uuid4

from litellm import exceptions as e
from litellm.catalog import params as names
from litellm.engine.resolve import DEFAULT_SECONDS, Wish, timeouts, tls
from litellm.router import mocking
from litellm.sdk.schema import response_format_of
from litellm.settings import settings
from litellm.types.calls import Ask, Json, Op, as_object
from litellm.types.http import Timeouts

DEFAULT_RETRIES: Final = 2

_log = logging.getLogger("litellm")
_warned: set[str] = set()


class Unasked(dict[str, Any]):
    """`stream_options` that the caller has not asked for: the chunk with the usage is not shown to him."""


class Request(NamedTuple):
    ask: Ask
    wish: Wish
    num_retries: int
    usage_asked: bool


def request_of(op: Op, given: Mapping[str, Any]) -> Request:
    """`given` holds all arguments by name; None counts as absent. Raises BadRequestError for what is wrong."""
    wire: Json = {}
    ours: Json = {}
    for name, value in given.items():
        if value is None:
            continue
        if name in names.OURS or name.startswith(names.CREDENTIAL_PREFIXES):
            ours[name] = value
        else:
            wire[name] = value
    model = _model(wire)
    _refuse_and_warn(ours, model)
    body = wire.pop("extra_body", None)
    if body:
        wire.update(body)
    if "response_format" in wire:
        wire["response_format"] = response_format_of(wire["response_format"])
    if op == "embedding":
        _set_encoding(wire)
    stream = bool(wire.get("stream"))
    options = wire.get("stream_options")
    usage_asked = bool((as_object(options) or {}).get("include_usage")) and not isinstance(options, Unasked)
    mock = ours.get("mock_response")
    if mock is None and ours.get("mock_tool_calls"):
        mock = ""
    ask = Ask(op, model, wire, stream, ours.get("litellm_call_id") or str(uuid4()), mock, ours.get("mock_tool_calls"))
    ask.metadata = ours.get("metadata")
    ask.failing = _failing(ours, model)
    return Request(ask, _wish(model, ours, stream), _retries(ours, model), usage_asked)


def _failing(ours: Json, model: str) -> str | None:
    try:
        return mocking.wanted(ours)
    except ValueError as error:
        raise e.BadRequestError(message=f"{error} must be a bool", llm_provider="", model=model) from None


def _set_encoding(wire: Json) -> None:
    """Floats, unless the caller or the environment says otherwise: a null makes some endpoints fail (2.6)."""
    default = os.environ.get("LITELLM_DEFAULT_EMBEDDING_ENCODING_FORMAT") or "float"
    if default.lower() != "none":
        wire.setdefault("encoding_format", default)


def _model(wire: Json) -> str:
    model = wire.pop("model", None)
    if not isinstance(model, str) or not model:
        raise e.BadRequestError(message="model must be a non-empty string", llm_provider="", model=str(model))
    return settings.model_alias_map.get(model, model)


def _refuse_and_warn(ours: Json, model: str) -> None:
    for name, value in ours.items():
        if name in names.BUILT:
            continue
        if name in names.NOT_BUILT and value:
            raise e.BadRequestError(
                message=f"`{name}` is not supported yet. Nothing was sent.", llm_provider="", model=model
            )
        if name not in _warned:
            _warned.add(name)
            _log.warning("litellm: `%s` has no effect yet and is not sent", name)


def _wish(model: str, ours: Json, stream: bool) -> Wish:
    headers: dict[str, Any] = {**(ours.get("headers") or {}), **(ours.get("extra_headers") or {})}
    verify = ours.get("ssl_verify")
    return Wish(
        model=model,
        custom_llm_provider=ours.get("custom_llm_provider"),
        api_base=ours.get("base_url") or ours.get("api_base"),
        api_key=ours.get("api_key"),
        organization=ours.get("organization"),
        headers=tuple((name, str(value)) for name, value in headers.items() if value is not None),
        timeouts=_timeouts(ours, stream, model),
        tls=None if verify is None else tls(verify, settings, os.environ),
        drop_params=bool(ours.get("drop_params")),
        additional_drop_params=tuple(ours.get("additional_drop_params") or ()),
        allowed_openai_params=frozenset(ours.get("allowed_openai_params") or ()),
    )


def _timeouts(ours: Json, stream: bool, model: str) -> Timeouts:
    own = ours.get("stream_timeout") if stream else None
    given = (own, ours.get("timeout"), ours.get("request_timeout"), settings.request_timeout, DEFAULT_SECONDS)
    try:
        return timeouts(next(value for value in given if value is not None), stream)
    except (TypeError, ValueError) as error:
        raise e.BadRequestError(message=f"timeout: {error}", llm_provider="", model=model) from None


def _retries(ours: Json, model: str) -> int:
    given = (ours.get("num_retries"), ours.get("max_retries"), settings.num_retries, DEFAULT_RETRIES)
    value = next(value for value in given if value is not None)
    try:
        return max(0, int(value))
    except (TypeError, ValueError):
        raise e.BadRequestError(
            message=f"num_retries must be a number, not {value!r}", llm_provider="", model=model
        ) from None
