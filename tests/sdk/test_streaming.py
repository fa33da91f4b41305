"""`CustomStreamWrapper`: iterated from anywhere, usage as it was asked for, and nothing left when it is dropped."""

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest

import litellm
from litellm.types.utils import Usage
from support.upstream import UpstreamThread, wait_until

MESSAGES = [{"role": "user", "content": "hi"}]
TEXT = " tok0 tok1 tok2 tok3 tok4"
Chat = Callable[..., Any]


@pytest.fixture
def given(upstream: UpstreamThread) -> dict[str, Any]:
    return {"messages": MESSAGES, "api_key": "k", "api_base": upstream.base_url, "stream": True}


@pytest.fixture
def chat(given: dict[str, Any]) -> Chat:
    return lambda model="ok", **more: litellm.completion(f"openai/{model}", **{**given, **more})


@pytest.fixture
def achat(given: dict[str, Any]) -> Chat:
    return lambda model="ok", **more: litellm.acompletion(f"openai/{model}", **{**given, **more})


def text_of(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


# What is read.


def test_chunks_are_the_endpoints(chat: Chat) -> None:
    stream = chat()
    assert isinstance(stream, litellm.CustomStreamWrapper)
    chunks = list(stream)
    assert all(isinstance(chunk, litellm.ModelResponseStream) for chunk in chunks)
    assert text_of(chunks) == TEXT
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * 6
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert {chunk.id for chunk in chunks} == {"chatcmpl-Abc123"}
    assert chunks[0].x_vendor["region"] == "eu-1"
    assert stream.chunks == chunks
    assert list(stream) == []


def test_what_is_known_of_the_call_is_on_every_chunk(chat: Chat, upstream: UpstreamThread) -> None:
    stream = chat()
    assert stream._hidden_params["api_base"] == upstream.base_url
    assert all(chunk._hidden_params["custom_llm_provider"] == "openai" for chunk in stream)


def test_tool_calls_in_pieces(chat: Chat) -> None:
    whole = litellm.stream_chunk_builder(list(chat("tool-call")))
    assert whole.choices[0].message.tool_calls[0].function.arguments == '{"city":"Paris"}'


# Usage.


def test_usage_is_asked_for_only_if_the_caller_does(chat: Chat, upstream: UpstreamThread) -> None:
    chunks = list(chat())
    assert "stream_options" not in upstream.requests[-1].json
    assert all(chunk.usage is None for chunk in chunks)
    assert litellm.stream_chunk_builder(chunks).usage is None


def test_the_usage_chunk_has_one_empty_choice(chat: Chat, upstream: UpstreamThread) -> None:
    stream = chat(stream_options={"include_usage": True})
    chunks = list(stream)
    assert upstream.requests[-1].json["stream_options"] == {"include_usage": True}
    assert chunks[-1].usage.total_tokens == 18
    assert chunks[-1].choices[0].delta.content is None
    assert text_of(chunks) == TEXT
    assert isinstance(stream._hidden_params["usage"], Usage)
    assert chunks[-1]._hidden_params["usage"].total_tokens == 18


def test_usage_that_only_we_wanted_is_not_yielded(
    chat: Chat, upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A callback needs it, the caller did not ask: no chunk of its own, but it is known."""
    monkeypatch.setattr(litellm, "success_callback", [lambda *_: None], raising=False)
    stream = chat()
    chunks = list(stream)
    assert upstream.requests[-1].json["stream_options"] == {"include_usage": True}
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert stream._hidden_params["usage"].total_tokens == 18


def test_usage_in_the_finish_chunk_stays_there(chat: Chat) -> None:
    chunks = list(chat("stream-usage-in-finish"))
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.total_tokens == 18


def test_openai_itself_is_always_asked_for_usage() -> None:
    from litellm.sdk.main import _ask_for_usage
    from litellm.types.calls import Target

    for base, expected in {"https://api.openai.com/v1": {"include_usage": True}, "http://x/v1": None}.items():
        params: dict[str, Any] = {}
        _ask_for_usage(params, Target("openai", "m", base, "k"), None)
        assert params.get("stream_options") == expected


# From where it is read.


def test_async_iteration(achat: Chat) -> None:
    async def main() -> str:
        return text_of([chunk async for chunk in await achat()])

    assert asyncio.run(main()) == TEXT


def test_a_stream_made_by_a_synchronous_call_can_be_read_in_a_loop(chat: Chat) -> None:
    async def main() -> str:
        return text_of([chunk async for chunk in chat()])

    assert asyncio.run(main()) == TEXT


def test_a_stream_made_in_a_loop_can_be_read_in_another_thread(achat: Chat) -> None:
    async def main() -> str:
        stream = await achat("stream-slow-10")
        return text_of(await asyncio.to_thread(lambda: list(stream)))

    assert asyncio.run(main()) == TEXT


def test_a_loop_cannot_wait_for_itself_and_is_told_so(achat: Chat, upstream: UpstreamThread) -> None:
    async def main() -> None:
        stream = await achat("stream-slow-10")
        with pytest.raises(RuntimeError, match="async for"):
            list(stream)
        await stream.aclose()

    asyncio.run(main())
    assert upstream.wait_closed()


def test_a_stream_whose_loop_has_ended_says_so(achat: Chat) -> None:
    async def main() -> Any:
        return await achat("stream-slow-10")

    stream = asyncio.run(main())
    with pytest.raises(RuntimeError, match="event loop"):
        list(stream)


# When it is left.


def drop(stream: Any) -> None:
    next(stream)


def close(stream: Any) -> None:
    next(stream)
    stream.close()
    stream.close()
    assert list(stream) == []


def leave_block(stream: Any) -> None:
    with stream as opened:
        next(opened)


@pytest.mark.parametrize("leave", [drop, close, leave_block])
def test_leaving_a_stream_ends_the_providers_work(
    chat: Chat, upstream: UpstreamThread, leave: Callable[[Any], None]
) -> None:
    leave(chat("endless"))
    gc.collect()
    assert wait_until(lambda: upstream.asked("endless")[0].disconnected)


async def adrop(stream: Any) -> None:
    await anext(stream)


async def aclose(stream: Any) -> None:
    await anext(stream)
    await stream.aclose()
    assert [chunk async for chunk in stream] == []


async def aleave_block(stream: Any) -> None:
    async with stream as opened:
        await anext(opened)


@pytest.mark.parametrize("leave", [adrop, aclose, aleave_block])
def test_leaving_an_async_stream_ends_the_providers_work(
    achat: Chat, upstream: UpstreamThread, leave: Callable[[Any], Any]
) -> None:
    async def main() -> None:
        await leave(await achat("endless"))
        gc.collect()
        ended = lambda: upstream.asked("endless")[0].disconnected  # noqa: E731
        assert await asyncio.to_thread(wait_until, ended)

    asyncio.run(main())


def test_cancelling_whoever_reads_ends_the_providers_work(achat: Chat, upstream: UpstreamThread) -> None:
    async def read() -> None:
        async for _ in await achat("hang-mid-body"):
            pass

    async def main() -> None:
        task = asyncio.create_task(read())
        assert await asyncio.to_thread(wait_until, lambda: upstream.asked("hang-mid-body"))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        ended = lambda: upstream.asked("hang-mid-body")[0].disconnected  # noqa: E731
        assert await asyncio.to_thread(wait_until, ended)

    asyncio.run(main())


def test_closing_ends_an_iteration_that_waits(chat: Chat, achat: Chat) -> None:
    stream = chat("hang-mid-body")
    threading.Timer(0.3, stream.close).start()
    assert len(list(stream)) == 3

    async def main() -> int:
        stream = await achat("hang-mid-body")
        asyncio.get_running_loop().call_later(0.3, stream.close)
        return len([chunk async for chunk in stream])

    assert asyncio.run(main()) == 3


def test_after_an_error_the_iteration_is_over(chat: Chat) -> None:
    stream = chat("bad-json-event")
    with pytest.raises(litellm.APIResponseValidationError):
        list(stream)
    assert list(stream) == []
    assert len(stream.chunks) == 3


def test_a_finished_streams_connection_is_used_again(chat: Chat, upstream: UpstreamThread) -> None:
    for _ in range(3):
        list(chat())
    assert upstream.accepted == 1
