"""A request's bytes as an Ask: strict JSON first, trailing commas forgiven second, everything else refused by name.

What was checked is what is sent: the parsed dict is encoded anew, the caller's bytes never travel on.
"""

import re
from typing import Any, Final, NamedTuple

import orjson

from litellm.catalog import params as names
from litellm.proxy.errors import ProxyError
from litellm.types.calls import Ask, Json, Op, as_list, as_object

MAX_DEPTH: Final = 200  # orjson reads 1,024 levels and writes 254

_REQUIRED: Final[dict[Op, str]] = {"chat": "messages", "completion": "prompt", "embedding": "input"}

# Most requests hold nothing else: then there is nothing of ours to look for.
_OPENAI_ONLY: Final = frozenset({"model"}).union(*names.OPENAI.values()) - names.OURS

# A string, or a comma before a closing bracket. Strings are matched so that their commas are left alone.
_TRAILING_COMMA: Final = re.compile(rb'("(?:[^"\\]|\\.)*+")|,(?=\s*[\]}])', re.DOTALL)


class Read(NamedTuple):
    """A request's body: the ask, our own parameters (never sent), whether the caller wants a stream's usage."""

    ask: Ask
    ours: Json
    usage_wanted: bool


def parse(body: bytes) -> Json:
    """Raises ProxyError 400 that says where."""
    try:
        wire: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        try:
            wire = orjson.loads(_TRAILING_COMMA.sub(rb"\1", body))
        except orjson.JSONDecodeError:
            raise ProxyError(400, f"Invalid JSON payload: {error}", param="request_body") from None
    fields = as_object(wire)
    if fields is None:
        raise ProxyError(400, "Invalid JSON payload: expected an object", param="request_body")
    return fields


def read(op: Op, body: bytes, path: str, model: str | None, call_id: str) -> Read:
    """`model` is the one that the path or the command line gives; the body's own wins over it."""
    wire = parse(body)
    if "extra_body" in wire:
        wire.update(_object(wire.pop("extra_body"), "extra_body"))
    ours = {} if wire.keys() <= _OPENAI_ONLY else _taken_out(wire)
    asked = wire.pop("model", None) or model
    if not isinstance(asked, str):
        raise ProxyError(400, f"{path}: Invalid model name passed in model={asked}. {_SEE_MODELS}", param="model")
    _check(op, wire, path, deep=body.count(b"{") + body.count(b"[") > MAX_DEPTH)
    stream = wire.get("stream")
    usage_wanted = False
    if stream:
        options = _object(wire.get("stream_options") or {}, "stream_options")
        usage_wanted = bool(options.get("include_usage"))
        wire["stream_options"] = {**options, "include_usage": True}
    elif op == "embedding":
        wire.setdefault("encoding_format", "float")
    mock = ours.get("mock_response")
    if mock is None and ours.get("mock_tool_calls"):
        mock = ""
    return Read(Ask(op, asked, wire, bool(stream), call_id, mock, ours.get("mock_tool_calls")), ours, usage_wanted)


_SEE_MODELS: Final = "Call `/v1/models` to view available models for your key."


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
