"""The transport without a network behaves like the one with it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from litellm.transport.base import ClosedEarly, ConnectFailed, ResponseStream, Transport
from litellm.transport.mock import MockTransport
from litellm.types.http import HttpRequest, HttpResponse, Url
from support.loops import Run
from transport.raw import WAYS, Sink, failure, post, until, whole

URL = Url("http://model.test/v1/x")


async def pieces() -> AsyncIterator[bytes]:
    for piece in (b"one ", b"two ", b"three"):
        await asyncio.sleep(0)
        yield piece


async def slowly(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse(200, [], b"one two three")


ANSWERS = {
    "response": lambda request: HttpResponse(200, [], b"one two three"),
    "list": lambda request: (200, [], [b"one ", b"two ", b"three"]),
    "iterator": lambda request: (200, [], pieces()),
    "async": slowly,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ANSWERS)
def test_every_kind_of_answer_in_every_way(run: Run, name: str, way: str) -> None:
    async def main() -> None:
        client = MockTransport(ANSWERS[name])
        transport: Transport = client
        assert await whole(transport, post(URL, b"asked"), way) == (200, b"one two three")
        assert [request.body for request in client.requests] == [b"asked"]
        await until(lambda: client.open_streams == 0)
        await client.aclose()

    run(main())


@pytest.mark.parametrize("way", WAYS)
def test_a_handler_that_fails(run: Run, way: str) -> None:
    def handler(_request: HttpRequest) -> HttpResponse:
        raise ConnectFailed("refused")

    async def main() -> None:
        assert type(await failure(whole(MockTransport(handler), post(URL), way))) is ConnectFailed

    run(main())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("error", [ClosedEarly("cut"), LookupError("a slip in a test")])
def test_a_failure_after_some_chunks(run: Run, way: str, error: Exception) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"some"
        raise error

    async def main() -> None:
        client = MockTransport(lambda request: (200, [], chunks()))
        caught = await failure(whole(client, post(URL), way))
        assert type(caught) is (type(error) if way == "send" else ClosedEarly)
        await until(lambda: client.open_streams == 0)

    run(main())


def test_the_reader_sets_the_pace(run: Run) -> None:
    made = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(100):
            made += 1
            yield bytes(10_000)

    async def main() -> None:
        client = MockTransport(lambda request: (200, [], chunks()))
        stream = await client.stream(post(URL))
        await asyncio.sleep(0.05)
        assert made < 12  # 64 KiB
        assert len(await stream.read()) == 1_000_000

    run(main())


def test_close_stops_the_iterator(run: Run) -> None:
    ended: list[str] = []

    async def chunks() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                await asyncio.sleep(0)
        finally:
            ended.append("closed")

    async def main() -> None:
        client = MockTransport(lambda request: (200, [], chunks()))
        sink = Sink()
        stream = await client.stream(post(URL))
        stream.relay(sink)
        await until(lambda: len(sink.pieces) > 3)
        stream.close()
        await until(lambda: ended == ["closed"])
        assert client.open_streams == 0 and sink.errors == []

    run(main())


def test_aclose_ends_open_streams(run: Run) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    async def main() -> None:
        client = MockTransport(lambda request: (200, [(b"x-a", b"1")], endless()))
        stream: ResponseStream = await client.stream(post(URL))
        assert stream.headers == [(b"x-a", b"1")]
        sink = Sink()
        stream.relay(sink)
        await client.aclose()
        assert [type(error) for error in sink.errors] == [ClosedEarly]
        assert type(await failure(client.send(post(URL)))) is ClosedEarly

    run(main())
