"""The documented commands, word for word, and the clients that people use, against a gateway in a process."""

import asyncio
import base64
import json
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator

import openai
import pytest

import litellm
from support.asking import MESSAGES, TEXT
from support.gateway import Gateway
from support.upstream import UpstreamThread, wait_until

CONFIG = """
model_list:
  - model_name: my-model
    litellm_params:
      model: openai/{model}   # the openai/ prefix routes to an OpenAI-compatible endpoint
      api_base: {base}
      api_key: api-key
  - model_name: GPT-J
    litellm_params: {{model: openai/gpt-j-real, api_base: {base}, api_key: api-key}}
  - model_name: mistral
    litellm_params: {{model: openai/mistral-real, api_base: {base}, api_key: api-key}}
  - model_name: "told/*"
    litellm_params: {{model: "openai/*", api_base: {base}, api_key: api-key}}
general_settings:
  master_key: sk-1234
"""


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = CONFIG.format(base=shared_upstream.base_url, model="your-model-name")
    with Gateway(config, tmp_path_factory.mktemp("gateway")) as server:
        yield server


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    """As the issue writes it: no /v1 in the address."""
    with openai.OpenAI(api_key="sk-1234", base_url=gateway.origin, max_retries=0, timeout=60) as client:
        yield client


# Section 1 of the issue


def test_the_sdk_calls_the_gateway(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    response = litellm.completion(
        model="openai/mistral",
        api_key="sk-1234",
        api_base=gateway.origin,
        messages=[{"role": "user", "content": "Hey, how's it going?"}],
    )
    assert response.choices[0].message.content == TEXT and response.model == "mistral"
    assert shared_upstream.asked("mistral-real")[-1].json["messages"][0]["content"] == "Hey, how's it going?"
    vectors = litellm.embedding(
        model="openai/GPT-J", api_key="sk-1234", api_base=gateway.origin, input=["good morning from litellm"]
    )
    assert vectors.data[0]["embedding"] == [0.5, -0.25, 0.125, 0.0] and vectors.model == "GPT-J"


def test_the_openai_package_calls_the_gateway(client: openai.OpenAI, shared_upstream: UpstreamThread) -> None:
    made = client.chat.completions.create(model="my-model", messages=[{"role": "user", "content": "what llm are you"}])
    assert made.choices[0].message.content == TEXT and made.model == "my-model"
    seen = shared_upstream.asked("your-model-name")[-1]
    assert seen.headers["authorization"] == "Bearer api-key"
    assert seen.path == "/v1/chat/completions", "nothing but the endpoint's own path is appended"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_documented_curl_command(gateway: Gateway) -> None:
    """With its trailing comma. Only the address is ours."""
    command = """curl --location 'http://0.0.0.0:4000/chat/completions' \\
    --header 'Authorization: Bearer sk-1234' --header 'Content-Type: application/json' \\
    --data '{
    "model": "my-model",
    "messages": [
        {
        "role": "user",
        "content": "what llm are you"
        }
    ],
}'"""
    command = command.replace("0.0.0.0:4000", f"127.0.0.1:{gateway.port}")
    done = subprocess.run(["sh", "-c", command + " --silent --noproxy '*'"], capture_output=True, timeout=60)
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == TEXT


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_line_that_the_gateway_prints_works(gateway: Gateway) -> None:
    line = next(line for line in gateway.log.splitlines() if line.startswith("try: "))
    assert "key: sk-1234" in gateway.log and gateway.origin in gateway.log
    command = line.removeprefix("try: ") + " --silent --noproxy '*'"
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60)
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == TEXT


# The openai package


def test_streamed(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="told/ok", messages=MESSAGES, stream=True)
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert chunks[0].choices[0].delta.role == "assistant" and chunks[-1].choices[0].finish_reason == "stop"
    assert {chunk.model for chunk in chunks} == {"told/ok"}
    assert chunks[0].created == 1732300000 and chunks[0].system_fingerprint == "fp_0705bf87c0"


def test_streamed_with_usage(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="told/ok", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    *_, last = stream
    assert last.choices == [] and last.usage.total_tokens == 18


def test_async(gateway: Gateway) -> None:
    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="sk-1234", base_url=f"{gateway.origin}/v1", max_retries=0) as client:
            answers = await asyncio.gather(
                *(client.chat.completions.create(model="my-model", messages=MESSAGES) for _ in range(20))
            )
            assert {answer.choices[0].message.content for answer in answers} == {TEXT}
            stream = await client.chat.completions.create(model="my-model", messages=MESSAGES, stream=True)
            assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == TEXT

    asyncio.run(main())


def test_raw_response(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="told/ok", messages=MESSAGES)
    assert raw.parse().choices[0].message.content == TEXT
    assert raw.request_id == raw.headers["x-litellm-call-id"]
    assert raw.headers["llm_provider-openai-processing-ms"] == "7"
    with client.chat.completions.with_streaming_response.create(model="told/ok", messages=MESSAGES) as streamed:
        assert TEXT in streamed.read().decode()


