"""Streams: the first event, batches, bytes for a relay, back-pressure, and closing when things go wrong."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from litellm import exceptions as e
from litellm.engine import streams
from litellm.engine.engine import Engine
from litellm.engine.streams import EventStream
from litellm.providers.openai import ChunkDecoder
from litellm.transport.base import ClosedEarly
from litellm.transport.mock import MockTransport
from litellm.types.calls import Call, Json, Target
from litellm.types.http import Headers, HttpRequest, HttpResponse, Timeouts, Url

SSE = [(b"content-type", b"text/event-stream")]
PATIENT = Timeouts(10, 60, 60, None)


def event(text: str = "a", finish: str | None = None) -> bytes:
    chunk = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


FINISH = event("", "stop")
DONE = b"data: [DONE]\n\n"


def texts(chunks: Iterable[Json]) -> str:
    return "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)


@dataclass
class Feed:
    """An upstream's body that the test writes piece by piece; None ends it, an exception breaks it."""

    pieces: asyncio.Queue[bytes | BaseException | None] = field(default_factory=asyncio.Queue)
    read: int = 0

    def put(self, *pieces: bytes | BaseException | None) -> None:
        for piece in pieces:
            self.pieces.put_nowait(piece)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self.pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            self.read += 1
            yield piece


def call(timeouts: Timeouts = PATIENT) -> Call:
    target = Target("openai", "m", "http://host/v1", "k", timeouts=timeouts)
    return Call("chat", target, {"messages": []}, True)


@dataclass
class Opened:
    feed: Feed
    transport: MockTransport
    timeouts: Timeouts = PATIENT

    async def stream(self, commit: float | None = None) -> EventStream:
        return await Engine(self.transport, lambda: 0.0).stream(call(self.timeouts), commit)


def with_feed(test: Callable[[Opened], Coroutine[Any, Any, None]], timeouts: Timeouts = PATIENT) -> None:
    """Run a test with an upstream that it feeds; in the end no stream may be open."""

    async def main() -> None:
        feed = Feed()
        transport = MockTransport(lambda _: (200, SSE, aiter(feed)))
        await asyncio.wait_for(test(Opened(feed, transport, timeouts)), 30)
        await asyncio.sleep(0)
        assert transport.open_streams == 0

    asyncio.run(main())


# As chunks.


def test_chunks_in_batches_as_they_arrive() -> None:
    async def test(at: Opened) -> None:
        at.feed.put(event("a") + event("b"))
        stream = await at.stream()
        got = await stream.batch() + await stream.batch()
        assert texts(got) == "ab"
        waiting = asyncio.ensure_future(stream.batch())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        at.feed.put(event("c")[:20], event("c")[20:])
        assert texts(await waiting) == "c"
        at.feed.put(FINISH + DONE, None)
        assert len(await stream.batch()) == 1
        assert await stream.batch() == []
        assert await stream.batch() == []

    with_feed(test)


def test_iterated_to_the_end() -> None:
    async def test(at: Opened) -> None:
        at.feed.put(event("a"), event("b"), FINISH, None)
        assert texts([chunk async for chunk in await at.stream()]) == "ab"

    with_feed(test)


def test_what_came_before_a_failure_is_yielded_first() -> None:
    """In whatever packets: here all in one."""

    async def test(at: Opened) -> None:
        at.feed.put(event("a") + event("b") + b"data: {oh no\n\n", None)
        stream = await at.stream()
        got: list[Json] = []
        with pytest.raises(e.APIResponseValidationError):
            async for chunk in stream:
                got.append(chunk)
        assert texts(got) == "ab"

    with_feed(test)


def test_a_connection_that_breaks_in_the_middle() -> None:
    async def test(at: Opened) -> None:
        at.feed.put(event("a"), ClosedEarly("gone"))
        stream = await at.stream()
        assert texts(await stream.batch()) == "a"
        with pytest.raises(e.APIConnectionError, match="gone"):
            await stream.batch()

    with_feed(test)


@pytest.mark.parametrize("last", [FINISH, DONE])
def test_a_connection_that_breaks_after_the_last_word_takes_nothing_away(last: bytes) -> None:
    async def test(at: Opened) -> None:
        at.feed.put(event("a"), last, ClosedEarly("gone"))
        assert texts([chunk async for chunk in await at.stream()]) == "a"

    with_feed(test)


def test_an_upstream_that_says_done_and_stays_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "AFTER_DONE_SECONDS", 0.05)

    async def test(at: Opened) -> None:
        at.feed.put(event("a"), DONE)
        stream = await at.stream()
        assert texts([chunk async for chunk in stream]) == "a"

    with_feed(test)


# The first event.


