"""A request's bytes as an Ask: strict JSON first, trailing commas forgiven second, everything else refused by name.

What was checked is what is sent: the parsed dict is encoded anew, the caller's bytes never travel on.
"""

import re
from typing import Any, Final

import orjson

from litellm.catalog import params as names
from litellm.proxy.errors import ProxyError
from litellm.router import mocking
from litellm.types.calls import Ask, Json, Op, as_list, as_object

MAX_QUOTED: Final = 200  # characters of what a caller wrote that an error repeats
MAX_DEPTH: Final = 200  # orjson reads 1,024 levels and writes 254

_REQUIRED: Final[dict[Op, str]] = {"chat": "messages", "completion": "prompt", "embedding": "input"}

# Most requests hold nothing else: then there is nothing of ours to look for.
_OPENAI_ONLY: Final = frozenset({"model"}).union(*names.OPENAI.values()) - names.OURS

# A string (also one without an end, or looking for it would take quadratic time), or a comma that follows no value:
# both are left alone. Or a comma before a closing bracket.
_TRAILING_COMMA: Final = re.compile(rb'("(?:[^"\\]++|\\.)*+"?|[\[{,]\s*+,)|,(?=\s*[\]}])', re.DOTALL)
MAX_FORGIVEN: Final = 1024 * 1024  # bytes; people write trailing commas, and do not write this much


Read = tuple[Ask, Json, bool]
"""A request's body: the ask, our own parameters (never sent), whether the caller wants a stream's usage."""


def parse(body: bytes) -> Json:
    """Raises ProxyError 400 that says where."""
    try:
        wire: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        wire = _forgiven(body, error)
    fields = as_object(wire)
    if fields is None:
        raise ProxyError(400, "Invalid JSON payload: expected an object", param="request_body")
    return fields


def _forgiven(body: bytes, error: orjson.JSONDecodeError) -> Any:
    """The body without its trailing commas. A blank takes their place: what else is wrong is where it was."""
    if len(body) <= MAX_FORGIVEN:
        try:
            return orjson.loads(_TRAILING_COMMA.sub(lambda found: found[1] or b" ", body))
        except orjson.JSONDecodeError as second:
            error = second
    raise ProxyError(400, f"Invalid JSON payload: {error}", param="request_body")


def read(op: Op, body: bytes, path: str, model: str | None, default: str | None, call_id: str) -> Read:
    """`model` is the one that the address names, which wins over the body's (Azure's clients fill in both)."""
    wire = parse(body)
    sent = None
    if "extra_body" in wire:
        extra = _object(wire.pop("extra_body"), "extra_body")
        sent = extra.get("metadata")
        wire.update(extra)
    ours = {} if wire.keys() <= _OPENAI_ONLY else _taken_out(wire)
    if sent is not None:  # `metadata` is ours, but for here
        wire["metadata"] = sent
    asked: Any = model or wire.get("model") or default
    wire.pop("model", None)
    if not isinstance(asked, str):
        raise unknown_model(path, asked)
    _check(op, wire, path, deep=body.count(b"{") + body.count(b"[") > MAX_DEPTH)
    stream = wire.get("stream")
    usage_wanted = False
    if stream:
        options = _object(wire.get("stream_options") or {}, "stream_options")
        usage_wanted = bool(options.get("include_usage"))
        wire["stream_options"] = {**options, "include_usage": True}
    elif op == "embedding":
        wire.setdefault("encoding_format", "float")
    ask = Ask(op, asked, wire, bool(stream), call_id)
    if ours:
        ask.metadata = as_object(ours.get("metadata"))
        _mock(ask, ours)
    return ask, ours, usage_wanted


def unknown_model(path: str, model: object) -> ProxyError:
    text = f"{path}: Invalid model name passed in model={str(model)[:MAX_QUOTED]}. "
    return ProxyError(400, text + "Call `/v1/models` to view available models for your key.", param="model")


def _mock(ask: Ask, ours: Json) -> None:
    """An answer that the caller itself has brought along."""
    try:
        ask.failing = mocking.wanted(ours)
    except ValueError as error:
        raise ProxyError(400, f"'{error}' must be true or false", param=str(error)) from None
    calls = ours.get("mock_tool_calls")
    if calls is not None and (as_list(calls) is None or not all(isinstance(call, dict) for call in calls)):
        raise ProxyError(400, "'mock_tool_calls' must be a list of objects", param="mock_tool_calls")
    mock = ours.get("mock_response")
    if not isinstance(mock, str | dict | None) and not (ask.op == "embedding" and isinstance(mock, list)):
        raise ProxyError(400, "'mock_response' must be a string or an object", param="mock_response")
    ask.mock = "" if mock is None and calls else mock
    ask.mock_tool_calls = calls


def _taken_out(wire: Json) -> Json:
    """Our own parameters, which leave the request here."""
    ours = [name for name in wire if name in names.OURS or name.startswith(names.CREDENTIAL_PREFIXES)]
    return {name: wire.pop(name) for name in ours}


def _check(op: Op, wire: Json, path: str, deep: bool) -> None:
    required = _REQUIRED[op]
    value = wire.get(required)
    if value is None:
        raise ProxyError(400, f"{path}: Missing required parameter: '{required}'.", param=required)
    if op == "chat":
        _check_messages(value)
    elif not isinstance(value, str | list):
        raise ProxyError(400, f"'{required}' must be a string or a list", param=required)
    stream = wire.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise ProxyError(400, "'stream' must be true or false", param="stream")
    if deep and _depth(wire) > MAX_DEPTH:
        raise ProxyError(400, f"Invalid JSON payload: nested more than {MAX_DEPTH} levels deep", param="request_body")


def _check_messages(messages: Any) -> None:
    items = as_list(messages)
    if not items:
        raise ProxyError(400, "'messages' must be a non-empty list", param="messages")
    for index, message in enumerate(items):
        if not isinstance(message, dict):
            raise ProxyError(400, f"'messages[{index}]' must be an object", param=f"messages[{index}]")


def _object(value: Any, name: str) -> Json:
    fields = as_object(value)
    if fields is None:
        raise ProxyError(400, f"'{name}' must be an object", param=name)
    return fields


def _depth(value: Any) -> int:
    """Levels of nesting, breadth first: no recursion, and only containers are looked at."""
    level: list[Any] = [value]
    depth = 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        below: list[Any] = []
        for item in level:
            members = (as_object(item) or {}).values() or as_list(item) or ()
            below += [member for member in members if type(member) is dict or type(member) is list]
        level = below
    return depth
