"""OpenAI wire bodies as a real endpoint sends them: every usual field, and some that no client knows."""

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final

Json = dict[str, Any]

CREATED: Final = 1732300000
FINGERPRINT: Final = "fp_0705bf87c0"
MODEL_SUFFIX: Final = "-2024-07-18"
TOKENS: Final = 5
UNKNOWN: Final = {"x_vendor": {"region": "eu-1", "queue_ms": 3}}
"""A field that belongs to nobody's schema: it has to arrive at the caller all the same."""

_IDS: Final = {"chat": "chatcmpl-Abc123", "completion": "cmpl-Abc123"}


def operation(path: str) -> str:
    """'chat', 'completion', 'embedding' or 'models', from the end of a request's path."""
    path = path.partition("?")[0]
    ends = {"/chat/completions": "chat", "/completions": "completion", "/embeddings": "embedding", "/models": "models"}
    return next((name for end, name in ends.items() if path.endswith(end)), "unknown")


def usage(tokens: int) -> Json:
    return {
        "prompt_tokens": 13,
        "completion_tokens": tokens,
        "total_tokens": 13 + tokens,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 2,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def words(count: int) -> list[str]:
    return [f" tok{i}" for i in range(count)]


def answer(op: str, asked: Json, *, tokens: int = TOKENS, text: str | None = None) -> Json:
    """The complete answer to a request that is not streamed."""
    return _ANSWERS[op](asked, tokens, "".join(words(tokens)) if text is None else text)


def events(op: str, asked: Json, *, tokens: int = TOKENS) -> list[Json]:
    """A stream's chunks: role, `tokens` deltas, finish, and the usage if `stream_options.include_usage` asks."""
    make = _text_chunk if op == "completion" else _chat_chunk
    out = [make(asked, word, None) for word in words(tokens)]
    if op == "chat":
        out.insert(0, _chunk(op, asked, [_choice({"role": "assistant", "content": "", "refusal": None}, None)]))
    out.append(make(asked, "", "stop"))
    if wants_usage(asked):
        for event in out:
            event["usage"] = None
        out.append(_chunk(op, asked, []) | {"usage": usage(tokens)})
    return out


def wants_usage(asked: Json) -> bool:
    options = asked.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def error(status: int, *, message: str | None = None) -> Json:
    """OpenAI's error body."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message or f"told to fail with {status}", "type": kind, "param": None, "code": None}}


def tool_call(asked: Json) -> Json:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
    body = answer("chat", asked, text="")
    body["choices"][0]["message"] |= {"content": None, "tool_calls": [call]}
    body["choices"][0]["finish_reason"] = "tool_calls"
    return body


def tool_call_events(asked: Json) -> list[Json]:
    """One call of a tool, its arguments in pieces."""
    first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}
    deltas: list[Json] = [{"role": "assistant", "content": None, "tool_calls": [first]}]
    for piece in ('{"ci', 'ty":"', 'Paris"}'):
        deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    out = [_chunk("chat", asked, [_choice(delta, None)]) for delta in deltas]
    return [*out, _chunk("chat", asked, [_choice({}, "tool_calls")])]


def _common(op: str, asked: Json, kind: str) -> Json:
    return {
        "id": _IDS[op],
        "object": kind,
        "created": CREATED,
        "model": f"{asked.get('model')}{MODEL_SUFFIX}",
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
        **UNKNOWN,
    }


def _count(asked: Json) -> int:
    n = asked.get("n")
    return n if isinstance(n, int) and 1 <= n <= 16 else 1


def _chat(asked: Json, tokens: int, text: str) -> Json:
    message = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    choices = [
        {"index": i, "message": dict(message), "logprobs": None, "finish_reason": "stop"} for i in range(_count(asked))
    ]
    return _common("chat", asked, "chat.completion") | {"choices": choices, "usage": usage(tokens)}


def _completion(asked: Json, tokens: int, text: str) -> Json:
    choices = [{"index": i, "text": text, "logprobs": None, "finish_reason": "stop"} for i in range(_count(asked))]
    return _common("completion", asked, "text_completion") | {"choices": choices, "usage": usage(tokens)}


def _embedding(asked: Json, tokens: int, text: str) -> Json:
    data = [
        {"object": "embedding", "index": i, "embedding": _vector(i, asked.get("encoding_format") == "base64")}
        for i, _ in enumerate(_inputs(asked.get("input")))
    ]
    return {
        "object": "list",
        "data": data,
        "model": f"{asked.get('model')}{MODEL_SUFFIX}",
        "usage": {"prompt_tokens": 6, "total_tokens": 6},
        **UNKNOWN,
    }


def embedding_by_words(asked: Json) -> Json:
    """Each text's vector counts its words, by 256 hashes of them."""
    body = answer("embedding", asked)
    for item, text in zip(body["data"], _inputs(asked.get("input")), strict=True):
        numbers = [0.0] * 256
        for word in str(text).lower().split():
            numbers[zlib.crc32(word.encode()) % 256] += 1.0
        item["embedding"] = numbers
    return body


def _models(asked: Json, tokens: int, text: str) -> Json:
    return {"object": "list", "data": [{"id": "ok", "object": "model", "created": CREATED, "owned_by": "upstream"}]}


def _inputs(value: Any) -> Iterator[Any]:
    """One item per text: a list of texts or of token lists has many, a text or one list of tokens is one."""
    if isinstance(value, list) and value and not isinstance(value[0], int):
        yield from value
    else:
        yield value


def _vector(index: int, as_base64: bool) -> list[float] | str:
    numbers = [0.5, -0.25, 0.125, float(index)]
    return base64.b64encode(struct.pack("<4f", *numbers)).decode() if as_base64 else numbers


def _choice(delta: Json, finish: str | None) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _chunk(op: str, asked: Json, choices: list[Json]) -> Json:
    kind = "chat.completion.chunk" if op == "chat" else "text_completion"
    return _common(op, asked, kind) | {"choices": choices}


def _chat_chunk(asked: Json, word: str, finish: str | None) -> Json:
    return _chunk("chat", asked, [_choice({"content": word} if word else {}, finish)])


def _text_chunk(asked: Json, word: str, finish: str | None) -> Json:
    choice = {"index": 0, "text": word, "logprobs": None, "finish_reason": finish}
    return _chunk("completion", asked, [choice])


_ANSWERS: Final = {"chat": _chat, "completion": _completion, "embedding": _embedding, "models": _models}