def test_nothing_is_returned_before_the_first_event() -> None:
    async def test(at: Opened) -> None:
        opening = asyncio.ensure_future(at.stream())
        at.feed.put(b": comment\n\n", event("a")[:9])
        await asyncio.sleep(0.02)
        assert not opening.done()
        at.feed.put(event("a")[9:])
        (await opening).close()

    with_feed(test)


def test_with_a_bound_the_stream_is_returned_without_its_first_event() -> None:
    async def test(at: Opened) -> None:
        stream = await at.stream(0.02)
        at.feed.put(event("a"), FINISH, None)
        assert texts([chunk async for chunk in stream]) == "a"

    with_feed(test)


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([b'data: {"error": {"message": "no", "code": 429}}\n\n'], e.RateLimitError),
        ([b"data: {oh no\n\n"], e.APIResponseValidationError),
        ([b"<html>", None], e.APIResponseValidationError),
        ([None], e.APIConnectionError),
        ([b": only a comment\n\n", None], e.APIConnectionError),
        ([ClosedEarly("gone")], e.APIConnectionError),
    ],
)
def test_what_fails_before_it_is_the_calls(pieces: list[Any], error: type[Exception]) -> None:
    async def test(at: Opened) -> None:
        at.feed.put(*pieces)
        with pytest.raises(error):
            await at.stream()

    with_feed(test)


def test_a_first_event_larger_than_the_window_arrives() -> None:
    async def test(at: Opened) -> None:
        large = event("x" * 5 * streams.MAX_WAITING)
        at.feed.put(*(large[i : i + 10_000] for i in range(0, len(large), 10_000)), FINISH, None)
        got = [chunk async for chunk in await at.stream()]
        assert len(texts(got)) == 5 * streams.MAX_WAITING

    with_feed(test)


@pytest.mark.parametrize("first", [True, False])
def test_comments_alone_do_not_keep_a_call_alive(first: bool) -> None:
    async def test(at: Opened) -> None:
        async def comment() -> None:
            while True:
                at.feed.put(b": still here\n\n")
                await asyncio.sleep(0.01)

        if not first:
            at.feed.put(event("a"))
        commenting = asyncio.ensure_future(comment())
        with pytest.raises(e.Timeout, match="no event"):
            async for _ in await at.stream():
                pass
        commenting.cancel()

    with_feed(test, Timeouts(1, 0.1, 0.1, None))


def test_cancelling_the_wait_closes_the_upstream() -> None:
    async def test(at: Opened) -> None:
        opening = asyncio.ensure_future(at.stream())
        await asyncio.sleep(0.01)
        assert at.transport.open_streams == 1
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    with_feed(test)


# Closing and back-pressure.


def test_closing_ends_whoever_waits() -> None:
    async def test(at: Opened) -> None:
        at.feed.put(event("a"))
        stream = await at.stream()
        await stream.batch()
        waiting = asyncio.ensure_future(stream.batch())
        await asyncio.sleep(0.01)
        stream.close()
        stream.close()
        assert await waiting == []

    with_feed(test)


def test_leaving_an_iteration_closes_the_upstream() -> None:
    async def test(at: Opened) -> None:
        at.feed.put(event("a"), event("b"))
        chunks = aiter(await at.stream())
        await anext(chunks)
        await chunks.aclose()  # type: ignore[attr-defined]

    with_feed(test)


def test_what_nobody_takes_is_not_read_without_bound() -> None:
    async def test(at: Opened) -> None:
        piece = event("x" * 1000)
        count = 20 * streams.MAX_WAITING // len(piece)
        at.feed.put(*[piece] * count, FINISH, None)
        stream = await at.stream()
        for _ in range(count):
            await asyncio.sleep(0)
        assert at.feed.read * len(piece) < 3 * streams.MAX_WAITING
        assert len(texts([chunk async for chunk in stream])) == 1000 * count, "and nothing is lost"

    with_feed(test)


# As bytes.


@dataclass
class Taker:
    got: list[bytes] = field(default_factory=list)
    ends: list[e.LiteLLMError | None] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def data(self, data: bytes, /) -> None:
        self.got.append(data)

    def end(self, error: e.LiteLLMError | None, /) -> None:
        self.ends.append(error)
        self.ended.set()


@pytest.mark.parametrize("begins", [b"data: %b\n\n", b"data: %b\r\n\r\n", b"data:%b\n\n", b": c\n\ndata: %b\n\n"])
def test_wherever_packets_end_the_chunks_are_the_same(begins: bytes) -> None:
    first = event("a")[6:-2]
    whole = begins % first + event("b") + FINISH + DONE

    async def test(at: Opened) -> None:
        for cut in range(1, len(begins % first) + 12):
            feed = Feed()
            feed.put(whole[:cut], whole[cut:], None)
            opened = Opened(feed, MockTransport(lambda _, feed=feed: (200, SSE, aiter(feed))))
            assert texts([chunk async for chunk in await opened.stream()]) == "ab", cut
            feed.put(whole[:cut], whole[cut:], None)
            stream, taker = await opened.stream(), Taker()
            stream.relay(taker)
            await taker.ended.wait()
            assert b"".join(taker.got) == whole and texts([stream.decode(first)]) == "a", cut
            stream.close()

    with_feed(test)


