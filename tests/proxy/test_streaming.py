"""The relay between a stream and a caller who reads as fast as he likes, or goes, or stays silent."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, cast

import orjson
import pytest

from litellm.engine.engine import Engine
from litellm.engine.resolve import timeouts
from litellm.engine.streams import MAX_WAITING, EventStream
from litellm.proxy.exchange import Exchange
from litellm.proxy.splice import DONE, Splicer
from litellm.proxy.streaming import KEEPALIVE, Relay
from litellm.transport.base import ClosedEarly
from litellm.transport.http import HttpTransport
from litellm.transport.mock import MockTransport
from litellm.transport.response import Stream as ResponseStream
from litellm.types.calls import Call, Json, Target

HEAD = b"content-type: text/event-stream\r\n"


class Caller:
    """What a Relay sees of a caller. `taking` False: he does not read, and has room for nothing more."""

    def __init__(self) -> None:
        self.broke = 0
        self.parts: list[bytes] = []
        self.begun: tuple[int, bytes] | None = None
        self.ended = False
        self.taking = asyncio.Event()
        self.taking.set()

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    def begin(self, status: int, fields: bytes) -> None:
        assert self.begun is None
        self.begun = (status, fields)

    def write(self, part: bytes, more_body: bool = True) -> bool:
        assert self.begun and not self.ended
        self.parts.append(part)
        self.ended = not more_body
        return self.taking.is_set()

    async def room(self) -> None:
        await self.taking.wait()

    def end(self) -> None:
        self.ended = True


def chunk(text: str | None, finish: str | None = None) -> bytes:
    wire: Json = {"model": "up", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}
    return b"data: " + orjson.dumps(wire) + b"\n\n"


FIRST, LAST = chunk("first"), chunk(None, "stop")


class Setting:
    """A relay from `chunks` to a caller, within one event loop."""

    def __init__(self, chunks: Callable[[], AsyncIterator[bytes]], seconds: float = 60, silence: float = 60) -> None:
        self.caller = Caller()
        self.transport = MockTransport(lambda _: (200, [(b"content-type", b"text/event-stream")], chunks()))
        self.target = Target("openai", "up", "http://up.example", "k", timeouts=timeouts(seconds, stream=True))
        self.silence = silence
        self.splicer: Splicer

    async def run(self) -> None:
        engine = Engine(self.transport, asyncio.get_running_loop().time)
        stream = await engine.stream(Call("chat", self.target, {"messages": []}, stream=True), 0.2)
        self.splicer = Splicer("mine", False, stream.decode)
        await Relay(cast(Exchange, self.caller), stream, self.splicer, self.silence).run(HEAD)

    def finished_well(self) -> None:
        assert self.caller.begun == (200, HEAD) and self.caller.ended
        assert self.caller.body.endswith(DONE) and self.caller.body.count(DONE) == 1
        assert self.transport.open_streams == 0


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """The test as a plain function; nothing of it may be left over."""

    async def main() -> None:
        async with asyncio.timeout(60):
            await test()
        await asyncio.sleep(0.05)  # for what has been cancelled to end
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    def run() -> None:
        asyncio.run(main())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # of values that other tasks change
        await asyncio.sleep(0)


def texts(body: bytes) -> list[str]:
    blocks = [block for block in body.split(b"\n\n") if block.startswith(b"data: {")]
    wires = [orjson.loads(block[6:]) for block in blocks]
    assert all(wire["model"] == "mine" for wire in wires if "choices" in wire)
    return [wire["choices"][0]["delta"]["content"] for wire in wires if "choices" in wire]


def error_of(body: bytes) -> Json:
    assert DONE not in body
    return orjson.loads(body.removesuffix(b"\n\n").rpartition(b"data: ")[2])["error"]


@in_loop
async def test_every_piece_arrives_in_order() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield FIRST
        for number in range(500):
            yield chunk(str(number))
        yield LAST + DONE

    setting = Setting(chunks)
    await setting.run()
    setting.finished_well()
    assert texts(setting.caller.body) == ["first", *map(str, range(500)), None]


@in_loop
async def test_each_event_goes_out_when_it_comes() -> None:
    gates = [asyncio.Event() for _ in range(5)]

    async def chunks() -> AsyncIterator[bytes]:
        yield FIRST
        for number, gate in enumerate(gates):
            await gate.wait()
            yield chunk(str(number))
        yield LAST

    setting = Setting(chunks)
    running = asyncio.create_task(setting.run())
    for number, gate in enumerate(gates):
        await until(lambda number=number: len(texts(setting.caller.body)) > number)
        gate.set()
    await running
    setting.finished_well()


@in_loop
async def test_a_slow_reader_pauses_the_upstream_and_gets_all_of_it() -> None:
    pulled = 0
    text = "x" * 1000
    total = 4000

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal pulled
        yield FIRST
        for number in range(total):
            pulled += 1
            yield chunk(f"{number} {text}")
            await asyncio.sleep(0)
        yield LAST + DONE

    setting = Setting(chunks, silence=0.05)
    caller = setting.caller
    running = asyncio.create_task(setting.run())
    await until(lambda: pulled >= 10)
    for _ in range(3):  # he stops and goes on, three times
        caller.taking.clear()
        await asyncio.sleep(0.1)
        before = pulled
        await asyncio.sleep(0.3)
        assert pulled == before < total, "nothing is read for a caller who does not"
        assert before * 1000 - len(caller.body) < 2 * MAX_WAITING, "and little waits here"
        caller.taking.set()
        await until(lambda before=before: pulled >= before + 500)
    await running
    setting.finished_well()
    assert [text.partition(" ")[0] for text in texts(caller.body)[1:-1]] == [str(n) for n in range(total)]


@in_loop
async def test_what_is_whole_already_goes_out_in_one_piece() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield FIRST + chunk("a") + LAST + DONE

    setting = Setting(chunks)
    setting.caller.taking.clear()  # nobody has to wait for him either: nothing more will come
    await setting.run()
    setting.finished_well()
    assert len(setting.caller.parts) == 1 and setting.splicer.events == 3


@in_loop
async def test_a_reader_slow_at_the_end_gets_the_end() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield FIRST
        await asyncio.sleep(0.02)
        yield chunk("a")
        yield chunk("b") + LAST + DONE

    setting = Setting(chunks)
    setting.caller.taking.clear()
    running = asyncio.create_task(setting.run())
    await asyncio.sleep(0.1)
    assert not setting.caller.ended and not running.done()
    setting.caller.taking.set()
    await running
    setting.finished_well()
    assert texts(setting.caller.body) == ["first", "a", "b", None]


async def hang_up(setting: Setting) -> None:
    """In the middle of a stream that is under way."""
    running = asyncio.create_task(setting.run())
    await asyncio.sleep(0.05)
    assert setting.transport.open_streams == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert setting.transport.open_streams == 0


@pytest.mark.parametrize("reading", [True, False])
def test_a_caller_who_goes_ends_the_upstream(reading: bool) -> None:
    async def test() -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield FIRST
            while True:
                yield chunk("more" * 1000)
                await asyncio.sleep(0.001)

        setting = Setting(chunks)
        if not reading:
            setting.caller.taking.clear()
        await hang_up(setting)
        assert setting.caller.broke == 499
        await asyncio.sleep(0)

    in_loop(test)()


@pytest.mark.parametrize(("reading", "broke"), [(True, 0), (False, 499)])
def test_a_caller_who_goes_after_the_last_word_has_hung_up_if_he_has_not_read_it(reading: bool, broke: int) -> None:
    async def test() -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield FIRST
            yield LAST + DONE
            await asyncio.sleep(30)

        setting = Setting(chunks)
        if not reading:
            setting.caller.taking.clear()
        await hang_up(setting)
        assert setting.caller.broke == broke
        await asyncio.sleep(0)

    in_loop(test)()


@in_loop
async def test_silence_is_filled_with_comments() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield FIRST
        await asyncio.sleep(0.5)
        yield LAST + DONE

    setting = Setting(chunks, silence=0.1)
    await setting.run()
    setting.finished_well()
    assert 2 <= setting.caller.body.count(KEEPALIVE) <= 5
    assert texts(setting.caller.body) == ["first", None]


@in_loop
async def test_the_status_line_does_not_wait_for_ever() -> None:
    """`stream_commit_seconds` have passed without an event: the head and comments go out, then the answer."""

    async def chunks() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.6)
        yield FIRST + LAST

    setting = Setting(chunks, silence=0.1)
    running = asyncio.create_task(setting.run())
    await asyncio.sleep(0.45)
    assert setting.caller.begun and setting.caller.parts
    assert setting.caller.body.replace(KEEPALIVE, b"") == b""
    await running
    setting.finished_well()


@in_loop
async def test_an_upstreams_comments_keep_the_line_open_but_not_for_ever() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield FIRST
        while True:
            yield b": working\n\n"
            await asyncio.sleep(0.05)

    setting = Setting(chunks, seconds=1, silence=0.2)
    await setting.run()
    assert setting.caller.body.count(b": working\n\n") > 3 and KEEPALIVE not in setting.caller.body
    assert error_of(setting.caller.body)["type"] == "timeout_error"
    assert setting.transport.open_streams == 0


@in_loop
async def test_slow_events_are_no_silence() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield FIRST
        for number in range(8):
            await asyncio.sleep(0.15)
            yield b": working\n\n" + chunk(str(number))
        yield LAST

    setting = Setting(chunks, seconds=1, silence=0.05)
    await setting.run()
    setting.finished_well()


@in_loop
async def test_a_caller_who_does_not_read_is_not_the_upstreams_fault() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield FIRST
        while setting.caller.ended is False and len(setting.caller.parts) < 20:
            yield chunk("x" * 10_000)
        yield LAST

    setting = Setting(chunks, seconds=0.3, silence=0.05)
    setting.caller.taking.clear()
    running = asyncio.create_task(setting.run())
    await asyncio.sleep(0.8)
    setting.caller.taking.set()
    await running
    setting.finished_well()


BROKEN: dict[str, tuple[list[bytes | Exception], str]] = {
    "reset": ([chunk("a"), ClosedEarly("reset")], "api_connection_error"),
    "reset in an event": ([chunk("a"), chunk("b")[:20], ClosedEarly("reset")], "api_connection_error"),
    "end": ([chunk("a")], "api_connection_error"),
    "end in an event": ([chunk("a"), chunk("b")[:20]], "api_connection_error"),
    "bad JSON": ([chunk("a"), b"data: {oh no\n\n", LAST, DONE], "api_response_validation_error"),
    "error event": (
        [chunk("a"), b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n', DONE],
        "server_error",
    ),
    "one of two choices": ([chunk("a").replace(b'"index":0', b'"index":1'), LAST], "api_connection_error"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_failure_is_an_error_event_and_never_a_silent_end(kind: str) -> None:
    parts, wanted = BROKEN[kind]

    async def test() -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield FIRST
            for part in parts:
                await asyncio.sleep(0.01)
                if isinstance(part, Exception):
                    raise part
                yield part

        setting = Setting(chunks)
        await setting.run()
        assert setting.caller.ended and setting.transport.open_streams == 0
        assert error_of(setting.caller.body)["type"] == wanted
        assert texts(setting.caller.body)[:2] == ["first", "a"]

    in_loop(test)()


@pytest.mark.parametrize("ending", [[], [b"surplus"], [ClosedEarly("reset")], [b"data: {cut"]], ids=repr)
def test_an_answer_that_is_complete_is_one_however_it_ends(ending: list[bytes | Exception]) -> None:
    async def test() -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield FIRST
            yield LAST
            for part in ending:
                if isinstance(part, Exception):
                    raise part
                yield part

        setting = Setting(chunks)
        await setting.run()
        setting.finished_well()

    in_loop(test)()


@in_loop
async def test_an_upstream_that_talks_on_after_done_is_left() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield FIRST + LAST + DONE
        while True:
            yield b": and another thing\n\n"
            await asyncio.sleep(0.01)

    setting = Setting(chunks)
    started = asyncio.get_running_loop().time()
    await setting.run()
    setting.finished_well()
    assert asyncio.get_running_loop().time() - started < 5
    assert setting.caller.body.endswith(DONE)


@pytest.mark.parametrize("pause", [0, 0.02])
def test_a_stream_that_is_over_is_freed_at_once(pause: float) -> None:
    """Nothing of it is left to the collector: its parts refer to each other, and a call's memory hangs on them."""
    asyncio.run(a_stream_is_freed(pause))


