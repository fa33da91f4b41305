"""What the upstream can be told to do: a table from model name to behaviour.

A name may end in a number, which is the behaviour's argument: `status-429`, `tokens-100`, `stream-split-7`. A name
that stands in no table is answered as a healthy endpoint would. Most misbehaviours have two faces: for a plain
request they spoil the body, for a stream they spoil it after some of its events.
"""

import asyncio
import gzip
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from support import bodies

if TYPE_CHECKING:
    from support.upstream import Connection, Recorded

JSON: Final = "application/json"
SSE: Final = "text/event-stream; charset=utf-8"
DONE: Final = b"data: [DONE]\n\n"
BIG: Final = 10 * 1024 * 1024
BIG_HEADER: Final = 50 * 1024 * 1024
_PIECE: Final = 64 * 1024


@dataclass(slots=True)
class Exchange:
    """One request to be answered: what was asked, where to write, and how often each model was asked before."""

    request: "Recorded"
    connection: "Connection"
    counts: Counter[str]

    @property
    def op(self) -> str:
        return bodies.operation(self.request.path)

    @property
    def asked(self) -> dict[str, Any]:
        return self.request.json

    @property
    def streams(self) -> bool:
        return self.asked.get("stream") is True

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            await self.connection.send(part)


Behaviour = Callable[[Exchange], Awaitable[None]]
_Numbered = Callable[[Exchange, int], Awaitable[None]]


async def behave(exchange: Exchange, name: str) -> None:
    """Answer one request as this name says, which is usually its model's."""
    exchange.counts[name] += 1
    numbered = re.fullmatch(r"(.+)-(\d+)", name)
    if name in BEHAVIOURS:
        await BEHAVIOURS[name](exchange)
    elif numbered and numbered[1] in NUMBERED:
        await NUMBERED[numbered[1]](exchange, int(numbered[2]))
    else:
        await normal(exchange)


# HTTP, by hand.