def test_the_first_event_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although the stream waits for it, and a taker of bytes asks for its chunk, too."""
    decoded: list[bytes] = []
    chunk = ChunkDecoder.chunk

    def counted(self: ChunkDecoder, data: bytes) -> Json:
        decoded.append(data)
        return chunk(self, data)

    monkeypatch.setattr(ChunkDecoder, "chunk", counted)

    async def test(at: Opened) -> None:
        at.feed.put(event("a") + event("b"), None)
        stream = await at.stream()
        datas = [event(text)[6:-2] for text in "ab"]
        assert texts(stream.decode(data) for data in datas) == "ab" and decoded == datas
        assert texts([stream.decode(datas[0])]) == "a", "one like it, later on"
        stream.close()

    with_feed(test)


@pytest.mark.parametrize("commit", [None, 0.001])
def test_a_relay_gets_every_byte_untouched_and_one_end(commit: float | None) -> None:
    pieces = [b": c\r\n\r\n" + event("a") + event("b")[:7], event("b")[7:], FINISH + DONE]

    async def test(at: Opened) -> None:
        if commit is None:
            at.feed.put(*pieces[:1])
        stream = await at.stream(commit)
        taker = Taker()
        stream.relay(taker)
        at.feed.put(*pieces[1 if commit is None else 0 :], None)
        await taker.ended.wait()
        assert b"".join(taker.got) == b"".join(pieces)
        assert taker.ends == [None]
        stream.close()

    with_feed(test)


def test_the_first_event_is_parsed_once_and_its_equals_are_parsed_anew() -> None:
    async def test(at: Opened) -> None:
        at.feed.put(event("a") + event("a") + event("b"))
        stream = await at.stream()
        data = event("a")[6:-2]
        first, second = stream.decode(data), stream.decode(data)
        assert first == second == json.loads(data) and first is not second
        stream.close()

        at.feed.put(event("a") + event("b"))
        stream = await at.stream()
        assert stream.decode(event("b")[6:-2]) == json.loads(event("b")[6:-2]), "not taken for the first"
        stream.close()

    with_feed(test)


def test_a_relay_is_told_of_a_failure_in_our_words() -> None:
    async def test(at: Opened) -> None:
        at.feed.put(event("a"))
        stream = await at.stream()
        taker = Taker()
        stream.relay(taker)
        at.feed.put(ClosedEarly("gone"))
        await taker.ended.wait()
        assert isinstance(taker.ends[0], e.APIConnectionError)
        assert stream.decode(b'{"choices": []}') == {"choices": []}
        with pytest.raises(e.APIResponseValidationError):
            stream.decode(b"{")
        stream.close()

    with_feed(test)


def test_a_relay_can_pause_the_upstream() -> None:
    async def test(at: Opened) -> None:
        at.feed.put(event("a"))
        stream = await at.stream()
        taker = Taker()
        stream.relay(taker)
        stream.pause()
        at.feed.put(*[event("b")] * 50)
        await asyncio.sleep(0.02)
        assert len(taker.got) < 5
        stream.resume()
        await asyncio.sleep(0.05)
        assert len(taker.got) == 51
        stream.close()

    with_feed(test)


def test_a_taker_may_pause_at_its_very_first_bytes() -> None:
    """They may already be more than it wants, because they have waited for it."""

    class Full(Taker):
        def data(self, data: bytes, /) -> None:
            super().data(data)
            response.pause()

    async def main() -> None:
        nonlocal response
        feed = Feed()
        feed.put(*[b"x" * 1000] * 2000)
        transport = MockTransport(lambda _: (200, SSE, aiter(feed)))
        request = HttpRequest("POST", Url("http://host/"), Headers())
        response = await transport.stream(request)
        await asyncio.sleep(0.02)
        taker = Full()
        response.relay(taker)
        await asyncio.sleep(0.02)
        assert 0 < sum(map(len, taker.got)) < 3 * streams.MAX_WAITING
        response.close()

    response: Any = None
    asyncio.run(main())


def test_an_answer_that_is_no_stream_at_all_is_an_error_by_its_status() -> None:
    async def main() -> None:
        transport = MockTransport(
            lambda _: HttpResponse(429, [(b"retry-after", b"7")], b'{"error": {"message": "no"}}')
        )
        with pytest.raises(e.RateLimitError) as caught:
            await Engine(transport, lambda: 0.0).stream(call())
        assert caught.value.retry_after == 7
        assert transport.open_streams == 0

    asyncio.run(main())