def test_the_stream_helper(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="told/ok", messages=MESSAGES) as stream:
        assert stream.get_final_completion().choices[0].message.content == TEXT


def test_completions_and_tool_calls(client: openai.OpenAI) -> None:
    assert client.completions.create(model="told/ok", prompt="hi").choices[0].text == TEXT
    texts = [chunk.choices[0].text for chunk in client.completions.create(model="told/ok", prompt="hi", stream=True)]
    assert "".join(texts) == TEXT
    called = client.chat.completions.create(model="told/tool-call", messages=MESSAGES)
    calls = called.choices[0].message.tool_calls
    assert calls is not None and calls[0].function.arguments == '{"city":"Paris"}'


def test_embeddings(client: openai.OpenAI, shared_upstream: UpstreamThread) -> None:
    """The package asks for base64 by itself, and is given it."""
    made = client.embeddings.create(model="told/vec", input=["a", "b"])
    assert [item.embedding for item in made.data] == [[0.5, -0.25, 0.125, 0.0], [0.5, -0.25, 0.125, 1.0]]
    assert shared_upstream.asked("vec")[-1].json["encoding_format"] == "base64"
    floats = client.embeddings.create(model="told/vec", input="a", encoding_format="float")
    assert floats.data[0].embedding == [0.5, -0.25, 0.125, 0.0]
    raw = client.post(
        "/embeddings", body={"model": "told/vec", "input": [[1, 2]], "encoding_format": "base64"}, cast_to=object
    )
    packed = base64.b64decode(raw["data"][0]["embedding"])
    assert struct.unpack("<4f", packed) == (0.5, -0.25, 0.125, 0.0)


def test_its_timeout_ends_the_call_upstream_too(client: openai.OpenAI, shared_upstream: UpstreamThread) -> None:
    for stream in (False, True):
        with pytest.raises(openai.APITimeoutError):
            impatient = client.with_options(timeout=0.5)
            impatient.chat.completions.create(model="told/hang", messages=MESSAGES, stream=stream)
        seen = shared_upstream.asked("hang")[-1]
        assert wait_until(lambda seen=seen: seen.disconnected), "what nobody waits for is not paid for"
        assert seen.disconnected_at is not None and seen.disconnected_at - seen.at < 30


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["my-model", "GPT-J", "mistral"]
    model = client.models.retrieve("my-model")
    assert (model.id, model.object, model.owned_by, model.created) == ("my-model", "model", "openai", 1677610602)
    assert client.models.retrieve("told/anything").id == "told/anything"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("told/status-400", openai.BadRequestError),
        ("told/status-401", openai.AuthenticationError),
        ("told/status-403", openai.PermissionDeniedError),
        ("told/status-404", openai.NotFoundError),
        ("told/status-409", openai.ConflictError),
        ("told/status-429", openai.RateLimitError),
        ("told/status-500", openai.InternalServerError),
        ("told/status-503", openai.InternalServerError),
        ("told/not-json", openai.InternalServerError),
        ("nobody", openai.BadRequestError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_it_raises_the_right_class(
    client: openai.OpenAI, model: str, error: type[openai.APIStatusError], stream: bool
) -> None:
    with pytest.raises(error) as caught:
        client.chat.completions.create(
            model=model, messages=MESSAGES, stream=stream, extra_headers={"x-litellm-num-retries": "0"}
        )
    assert type(caught.value) is error
    assert caught.value.request_id and caught.value.body is not None
    assert caught.value.code == str(caught.value.status_code)


def test_it_raises_what_breaks_a_stream(client: openai.OpenAI) -> None:
    for model in ("told/error-later-event", "told/close-mid-body", "told/bad-json-event", "told/stream-unfinished"):
        stream = client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
        with pytest.raises(openai.APIError) as caught:
            for _ in stream:
                pass
        assert caught.value.code == "500"


def test_its_own_retries_obey_retry_after(client: openai.OpenAI, shared_upstream: UpstreamThread) -> None:
    """The gateway tries no further; the package does, when the upstream's own words allow it."""
    before = len(shared_upstream.asked("limit-first-1"))
    started = time.monotonic()
    made = client.with_options(max_retries=2).chat.completions.create(
        model="told/limit-first-1", messages=MESSAGES, extra_headers={"x-litellm-num-retries": "0"}
    )
    assert made.choices[0].message.content == TEXT
    assert len(shared_upstream.asked("limit-first-1")) - before == 2
    assert time.monotonic() - started >= 1


def test_a_wrong_key(gateway: Gateway) -> None:
    client = openai.OpenAI(api_key="sk-wrong", base_url=gateway.origin, max_retries=0)
    with client, pytest.raises(openai.AuthenticationError) as caught:
        client.models.list()
    assert caught.value.type == "auth_error"


def test_azures_client_names_the_model_in_the_path(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    with openai.AzureOpenAI(
        api_key="sk-1234", azure_endpoint=gateway.origin, api_version="2024-06-01", azure_deployment="my-model"
    ) as client:
        made = client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert made.choices[0].message.content == TEXT and made.model == "my-model"
    assert shared_upstream.asked("your-model-name")