def head(status: int, *fields: tuple[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {status} Told\r\nx-request-id: req_123\r\n{lines}\r\n".encode("latin-1")


def whole(status: int, body: bytes, *fields: tuple[str, str], kind: str = JSON) -> bytes:
    """A complete response with its length."""
    return head(status, ("content-type", kind), ("content-length", str(len(body))), *fields) + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK: Final = b"0\r\n\r\n"
STREAM_HEAD: Final = head(200, ("content-type", SSE), ("transfer-encoding", "chunked"))


def to_bytes(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def sse(events: Iterable[Any]) -> list[bytes]:
    return [b"data: " + to_bytes(event) + b"\n\n" for event in events]


def answer_bytes(exchange: Exchange, *, tokens: int = bodies.TOKENS) -> bytes:
    if exchange.op == "unknown":
        return to_bytes(bodies.error(404, message=f"no such path: {exchange.request.path}"))
    return to_bytes(bodies.answer(exchange.op, exchange.asked, tokens=tokens))


def event_bytes(exchange: Exchange, *, tokens: int = bodies.TOKENS) -> list[bytes]:
    return sse(bodies.events(exchange.op, exchange.asked, tokens=tokens))


async def plain(exchange: Exchange, *, tokens: int = bodies.TOKENS, behind: bytes = b"") -> None:
    status = 404 if exchange.op == "unknown" else 200
    answer = whole(status, answer_bytes(exchange, tokens=tokens), ("openai-processing-ms", "7"))
    await exchange.send(answer + behind)


async def stream(exchange: Exchange, events: Iterable[bytes], *, pause: float = 0.0, behind: bytes = b"") -> None:
    """A well-formed chunked response, one HTTP chunk and one write per item; `behind` is in the last one."""
    await exchange.send(STREAM_HEAD)
    for event in events:
        await exchange.send(chunk(event))
        await asyncio.sleep(pause)
    await exchange.send(LAST_CHUNK + behind)


# Healthy.


async def normal(exchange: Exchange) -> None:
    await tokens(exchange, bodies.TOKENS)


async def tokens(exchange: Exchange, count: int) -> None:
    """`count` tokens, streamed or not."""
    if exchange.streams:
        await stream(exchange, [*event_bytes(exchange, tokens=count), DONE])
    else:
        await plain(exchange, tokens=count)


async def delay(exchange: Exchange, milliseconds: int) -> None:
    """Healthy, but only after a while."""
    await asyncio.sleep(milliseconds / 1000)
    await normal(exchange)


async def stream_slow(exchange: Exchange, milliseconds: int = 50) -> None:
    """A pause after each event; a plain answer waits once."""
    if exchange.streams:
        await stream(exchange, [*event_bytes(exchange), DONE], pause=milliseconds / 1000)
    else:
        await delay(exchange, milliseconds)


async def stream_silent(exchange: Exchange, milliseconds: int) -> None:
    """The head goes out at once, the first event only after a while."""
    await exchange.send(STREAM_HEAD)
    await asyncio.sleep(milliseconds / 1000)
    await exchange.send(*(chunk(event) for event in event_bytes(exchange)), chunk(DONE), LAST_CHUNK)


async def split(exchange: Exchange, size: int) -> None:
    """The whole response, head included, in packets of `size` bytes."""
    if exchange.streams:
        chunks = [chunk(event) for event in [*event_bytes(exchange), DONE]]
        wire = STREAM_HEAD + b"".join(chunks) + LAST_CHUNK
    else:
        wire = whole(200, answer_bytes(exchange))
    for start in range(0, len(wire), size):
        await exchange.send(wire[start : start + size])
        await asyncio.sleep(0)


async def stream_joined(exchange: Exchange) -> None:
    """Head, every event and the end in one packet and one HTTP chunk."""
    await exchange.send(STREAM_HEAD + chunk(b"".join(event_bytes(exchange)) + DONE) + LAST_CHUNK)


async def stream_crlf(exchange: Exchange) -> None:
    """SSE lines that end with CRLF, as the specification allows."""
    await stream(exchange, [event.replace(b"\n", b"\r\n") for event in [*event_bytes(exchange), DONE]])


async def stream_comments(exchange: Exchange) -> None:
    """Comments, keep-alive lines, `event:` and `retry:` fields between the events.

    No `id:`: after one, openai-python takes every comment's blank line for an event without data, and fails.
    """
    noise = [b": keep-alive\n\n", b":\n\n", b"event: message\nretry: 10\n"]
    events = [*event_bytes(exchange), DONE]
    await stream(exchange, [noise[i % len(noise)] + event for i, event in enumerate(events)])


async def stream_until_close(exchange: Exchange) -> None:
    """A stream without length or chunks: HTTP/1.0 style, its end is the end of the connection."""
    await exchange.send(head(200, ("content-type", SSE), ("connection", "close")), *event_bytes(exchange), DONE)
    exchange.connection.close()


async def stream_no_usage(exchange: Exchange) -> None:
    """An endpoint that has never heard of `stream_options`."""
    asked = {key: value for key, value in exchange.asked.items() if key != "stream_options"}
    await stream(exchange, [*sse(bodies.events(exchange.op, asked)), DONE])


async def stream_usage_in_finish(exchange: Exchange) -> None:
    """Usage rides on the finish event, asked for or not."""
    asked = {key: value for key, value in exchange.asked.items() if key != "stream_options"}
    events = bodies.events(exchange.op, asked)
    events[-1]["usage"] = bodies.usage(bodies.TOKENS)
    await stream(exchange, [*sse(events), DONE])


async def stream_done_and_open(exchange: Exchange) -> None:
    """All of a stream but its end."""
    await exchange.send(STREAM_HEAD, *(chunk(event) for event in [*event_bytes(exchange), DONE]))
    await hang(exchange)


async def stream_no_done(exchange: Exchange) -> None:
    """A finish_reason, then a clean end without [DONE]."""
    await stream(exchange, event_bytes(exchange))


async def tool_call(exchange: Exchange) -> None:
    if exchange.streams:
        await stream(exchange, [*sse(bodies.tool_call_events(exchange.asked)), DONE])
    else:
        await exchange.send(whole(200, to_bytes(bodies.tool_call(exchange.asked))))


async def goes_on(exchange: Exchange) -> None:
    """Streams what is missing of the usual answer, whose beginning is the last message; 400 if that is none."""
    last = exchange.asked["messages"][-1]
    whole_text = "".join(bodies.words(bodies.TOKENS))
    if last["role"] != "assistant" or not whole_text.startswith(last["content"]):
        await status(exchange, 400)
        return
    missing = len(whole_text.removeprefix(last["content"]).split())
    events = bodies.events("chat", exchange.asked, tokens=bodies.TOKENS)
    tail = events[1 + bodies.TOKENS - missing :]
    if bodies.wants_usage(exchange.asked):
        tail[-1]["usage"] = bodies.usage(missing)
    for event in tail:
        event["id"], event["created"] = "chatcmpl-Other", bodies.CREATED + 1
    await stream(exchange, [*sse([events[0], *tail]), DONE])


async def goes_on_spaced(exchange: Exchange) -> None:
    """Three events whose text ends with a space, then a reset; given a beginning, ` end` with a space of its own."""
    last = exchange.asked["messages"][-1]
    events = bodies.events("chat", exchange.asked, tokens=2)
    if last["role"] == "assistant":
        assert last["content"] == last["content"].rstrip()
        events[1]["choices"][0]["delta"]["content"] = " end"
        await stream(exchange, [*sse([events[0], events[1], events[3]]), DONE])
        return
    events[2]["choices"][0]["delta"]["content"] = " said: "
    await exchange.send(STREAM_HEAD, *(chunk(event) for event in sse(events[:3])))
    await asyncio.sleep(0.05)
    exchange.connection.reset()


async def tool_call_cut(exchange: Exchange) -> None:
    """A call of a tool that breaks off within its arguments."""
    await exchange.send(STREAM_HEAD, *(chunk(event) for event in sse(bodies.tool_call_events(exchange.asked)[:2])))
    await asyncio.sleep(0.05)
    exchange.connection.reset()


async def mid_event(exchange: Exchange) -> None:
    """Three events and half of a fourth, then a reset."""
    events = event_bytes(exchange)
    await exchange.send(STREAM_HEAD, *(chunk(event) for event in [*events[:3], events[3][:40]]))
    await asyncio.sleep(0.05)
    exchange.connection.reset()


async def compressed(exchange: Exchange) -> None:
    """Content-Encoding: gzip, for answers and streams."""
    fields = (("content-encoding", "gzip"),)
    if exchange.streams:
        packed = gzip.compress(b"".join(event_bytes(exchange)) + DONE)
        await exchange.send(whole(200, packed, *fields, kind=SSE))
    else:
        await exchange.send(whole(200, gzip.compress(answer_bytes(exchange)), *fields))


async def big(exchange: Exchange) -> None:
    """10 MB of answer; streamed, 10 MB of events."""
    if exchange.streams:
        word = bodies.events(exchange.op, exchange.asked, tokens=1)[-2 - bodies.wants_usage(exchange.asked)]
        event = to_bytes(word).replace(b" tok0", b"x" * _PIECE)
        filler = [b"data: " + event + b"\n\n"] * (BIG // _PIECE)
        events = event_bytes(exchange)
        await stream(exchange, [*events[:1], *filler, *events[1:], DONE])
    else:
        await exchange.send(whole(200, to_bytes(bodies.answer(exchange.op, exchange.asked, text="x" * BIG))))


async def informational(exchange: Exchange) -> None:
    """100 and 103 before the answer."""
    await exchange.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
    await normal(exchange)


async def by_words(exchange: Exchange) -> None:
    """Embeddings that are alike as far as the texts have the same words."""
    if exchange.op == "embedding":
        await exchange.send(whole(200, to_bytes(bodies.embedding_by_words(exchange.asked))))
    else:
        await normal(exchange)


# Errors an endpoint may well answer.


async def status(exchange: Exchange, code: int) -> None:
    """An error in OpenAI's shape."""
    await exchange.send(whole(code, to_bytes(bodies.error(code))))


async def flaky(exchange: Exchange, share: int) -> None:
    """So many of 100 get a 500."""
    if exchange.counts[f"flaky-{share}"] * share % 100 < share:
        await status(exchange, 500)
    else:
        await normal(exchange)


async def key_revoked(exchange: Exchange) -> None:
    """401 for one of the keys."""
    if exchange.request.headers.get("authorization") == "Bearer k-revoked":
        await status(exchange, 401)
    else:
        await normal(exchange)


async def text_status(exchange: Exchange, code: int) -> None:
    """A proxy's error page, longer than anyone wants to read."""
    page = b"<html><body><h1>told to fail</h1>" + b"<p>padding</p>" * 200 + b"</body></html>"
    await exchange.send(whole(code, page, kind="text/html"))


async def empty_status(exchange: Exchange, code: int) -> None:
    await exchange.send(head(code, ("content-length", "0")))


async def retry_after(exchange: Exchange, seconds: int) -> None:
    """429 with Retry-After in seconds."""
    await exchange.send(whole(429, to_bytes(bodies.error(429)), ("retry-after", str(seconds))))


async def fail_first(exchange: Exchange, times: int) -> None:
    """503 for the first `times` requests, then healthy."""
    if exchange.counts[exchange.request.model] <= times:
        await status(exchange, 503)
    else:
        await normal(exchange)


async def limit_first(exchange: Exchange, times: int) -> None:
    """429 with `Retry-After: 1` for the first `times` requests, then healthy."""
    if exchange.counts[exchange.request.model] <= times:
        await retry_after(exchange, 1)
    else:
        await normal(exchange)


async def redirect(exchange: Exchange) -> None:
    await exchange.send(head(302, ("location", "http://127.0.0.1:1/elsewhere"), ("content-length", "0")))


async def error_first_event(exchange: Exchange) -> None:
    """200, and then the error is the first event."""
    await stream(exchange, sse([bodies.error(429)]))


async def error_later_event(exchange: Exchange) -> None:
    await stream(exchange, [*event_bytes(exchange)[:3], *sse([bodies.error(500)])])


# Broken.


async def _begin(exchange: Exchange) -> None:
    """Half of an answer: head and three events, or head and half a body."""
    if exchange.streams:
        await exchange.send(STREAM_HEAD, *(chunk(event) for event in event_bytes(exchange)[:3]))
    else:
        response = whole(200, answer_bytes(exchange))
        await exchange.send(response[: len(response) - 300])
    await asyncio.sleep(0.05)  # so that the client has read this half before the misfortune


async def reset_before_headers(exchange: Exchange) -> None:
    exchange.connection.reset()


async def close_before_headers(exchange: Exchange) -> None:
    exchange.connection.close()


async def close_mid_head(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-type: appl")
    exchange.connection.close()


async def reset_mid_body(exchange: Exchange) -> None:
    await _begin(exchange)
    exchange.connection.reset()


async def close_mid_body(exchange: Exchange) -> None:
    """Also: a body shorter than its Content-Length."""
    await _begin(exchange)
    exchange.connection.close()


async def body_longer(exchange: Exchange) -> None:
    """Bytes after Content-Length; after a stream, bytes after its last chunk."""
    if exchange.streams:
        await exchange.send(
            STREAM_HEAD + b"".join(chunk(e) for e in [*event_bytes(exchange), DONE]) + LAST_CHUNK + b"surplus"
        )
    else:
        await exchange.send(whole(200, answer_bytes(exchange)) + b"surplus")


async def hang(exchange: Exchange) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def hang_after(exchange: Exchange, times: int) -> None:
    """Healthy for the first `times` requests, then never an answer."""
    await (normal if exchange.counts[exchange.request.model] <= times else hang)(exchange)


async def hang_mid_head(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-type: appl")
    await hang(exchange)


async def hang_mid_body(exchange: Exchange) -> None:
    await _begin(exchange)
    await hang(exchange)


async def hang_before_event(exchange: Exchange) -> None:
    """A stream's head, then nothing."""
    await exchange.send(STREAM_HEAD)
    await hang(exchange)


async def endless(exchange: Exchange) -> None:
    """A stream, or a body, that goes on until the client leaves. One piece each 5 ms."""
    events = event_bytes(exchange) if exchange.streams else [b" " * 1000]
    await exchange.send(STREAM_HEAD if exchange.streams else _ENDLESS_HEAD, chunk(events[0]))
    while True:
        await exchange.send(chunk(events[min(1, len(events) - 1)]))
        await asyncio.sleep(0.005)


_ENDLESS_HEAD: Final = head(200, ("content-type", JSON), ("transfer-encoding", "chunked"))


async def flood(exchange: Exchange) -> None:
    """Like endless, but as fast as the client takes it: back-pressure has to hold it."""
    if exchange.streams:
        first, second = event_bytes(exchange)[:2]
        await exchange.send(STREAM_HEAD, chunk(first))
        piece = chunk(second * 100)
    else:
        await exchange.send(_ENDLESS_HEAD)
        piece = chunk(b" " * _PIECE)
    while True:
        await exchange.send(piece)
        await asyncio.sleep(0)


async def endless_line(exchange: Exchange) -> None:
    """One `data:` line that never ends."""
    await exchange.send(STREAM_HEAD, chunk(b'data: {"choices":[{"delta":{"content":"'))
    while True:
        await exchange.send(chunk(b"x" * _PIECE))
        await asyncio.sleep(0)


async def endless_comments(exchange: Exchange) -> None:
    """Keep-alive comments for ever, and never an event."""
    await exchange.send(STREAM_HEAD)
    while True:
        await exchange.send(chunk(b": keep-alive\n\n"))
        await asyncio.sleep(0.05)


async def comments_later(exchange: Exchange) -> None:
    """Three events, then keep-alive comments for ever."""
    await exchange.send(STREAM_HEAD, *(chunk(event) for event in event_bytes(exchange)[:3]))
    while True:
        await exchange.send(chunk(b": keep-alive\n\n"))
        await asyncio.sleep(0.05)


async def bad_json_event(exchange: Exchange) -> None:
    """Three good events, then one whose data is not JSON."""
    await stream(exchange, [*event_bytes(exchange)[:3], b'data: {"choices": [{"delta"\n\n', DONE])


async def bad_json_first(exchange: Exchange) -> None:
    await stream(exchange, [b"data: {oh no}\n\n", DONE])


async def stream_unfinished(exchange: Exchange) -> None:
    """A clean end with neither finish_reason nor [DONE]."""
    await stream(exchange, event_bytes(exchange)[:3])


async def stream_empty(exchange: Exchange) -> None:
    """A 200 event stream without a single event."""
    await stream(exchange, [])


async def not_json(exchange: Exchange) -> None:
    """A login page with status 200."""
    await exchange.send(whole(200, b"<html>please log in</html>", kind="text/html"))


async def json_not_object(exchange: Exchange) -> None:
    await exchange.send(whole(200, b"[1,2,3]"))


async def empty(exchange: Exchange) -> None:
    await exchange.send(whole(200, b""))


async def not_http(exchange: Exchange) -> None:
    await exchange.send(b"SSH-2.0-OpenSSH_9.2\r\n")
    await asyncio.sleep(0.05)
    exchange.connection.close()


async def answer_twice(exchange: Exchange) -> None:
    """A second answer, naming itself, right behind the first: in the segment of its end. (One that comes later than
    the next request cannot be told from that one's answer.)"""
    second = bodies.answer("chat", exchange.asked, text="the answer that nobody asked for")
    behind = whole(200, to_bytes(second))
    if exchange.streams:
        await stream(exchange, [*event_bytes(exchange), DONE], behind=behind)
    else:
        await plain(exchange, behind=behind)


async def answer_unasked(exchange: Exchange) -> None:
    """A load balancer's 408 on the connection a little after it has become idle."""
    await normal(exchange)
    await asyncio.sleep(0.05)
    await exchange.send(whole(408, b"", ("connection", "close")))


async def big_header(exchange: Exchange) -> None:
    """One header of 50 MB."""
    await exchange.send(b"HTTP/1.1 200 OK\r\nx-big: ")
    for _ in range(BIG_HEADER // _PIECE):
        await exchange.send(b"x" * _PIECE)
    await exchange.send(b"\r\ncontent-length: 2\r\n\r\n{}")


async def many_headers(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000 + b"content-length: 2\r\n\r\n{}")


async def bad_gzip(exchange: Exchange) -> None:
    await exchange.send(whole(200, b"\x1f\x8b\x08\x00 this is not gzip", ("content-encoding", "gzip")))


async def gzip_bomb(exchange: Exchange) -> None:
    """200 KB that unpack to 200 MB."""
    packed = gzip.compress(b" " * (200 * 1024 * 1024), 9)
    await exchange.send(whole(200, packed, ("content-encoding", "gzip")))


async def bad_chunk(exchange: Exchange) -> None:
    await exchange.send(STREAM_HEAD, *(chunk(event) for event in event_bytes(exchange)[:3]), b"zz\r\noh no\r\n")
    await asyncio.sleep(0.05)
    exchange.connection.close()


async def switch_protocols(exchange: Exchange) -> None:
    await exchange.send(head(101, ("upgrade", "websocket"), ("connection", "upgrade")))


BEHAVIOURS: Final[dict[str, Behaviour]] = {
    "ok": normal,
    "by-words": by_words,
    "key-revoked": key_revoked,
    "stream-slow": stream_slow,
    "stream-joined": stream_joined,
    "stream-crlf": stream_crlf,
    "stream-comments": stream_comments,
    "stream-until-close": stream_until_close,
    "stream-no-usage": stream_no_usage,
    "stream-usage-in-finish": stream_usage_in_finish,
    "stream-done-and-open": stream_done_and_open,
    "stream-no-done": stream_no_done,
    "tool-call": tool_call,
    "tool-call-cut": tool_call_cut,
    "goes-on": goes_on,
    "goes-on-spaced": goes_on_spaced,
    "reset-mid-event": mid_event,
    "gzip": compressed,
    "big": big,
    "informational": informational,
    "redirect": redirect,
    "error-first-event": error_first_event,
    "error-later-event": error_later_event,
    "reset-before-headers": reset_before_headers,
    "close-before-headers": close_before_headers,
    "close-mid-head": close_mid_head,
    "reset-mid-body": reset_mid_body,
    "close-mid-body": close_mid_body,
    "body-shorter": close_mid_body,
    "body-longer": body_longer,
    "hang": hang,
    "hang-mid-head": hang_mid_head,
    "hang-mid-body": hang_mid_body,
    "hang-before-event": hang_before_event,
    "endless": endless,
    "flood": flood,
    "endless-line": endless_line,
    "endless-comments": endless_comments,
    "comments-later": comments_later,
    "bad-json-event": bad_json_event,
    "bad-json-first": bad_json_first,
    "stream-unfinished": stream_unfinished,
    "stream-empty": stream_empty,
    "not-json": not_json,
    "json-not-object": json_not_object,
    "empty": empty,
    "not-http": not_http,
    "answer-twice": answer_twice,
    "answer-unasked": answer_unasked,
    "big-header": big_header,
    "many-headers": many_headers,
    "bad-gzip": bad_gzip,
    "gzip-bomb": gzip_bomb,
    "bad-chunk": bad_chunk,
    "switch-protocols": switch_protocols,
}

NUMBERED: Final[dict[str, _Numbered]] = {
    "tokens": tokens,
    "delay": delay,
    "stream-slow": stream_slow,
    "stream-silent": stream_silent,
    "split": split,
    "stream-split": split,
    "status": status,
    "flaky": flaky,
    "text-status": text_status,
    "empty-status": empty_status,
    "retry-after": retry_after,
    "fail-first": fail_first,
    "hang-after": hang_after,
    "limit-first": limit_first,
}
