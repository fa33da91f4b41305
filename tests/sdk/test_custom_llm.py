"""Providers of the caller's own, in Python."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import litellm
from litellm import CustomLLM, CustomLLMError

HI = [{"role": "user", "content": "hi"}]


def chunk(text: str = "", finish: str | None = None, **more: Any) -> Any:
    return {"text": text, "is_finished": finish is not None, "finish_reason": finish or "", "index": 0, **more}


class Whole(CustomLLM):
    """Both forms of everything."""

    def completion(self, *args: Any, **kwargs: Any) -> Any:
        assert not args
        self.given, self.thread = kwargs, threading.current_thread().name
        return litellm.completion(model="gpt-x", messages=kwargs["messages"], mock_response="sync")

    async def acompletion(self, model: str, messages: list[Any], model_response: Any, **kwargs: Any) -> Any:
        model_response.choices[0].message.content = "async"
        model_response.choices[0].finish_reason = "length"
        return model_response

    def streaming(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        yield chunk("a ")
        yield chunk("b", usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3})
        yield chunk(finish="stop")

    async def astreaming(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        yield chunk("x", tool_use={"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}})
        yield chunk(finish="tool_calls")

    def embedding(self, model: str, input: list[Any], model_response: Any, **kwargs: Any) -> Any:
        model_response.data = [{"object": "embedding", "index": i, "embedding": [0.5]} for i, _ in enumerate(input)]
        return model_response


class OnlySync(CustomLLM):
    def completion(self, *args: Any, **kwargs: Any) -> Any:
        time.sleep(0.2)
        return litellm.ModelResponse(choices=[litellm.Choices(message=litellm.Message(content="slept"))])

    def streaming(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        self.closed = False
        try:
            for number in range(1000):
                yield chunk(f"{number} ")
        finally:
            self.closed = True


class Failing(CustomLLM):
    calls = 0

    async def acompletion(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if kwargs["model"] == "limit":
            raise CustomLLMError(status_code=429, message="slow down")
        if kwargs["model"] == "hang":
            await asyncio.sleep(3600)
        if kwargs["model"] == "nothing":
            return None
        raise KeyError("boo")

    async def astreaming(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        if kwargs["model"] == "early":
            raise CustomLLMError(status_code=401, message="who are you")
        yield chunk("one")
        raise KeyError("boo")


@pytest.fixture
def llms(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    made: dict[str, Any] = {"whole": Whole(), "sync": OnlySync(), "fail": Failing()}
    rows = [{"provider": name, "custom_handler": handler} for name, handler in made.items()]
    monkeypatch.setattr(litellm, "custom_provider_map", rows)
    return made


def test_a_handler_is_given_the_call_by_keyword(llms: dict[str, Any]) -> None:
    made = litellm.completion(
        "whole/m/1", HI, temperature=0.5, mine=[1], api_base="http://x", api_key="k", timeout=7, metadata={"a": 1},
        extra_headers={"x-a": "b"},
    )  # fmt: skip
    given = llms["whole"].given
    assert made.choices[0].message.content == "sync"
    assert made._hidden_params["custom_llm_provider"] == "whole"
    assert (given["model"], given["messages"], given["api_key"], given["api_base"]) == ("m/1", HI, "k", "http://x")
    assert given["optional_params"] == {"temperature": 0.5, "mine": [1]}
    assert given["timeout"] == 7
    assert given["headers"] == {"x-a": "b"}
    assert given["litellm_params"]["metadata"] == {"a": 1}
    assert isinstance(given["model_response"], litellm.ModelResponse)
    names = {"custom_prompt_dict", "print_verbose", "encoding", "logging_obj", "acompletion", "logger_fn", "client"}
    assert names <= given.keys()


def test_the_form_that_fits_the_caller(llms: dict[str, Any]) -> None:
    made = asyncio.run(litellm.acompletion("whole/m", HI))
    assert (made.choices[0].message.content, made.choices[0].finish_reason) == ("async", "length")
    assert litellm.completion(model="m", custom_llm_provider="whole", messages=HI).choices[0].message.content == "sync"
    assert llms["whole"].thread == "litellm-blocking", "it may block"


def test_streams(llms: dict[str, Any]) -> None:
    stream = litellm.completion("whole/m", HI, stream=True)
    chunks = list(stream)
    assert [c.choices[0].delta.content for c in chunks] == ["a ", "b", ""]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert stream._hidden_params["usage"].total_tokens == 3

    async def read() -> list[Any]:
        return [c async for c in await litellm.acompletion("whole/m", HI, stream=True)]

    first, last = asyncio.run(read())
    assert first.choices[0].delta.tool_calls[0].function.name == "f"
    assert last.choices[0].finish_reason == "tool_calls"


def test_one_form_is_enough_and_does_not_block_the_loop(llms: dict[str, Any]) -> None:
    async def main() -> float:
        begin = time.monotonic()
        answers = await asyncio.gather(*(litellm.acompletion("sync/m", HI) for _ in range(50)))
        assert {answer.choices[0].message.content for answer in answers} == {"slept"}
        return time.monotonic() - begin

    assert asyncio.run(main()) < 50 * 0.2 / 2


def test_a_handler_may_be_called_from_many_threads(llms: dict[str, Any]) -> None:
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: litellm.completion("sync/m", HI), range(50)))
    assert {answer.choices[0].message.content for answer in answers} == {"slept"}


def test_a_stream_that_is_left_closes_the_handlers_iterator(llms: dict[str, Any]) -> None:
    stream = litellm.completion("sync/m", HI, stream=True)
    next(stream)
    stream.close()
    until = time.monotonic() + 30
    while not llms["sync"].closed and time.monotonic() < until:
        time.sleep(0.01)
    assert llms["sync"].closed


def test_a_stream_without_last_words_gets_some(llms: dict[str, Any]) -> None:
    last = list(litellm.completion("sync/m", HI, stream=True))[-1]
    assert last.choices[0].finish_reason == "stop"


def test_embeddings(llms: dict[str, Any]) -> None:
    made = litellm.embedding("whole/e", input=["a", "b"])
    assert [row["embedding"] for row in made.data] == [[0.5], [0.5]]
    assert made.model == "e"
    assert len(asyncio.run(litellm.aembedding("whole/e", input="a")).data) == 1


def test_failures(llms: dict[str, Any]) -> None:
    with pytest.raises(litellm.RateLimitError, match="slow down") as caught:
        litellm.completion("fail/limit", HI, num_retries=0)
    assert caught.value.llm_provider == "fail"
    calls = llms["fail"].calls
    with pytest.raises(litellm.APIConnectionError, match="KeyError: 'boo'") as defect:
        litellm.completion("fail/x", HI, num_retries=2)
    assert isinstance(defect.value.__cause__, KeyError)
    assert llms["fail"].calls == calls + 1, "a defect is not tried again"
    with pytest.raises(litellm.APIConnectionError, match="NoneType"):
        litellm.completion("fail/nothing", HI)
    with pytest.raises(litellm.Timeout):
        litellm.completion("fail/hang", HI, timeout=0.1, num_retries=0)
    with pytest.raises(litellm.BadRequestError, match="neither aembedding nor embedding"):
        litellm.embedding("fail/x", input="a")
    with pytest.raises(litellm.BadRequestError):
        litellm.text_completion(model="fail/x", prompt="a")


def test_failures_of_streams(llms: dict[str, Any]) -> None:
    with pytest.raises(litellm.AuthenticationError, match="who are you"):
        list(litellm.completion("fail/early", HI, stream=True, num_retries=0))
    heard: list[str] = []
    with pytest.raises(litellm.InternalServerError, match="boo"):
        for part in litellm.completion("fail/x", HI, stream=True, num_retries=0):
            heard.append(part.choices[0].delta.content)
    assert heard == ["one"]


def test_retries_are_the_house_s_own(llms: dict[str, Any]) -> None:
    llms["fail"].calls = 0
    with pytest.raises(litellm.RateLimitError):
        litellm.completion("fail/limit", HI, num_retries=1)
    assert llms["fail"].calls == 2


def test_a_mock_response_comes_first(llms: dict[str, Any]) -> None:
    assert litellm.completion("fail/x", HI, mock_response="mocked").choices[0].message.content == "mocked"


def test_other_providers_are_not_touched(llms: dict[str, Any]) -> None:
    assert litellm.completion("openai/x", HI, mock_response="y").choices[0].message.content == "y"
    with pytest.raises(litellm.BadRequestError):
        litellm.completion("nobody/x", HI)
