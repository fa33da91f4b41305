"""The answers that the upstreams give, as bytes made once."""

import json
from typing import Any, Final

_COMMON: Final = {
    "id": "chatcmpl-Abc123",
    "created": 1732300000,
    "model": "gpt-4o-mini-2024-07-18",
    "service_tier": "default",
    "system_fingerprint": "fp_0705bf87c0",
}
TOKENS: Final = 100
STAMP: Final = b'"content":" '
"""Before the 16 digits, the microseconds of CLOCK_MONOTONIC at which an event was written: they are its text, which is
what changes from event to event in a model's stream."""


def _usage(tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": 31,
        "completion_tokens": tokens,
        "total_tokens": 31 + tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def chat() -> bytes:
    """A plain completion of the usual size."""
    message = {"role": "assistant", "content": "The northern road is shorter, by about four miles.", "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return _encode(_COMMON | {"object": "chat.completion", "choices": [choice], "usage": _usage(18)})


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    """One event of a stream, as it stands on the wire."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    body = _COMMON | {"object": "chat.completion.chunk", "choices": [choice], "usage": None} | more
    return b"data: " + _encode(body) + b"\n\n"


def burst() -> bytes:
    """103 events: role, 100 tokens, finish, usage; then [DONE]."""
    events = [chunk({"role": "assistant", "content": "", "refusal": None})]
    events += [chunk({"content": f" tok{i}"}) for i in range(TOKENS)]
    events += [chunk({}, "stop"), chunk({}, choices=[], usage=_usage(TOKENS)), b"data: [DONE]\n\n"]
    return b"".join(events)


def stamped() -> tuple[bytes, bytes]:
    """An event in two halves, between which the 16 digits of the time go."""
    before, after = chunk({"content": " " + "1" * 16}).split(b"1" * 16)
    return before, after