async def a_stream_is_freed(pause: float) -> None:
    closed = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        parts = FIRST, chunk("second"), chunk("third"), LAST, DONE
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(b"".join(parts)))
        for part in parts:
            writer.write(part)
            await asyncio.sleep(pause)
        await reader.read()
        writer.close()
        await writer.wait_closed()
        closed.set()

    parts = (Relay, EventStream, ResponseStream, Splicer, Call)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    engine = Engine(HttpTransport(), asyncio.get_running_loop().time)
    target = Target("openai", "up", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "k")

    async def relayed() -> bytes:
        stream = await engine.stream(Call("chat", target, {"messages": []}, stream=True), 0.2)
        caller = Caller()
        await Relay(cast(Exchange, caller), stream, Splicer("mine", False, stream.decode), 60).run(HEAD)
        return caller.body

    def alive() -> list[object]:
        return [one for one in gc.get_objects() if isinstance(one, parts)]

    gc.collect()
    others = alive()  # tables of other tests in this process
    gc.disable()
    try:
        assert (await relayed()).endswith(DONE)
        await asyncio.sleep(0)
        left = [type(one).__name__ for one in alive() if all(one is not other for other in others)]
    finally:
        gc.enable()
        await engine.aclose()
        await closed.wait()
        server.close()
    assert not left
