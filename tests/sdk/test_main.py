"""The calls: what comes back, what a mock stands for, how often a call is tried, which key and address it takes."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel, Field

import litellm
from litellm.exceptions import LiteLLMError
from support import bodies
from support.ports import free_port
from support.upstream import UpstreamThread, wait_until

MESSAGES = [{"role": "user", "content": "hi"}]
TEXT = " tok0 tok1 tok2 tok3 tok4"


@pytest.fixture
def here(upstream: UpstreamThread) -> dict[str, Any]:
    return {"api_key": "k", "api_base": upstream.base_url}


@pytest.fixture
def chat(here: dict[str, Any]) -> Callable[..., Any]:
    return lambda model="ok", **more: litellm.completion(f"openai/{model}", MESSAGES, **{**here, **more})


# Results.


def test_a_result_reads_as_object_and_as_dict(chat: Callable[..., Any]) -> None:
    made = chat()
    assert isinstance(made, litellm.ModelResponse)
    assert made.choices[0].message.content == made["choices"][0]["message"]["content"] == TEXT
    assert made.get("object") == "chat.completion"
    assert "choices" in made and "nothing" not in made and made.get("nothing", 5) == 5
    assert made.model_dump()["choices"][0]["finish_reason"] == "stop"
    assert json.loads(made.model_dump_json())["id"] == made.id == "chatcmpl-Abc123"
    assert made.json() == made.model_dump()
    assert made.x_vendor == made["x_vendor"] == bodies.UNKNOWN["x_vendor"]
    assert made.model == "ok" + bodies.MODEL_SUFFIX
    assert (made.created, made.system_fingerprint) == (bodies.CREATED, bodies.FINGERPRINT)


def test_usage_is_the_endpoints(chat: Callable[..., Any]) -> None:
    usage = chat().usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (13, 5, 18)
    assert usage.prompt_tokens_details.cached_tokens == 4
    assert usage.completion_tokens_details.reasoning_tokens == 2


def test_what_is_known_of_the_call(chat: Callable[..., Any], upstream: UpstreamThread) -> None:
    made = chat(temperature=0.5, litellm_call_id="mine")
    hidden = made._hidden_params
    assert hidden["custom_llm_provider"] == "openai"
    assert hidden["litellm_call_id"] == "mine"
    assert hidden["api_base"] == upstream.base_url
    assert hidden["optional_params"] == {"temperature": 0.5}
    assert hidden["litellm_model_name"] == "ok"
    assert hidden["additional_headers"]["llm_provider-x-request-id"] == "req_123"
    assert 0 < hidden["litellm_overhead_time_ms"] <= made._response_ms == hidden["_response_ms"]
    assert hidden["response_cost"] is None
    assert chat()._hidden_params["litellm_call_id"] != chat()._hidden_params["litellm_call_id"]


def test_a_tool_call(chat: Callable[..., Any]) -> None:
    message = chat("tool-call").choices[0].message
    assert message.content is None
    assert message.tool_calls[0].function.name == "get_weather"
    assert json.loads(message.tool_calls[0].function.arguments) == {"city": "Paris"}


def test_the_async_form_says_the_same(chat: Callable[..., Any], here: dict[str, Any]) -> None:
    made = asyncio.run(litellm.acompletion(model="openai/ok", messages=MESSAGES, **here))
    assert made.model_dump() == chat().model_dump()


def test_a_call_inside_a_running_loop(chat: Callable[..., Any]) -> None:
    async def main() -> Any:
        return chat()

    assert asyncio.run(main()).choices[0].message.content == TEXT


# Embeddings.


def test_embeddings(here: dict[str, Any], upstream: UpstreamThread) -> None:
    made = litellm.embedding(model="openai/GPT-J", input=["good morning", "from litellm"], user="u", top_k=1, **here)
    assert isinstance(made, litellm.EmbeddingResponse)
    assert [item["embedding"] for item in made.data] == [[0.5, -0.25, 0.125, 0.0], [0.5, -0.25, 0.125, 1.0]]
    assert made.usage.prompt_tokens == 6
    assert upstream.requests[-1].path == "/v1/embeddings"
    assert upstream.requests[-1].json == {
        "model": "GPT-J", "input": ["good morning", "from litellm"], "encoding_format": "float", "user": "u",
        "top_k": 1,
    }  # fmt: skip


@pytest.mark.parametrize("given", ["text", [1, 2, 3], [[1, 2], [3]], ["a"]])
def test_embedding_inputs_of_every_form(here: dict[str, Any], upstream: UpstreamThread, given: Any) -> None:
    made = asyncio.run(litellm.aembedding(model="openai/ok", input=given, dimensions=4, **here))
    assert upstream.requests[-1].json["input"] == given
    assert upstream.requests[-1].json["dimensions"] == 4
    assert len(made.data) == (1 if given in ("text", [1, 2, 3]) else len(given))


def test_embeddings_in_base64_if_asked_for(here: dict[str, Any], upstream: UpstreamThread) -> None:
    made = litellm.embedding(model="openai/ok", input="x", encoding_format="base64", **here)
    assert upstream.requests[-1].json["encoding_format"] == "base64"
    assert isinstance(made.data[0].embedding, str)


@pytest.mark.parametrize(("value", "sent"), [("none", None), ("None", None), ("base64", "base64"), ("", "float")])
def test_the_default_encoding_can_be_set(
    here: dict[str, Any], upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch, value: str, sent: str | None
) -> None:
    monkeypatch.setenv("LITELLM_DEFAULT_EMBEDDING_ENCODING_FORMAT", value)
    litellm.embedding(model="openai/ok", input="x", **here)
    assert upstream.requests[-1].json.get("encoding_format") == sent


def test_embeddings_cannot_be_streamed(here: dict[str, Any], upstream: UpstreamThread) -> None:
    with pytest.raises(litellm.BadRequestError, match="cannot be streamed"):
        litellm.embedding(model="openai/ok", input="x", stream=True, **here)
    assert upstream.requests == []


# Text completions.


@pytest.mark.parametrize("prompt", ["once", ["once", "twice"], [1, 2, 3], [[1], [2]]])
@pytest.mark.parametrize("provider", ["openai", "text-completion-openai"])
def test_text_completions(here: dict[str, Any], upstream: UpstreamThread, prompt: Any, provider: str) -> None:
    made = litellm.text_completion(prompt=prompt, model=f"{provider}/ok", best_of=1, echo=False, suffix="s", **here)
    assert isinstance(made, litellm.TextCompletionResponse)
    assert made.choices[0].text == made["choices"][0]["text"] == TEXT
    assert upstream.requests[-1].path == "/v1/completions"
    assert upstream.requests[-1].json == {
        "model": "ok", "prompt": prompt, "best_of": 1, "echo": False, "suffix": "s",
    }  # fmt: skip


def test_streamed_text_completions(here: dict[str, Any]) -> None:
    chunks = list(litellm.text_completion("once", "openai/ok", stream=True, **here))
    assert all(isinstance(chunk, litellm.TextCompletionResponse) for chunk in chunks)
    assert "".join(chunk.choices[0].text for chunk in chunks) == TEXT
    assert chunks[-1].choices[0].finish_reason == "stop"

    async def main() -> str:
        stream = await litellm.atext_completion("once", "openai/ok", stream=True, **here)
        return "".join([chunk["choices"][0]["text"] async for chunk in stream])

    assert asyncio.run(main()) == TEXT


# Keys and addresses.

KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_ORGANIZATION")


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A socket that tells whether anybody has connected."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        yield server


@pytest.mark.parametrize("stream", [False, True])
def test_a_missing_key_names_the_variable_before_any_socket_is_opened(listening: socket.socket, stream: bool) -> None:
    base = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    with pytest.raises(litellm.AuthenticationError, match="OPENAI_API_KEY") as caught:
        litellm.completion("openai/x", MESSAGES, api_base=base, stream=stream)
    assert caught.value.status_code == 401
    with pytest.raises(litellm.AuthenticationError, match="GROQ_API_KEY"):
        litellm.completion("groq/x", MESSAGES, api_base=base, stream=stream)
    with pytest.raises(TimeoutError):
        listening.accept()


def test_key_base_and_organization_come_from_the_environment(
    upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k-env")
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
    monkeypatch.setenv("OPENAI_ORGANIZATION", "org-env")
    litellm.completion("gpt-4o", MESSAGES)
    headers = upstream.requests[-1].headers
    assert (headers["authorization"], headers["openai-organization"]) == ("Bearer k-env", "org-env")
    monkeypatch.setattr(litellm, "api_key", "k-set", raising=False)
    litellm.completion("gpt-4o", MESSAGES)
    assert upstream.requests[-1].headers["authorization"] == "Bearer k-set"


def test_a_local_server_needs_no_key(upstream: UpstreamThread) -> None:
    litellm.completion("hosted_vllm/ok", MESSAGES, api_base=upstream.base_url)
    assert upstream.requests[-1].headers["authorization"] == "Bearer fake-api-key"


# Mocks: nothing is sent, no key is needed.


def test_a_mock_may_be_a_text() -> None:
    made = litellm.completion("openai/x", MESSAGES, mock_response="It is fine.")
    assert made.choices[0].message.content == "It is fine."
    assert made.choices[0].finish_reason == "stop"
    assert made.model == "x"
    assert (made.usage.prompt_tokens, made.usage.completion_tokens, made.usage.total_tokens) == (10, 20, 30)
    assert len(litellm.completion("openai/x", MESSAGES, mock_response="a", n=3).choices) == 3


def test_a_mock_may_be_streamed() -> None:
    chunks = list(litellm.completion("openai/x", MESSAGES, mock_response="It is  fine.", stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "It is  fine."
    assert (chunks[0].choices[0].delta.role, chunks[-1].choices[0].finish_reason) == ("assistant", "stop")
    again = litellm.stream_chunk_builder(chunks)
    assert again.choices[0].message.content == "It is  fine."


def test_a_mock_may_be_a_whole_answer() -> None:
    wire = {"choices": [{"message": {"role": "assistant", "content": "hi", "reasoning_content": "hm"}}], "x": 1}
    made = litellm.completion("openai/x", MESSAGES, mock_response=wire)
    assert (made.choices[0].message.content, made.choices[0].message.reasoning_content, made.x) == ("hi", "hm", 1)
    again = litellm.completion("openai/x", MESSAGES, mock_response=made, stream=True)
    whole = litellm.stream_chunk_builder(list(again))
    assert (whole.choices[0].message.content, whole.choices[0].message.reasoning_content) == ("hi", "hm")
    with pytest.raises(litellm.BadRequestError, match="mock_response has no list of `choices`"):
        litellm.completion("openai/x", MESSAGES, mock_response={"choices": 5})


@pytest.mark.parametrize("stream", [False, True])
def test_a_mock_may_be_an_exception(stream: bool) -> None:
    mine = litellm.RateLimitError("slow down", "openai", "x")
    with pytest.raises(litellm.RateLimitError) as caught:
        litellm.completion("openai/x", MESSAGES, mock_response=mine, num_retries=0, stream=stream)
    assert caught.value is mine
    with pytest.raises(litellm.exceptions.MockException, match="oh no"):
        litellm.completion("openai/x", MESSAGES, mock_response=ValueError("oh no"), num_retries=0, stream=stream)


def test_a_mock_may_be_openais_exception() -> None:
    theirs = openai.APIConnectionError(request=httpx.Request("POST", "http://x"))
    with pytest.raises(openai.APIConnectionError) as caught:
        litellm.completion("openai/x", MESSAGES, mock_response=theirs, num_retries=0)
    assert caught.value is theirs


ERRORS = [cls for cls in vars(litellm.exceptions).values()
          if isinstance(cls, type) and issubclass(cls, LiteLLMError) and not cls.__name__.startswith("_")]  # fmt: skip


@pytest.mark.parametrize("cls", ERRORS)
def test_a_mock_may_name_an_exception(cls: type[LiteLLMError]) -> None:
    with pytest.raises(cls, match="mock error") as caught:
        litellm.completion("openai/x", MESSAGES, mock_response=f"litellm.{cls.__name__}", num_retries=0)
    assert type(caught.value) is cls
    assert caught.value.status_code == cls.status_code


def test_a_mock_of_tool_calls() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    made = litellm.completion("openai/x", MESSAGES, mock_tool_calls=[call])
    assert made.choices[0].message.tool_calls[0].function.name == "f"
    assert made.choices[0].finish_reason == "tool_calls"


def test_a_mocked_embedding_and_text_completion() -> None:
    made = litellm.embedding(model="openai/x", input=["a", "b"], mock_response=[0.5, 1.0])
    assert [item.embedding for item in made.data] == [[0.5, 1.0], [0.5, 1.0]]
    assert litellm.text_completion("a", "openai/x", mock_response="b").choices[0].text == "b"


def test_mocked_waits() -> None:
    started = time.monotonic()
    with pytest.raises(litellm.Timeout):
        litellm.completion("openai/x", MESSAGES, mock_response="a", mock_timeout=True, timeout=0.2)
    litellm.completion("openai/x", MESSAGES, mock_response="a", mock_delay=0.2)
    assert time.monotonic() - started >= 0.4


# Retries, counted at the upstream.


def test_two_retries_are_the_default(chat: Callable[..., Any], upstream: UpstreamThread) -> None:
    assert chat("fail-first-2").choices[0].message.content == TEXT
    assert len(upstream.asked("fail-first-2")) == 3
    with pytest.raises(litellm.ServiceUnavailableError) as caught:
        chat("fail-first-3")
    assert len(upstream.asked("fail-first-3")) == 3
    assert (caught.value.num_retries, caught.value.max_retries) == (2, 2)


@pytest.mark.parametrize("given", [{"num_retries": 1}, {"max_retries": 1}, {"num_retries": 1, "max_retries": 5}])
def test_the_number_of_retries_can_be_given(
    chat: Callable[..., Any], upstream: UpstreamThread, given: dict[str, int]
) -> None:
    with pytest.raises(litellm.ServiceUnavailableError):
        chat("status-503", **given)
    assert len(upstream.asked("status-503")) == 2


def test_pauses_are_no_longer_than_the_timeout(chat: Callable[..., Any], upstream: UpstreamThread) -> None:
    began = time.monotonic()
    with pytest.raises(litellm.ServiceUnavailableError) as caught:
        chat("status-503", num_retries=6, timeout=0.5)
    assert (caught.value.num_retries, len(upstream.asked("status-503"))) == (6, 7)
    assert time.monotonic() - began < 7 * 0.5 + 6 * 0.5  # else up to 24 seconds
    with pytest.raises(litellm.RateLimitError):
        chat("retry-after-2", num_retries=6, timeout=1.5)
    assert len(upstream.asked("retry-after-2")) == 1, "nobody waits longer than for an answer"


def test_the_number_of_retries_can_be_set(
    chat: Callable[..., Any], upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litellm, "num_retries", 0, raising=False)
    with pytest.raises(litellm.ServiceUnavailableError):
        chat("status-503")
    assert len(upstream.asked("status-503")) == 1


RETRIED = ["status-408", "status-409", "status-429", "status-500", "status-502", "status-503", "status-504",
           "status-529", "reset-before-headers", "close-mid-head", "close-mid-body"]  # fmt: skip
NOT_RETRIED = ["status-400", "status-401", "status-403", "status-404", "status-413", "status-422", "not-json"]


@pytest.mark.parametrize("model", [*RETRIED, *NOT_RETRIED])
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_tried_again(chat: Callable[..., Any], upstream: UpstreamThread, model: str, stream: bool) -> None:
    if stream and model == "close-mid-body":
        model = "stream-empty"  # before the first event, that is
    with pytest.raises(LiteLLMError):
        chat(model, num_retries=1, stream=stream)
    assert len(upstream.asked(model)) == (1 if model in NOT_RETRIED else 2)


def test_a_refused_connection_is_tried_again(here: dict[str, Any], upstream: UpstreamThread) -> None:
    port = free_port()
    with pytest.raises(litellm.APIConnectionError) as caught:
        litellm.completion("openai/ok", MESSAGES, api_key="k", api_base=f"http://127.0.0.1:{port}/v1", num_retries=1)
    assert caught.value.num_retries == 1


def test_a_stream_is_not_tried_again_after_its_first_event(chat: Callable[..., Any], upstream: UpstreamThread) -> None:
    stream = chat("close-mid-body", stream=True)
    with pytest.raises(litellm.APIConnectionError):
        list(stream)
    assert len(upstream.asked("close-mid-body")) == 1


def test_retry_after_is_honoured(chat: Callable[..., Any], upstream: UpstreamThread) -> None:
    chat("limit-first-1")
    first, second = upstream.asked("limit-first-1")
    assert second.at - first.at >= 1.0


# Timeouts.


def test_a_timeout_object_is_taken_phase_by_phase(chat: Callable[..., Any]) -> None:
    started = time.monotonic()
    with pytest.raises(litellm.Timeout):
        chat("hang", timeout=httpx.Timeout(30, read=0.3), num_retries=0)
    assert time.monotonic() - started < 20
    assert chat("delay-300", timeout=httpx.Timeout(None)).choices[0].message.content == TEXT


def test_the_default_timeout_can_be_set(chat: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "request_timeout", 0.2, raising=False)
    with pytest.raises(litellm.Timeout, match=r"0\.2 s"):
        chat("hang", num_retries=0)
    assert chat("delay-400", timeout="20").choices[0].message.content == TEXT


def test_a_stream_has_its_own_timeout(chat: Callable[..., Any]) -> None:
    with pytest.raises(litellm.Timeout):
        chat("hang", stream=True, stream_timeout=0.2, timeout=60, num_retries=0)
    assert chat("delay-400", stream_timeout=0.2, timeout=60).choices[0].message.content == TEXT


# Response formats.


class Step(BaseModel):
    text: str = Field(description="what is done")
    why: str | None = None


class Plan(BaseModel):
    steps: list[Step]
    first: Step = Field(description="where to begin")


def test_a_pydantic_class_is_a_response_format(chat: Callable[..., Any], upstream: UpstreamThread) -> None:
    chat(response_format=Plan)
    sent = upstream.requests[-1].json["response_format"]
    assert sent["type"] == "json_schema"
    assert (sent["json_schema"]["name"], sent["json_schema"]["strict"]) == ("Plan", True)
    assert sent["json_schema"]["schema"]["required"] == ["steps", "first"]


# Callers that go away.


def test_a_cancelled_call_ends_at_the_upstream(here: dict[str, Any], upstream: UpstreamThread) -> None:
    async def main() -> None:
        task = asyncio.create_task(litellm.acompletion(model="openai/hang", messages=MESSAGES, **here))
        assert await asyncio.to_thread(wait_until, lambda: upstream.asked("hang"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(wait_until, lambda: upstream.asked("hang")[0].disconnected)

    asyncio.run(main())


def test_many_calls_at_once_share_the_loop_and_keep_apart(here: dict[str, Any], upstream: UpstreamThread) -> None:
    async def main() -> list[int]:
        calls = (litellm.acompletion(model=f"openai/tokens-{n}", messages=MESSAGES, **here) for n in range(1, 51))
        return [len(made.choices[0].message.content.split()) for made in await asyncio.gather(*calls)]

    assert asyncio.run(main()) == list(range(1, 51))
    assert upstream.wait_closed()
