"""One call: translated, sent, translated back, and every failure one of ours."""

import asyncio
import json
from typing import Any

import pytest

from litellm import exceptions as e
from litellm.engine.engine import Engine, Reply
from litellm.transport.base import ClosedEarly, ConnectFailed, NotHTTP, TimedOut, TransportError
from litellm.transport.mock import MockTransport
from litellm.types.calls import Call, Op, Target
from litellm.types.http import HttpRequest, HttpResponse

ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}}], "x": 1}


def call(op: Op = "chat", *, provider: str = "openai", base: str = "http://host/v1", **more: Any) -> Call:
    target = Target(provider, "m", base, "k", headers=more.pop("headers", ()))
    return Call(op, target, more.pop("params", {}), more.pop("stream", False), **more)


def answering(status: int = 200, body: Any = ANSWER) -> MockTransport:
    return MockTransport(lambda _: HttpResponse(status, [(b"x-a", b"1")], json.dumps(body).encode()))


def failing(error: Exception) -> MockTransport:
    def fail(_: HttpRequest) -> HttpResponse:
        raise error

    return MockTransport(fail)


def send(transport: MockTransport, made: Call) -> Reply:
    ticks = iter((10.0, 10.25))
    return asyncio.run(Engine(transport, lambda: next(ticks)).send(made))


def test_a_reply() -> None:
    transport = answering()
    reply = send(transport, call(params={"a": 1}))
    assert reply.wire == ANSWER
    assert reply.headers == [(b"x-a", b"1")]
    assert reply.seconds == 0.25
    assert json.loads(transport.requests[0].body) == {"a": 1, "model": "m"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (ConnectFailed("refused"), e.APIConnectionError, "Connection error: refused"),
        (ClosedEarly("cut"), e.APIConnectionError, "Connection error: cut"),
        (NotHTTP("ssh"), e.APIConnectionError, "Connection error: ssh"),
        (TimedOut("slow", "first_byte"), e.Timeout, "Request timed out: slow"),
        (TransportError("odd"), e.APIConnectionError, "odd"),
        (type("Later", (ClosedEarly,), {})("sub"), e.APIConnectionError, "sub"),
        (type("Slower", (TimedOut,), {})("sub", "total"), e.Timeout, "sub"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_every_way_to_fail(error: Exception, expected: type[e.LiteLLMError], words: str, stream: bool) -> None:
    engine = Engine(failing(error), lambda: 0.0)
    run = engine.stream if stream else engine.send
    with pytest.raises(expected, match=words) as caught:
        asyncio.run(run(call(stream=stream)))  # type: ignore[arg-type]
    assert type(caught.value) is expected
    assert caught.value.retryable
    assert (caught.value.llm_provider, caught.value.model) == ("openai", "m")


@pytest.mark.parametrize("given", [{"base": "nonsense"}, {"headers": (("x", "a\r\nb"),)}])
def test_what_cannot_be_put_on_the_wire_is_a_bad_request(given: dict[str, Any]) -> None:
    transport = answering()
    with pytest.raises(e.BadRequestError):
        send(transport, call(**given))
    assert transport.requests == []


def test_an_operation_that_a_host_does_not_have() -> None:
    with pytest.raises(e.BadRequestError, match="groq has no embedding endpoint"):
        send(answering(), call("embedding", provider="groq"))


def test_cancelling_reaches_the_transport() -> None:
    cancelled: list[bool] = []

    async def hang(_: HttpRequest) -> HttpResponse:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return HttpResponse(200)

    async def main() -> None:
        task = asyncio.ensure_future(Engine(MockTransport(hang), lambda: 0.0).send(call()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert cancelled == [True]


# Answers made on this machine.


def test_the_demo_model_answers_by_itself() -> None:
    transport = answering()
    messages = [{"role": "user", "content": "what llm are you"}]
    reply = send(transport, call(provider="demo", params={"messages": messages, "n": 2}, call_id="7"))
    assert transport.requests == []
    assert "what llm are you" in reply.wire["choices"][1]["message"]["content"]
    assert reply.wire["id"] == "chatcmpl-7"
    assert reply.wire["usage"]["total_tokens"] == 30
    parts = [{"role": "user", "content": [{"type": "text", "text": "in parts"}]}]
    assert (
        "in parts"
        in send(transport, call(provider="demo", params={"messages": parts})).wire["choices"][0]["message"]["content"]
    )


@pytest.mark.parametrize("n", [10**9, -1, "x", None, 0, 129])
def test_the_demo_model_is_not_talked_into_more_choices_than_openai_allows(n: Any) -> None:
    reply = send(answering(), call(provider="demo", params={"messages": [], "n": n}))
    assert len(reply.wire["choices"]) == 1


@pytest.mark.parametrize("messages", [None, [], 5, ["x"], [{"content": 5}], [{"content": [1]}]])
def test_the_demo_model_answers_whatever_it_is_told(messages: Any) -> None:
    assert send(answering(), call(provider="demo", params={"messages": messages})).wire["choices"]


@pytest.mark.parametrize(("given", "count"), [("a", 1), (["a", "b"], 2), ([1, 2, 3], 1), ([[1], [2]], 2), (None, 1)])
def test_demo_embeddings(given: Any, count: int) -> None:
    reply = send(answering(), call("embedding", provider="demo", params={"input": given}))
    assert [len(item["embedding"]) for item in reply.wire["data"]] == [8] * count


@pytest.mark.parametrize("op", ["chat", "completion"])
@pytest.mark.parametrize("usage", [False, True])
def test_a_local_answer_streams(op: Op, usage: bool) -> None:
    params = {"messages": [], "prompt": "x", "stream_options": {"include_usage": usage}}

    async def main() -> list[Any]:
        stream = await Engine(answering(), lambda: 0.0).stream(call(op, params=params, stream=True, mock="a  b c"))
        return [chunk async for chunk in stream]

    chunks = asyncio.run(main())
    assert ("usage" in chunks[-1]) is usage
    spoken = [choice for chunk in chunks for choice in chunk["choices"]]
    field = (lambda c: c["text"]) if op == "completion" else (lambda c: c["delta"].get("content", ""))
    assert "".join(map(field, spoken)) == "a  b c"
    assert spoken[-1]["finish_reason"] == "stop"


def test_tool_calls_of_a_mock_stream() -> None:
    made = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}

    async def main() -> list[Any]:
        asked = call(stream=True, mock="", mock_tool_calls=[made])
        return [chunk async for chunk in await Engine(answering(), lambda: 0.0).stream(asked)]

    deltas = [chunk["choices"][0]["delta"] for chunk in asyncio.run(main())]
    assert [delta["tool_calls"] for delta in deltas if "tool_calls" in delta] == [[{"index": 0, **made}]]


@pytest.mark.parametrize("mock", [{"choices": 5}, {}, {"choices": ["a"]}, {"data": []}])
@pytest.mark.parametrize("stream", [False, True])
def test_a_mock_that_is_no_answer_is_a_bad_request(mock: Any, stream: bool) -> None:
    engine = Engine(answering(), lambda: 0.0)
    run = engine.stream if stream else engine.send
    with pytest.raises(e.BadRequestError, match="mock_response"):
        asyncio.run(run(call(mock=mock, stream=stream)))  # type: ignore[arg-type]
