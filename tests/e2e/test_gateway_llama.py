"""A real llama.cpp server behind the gateway: what an endpoint that nobody here wrote makes of our requests."""

import json
from collections.abc import Iterator

import openai
import pytest

import litellm
from support.asking import MESSAGES, chat, chunks_of, client
from support.gateway import Gateway
from support.llama import Llama

CONFIG = """
model_list:
  - model_name: tiny-chat
    litellm_params: {{model: openai/{model}, api_base: "{chat}", api_key: none}}
  - model_name: tiny-vectors
    litellm_params: {{model: openai/{model}, api_base: "{vectors}", api_key: none}}
    model_info: {{mode: embedding}}
general_settings:
  master_key: sk-1234
"""


# Greedy: a random draw may be the end of the text. The noise is not always whole characters at the chunks' borders.
GREEDY = {"temperature": 0, "seed": 1}


@pytest.fixture(scope="module")
def gateway(llama: Llama, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = CONFIG.format(model=llama.model, chat=llama.base_url, vectors=llama.embedding_url)
    with Gateway(config, tmp_path_factory.mktemp("gateway")) as server:
        yield server


@pytest.fixture(scope="module")
def caller(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="sk-1234", base_url=gateway.origin, max_retries=0, timeout=60) as caller:
        yield caller


def test_chat(caller: openai.OpenAI) -> None:
    made = caller.chat.completions.create(model="tiny-chat", messages=MESSAGES, max_tokens=8, **GREEDY)
    assert made.model == "tiny-chat" and made.usage and made.usage.completion_tokens == 8
    assert made.choices[0].finish_reason == "length"


def test_streamed_chat_is_the_same_text(caller: openai.OpenAI) -> None:
    asked = {"model": "tiny-chat", "messages": MESSAGES, "max_tokens": 48, **GREEDY}
    whole = caller.chat.completions.create(**asked)
    chunks = list(caller.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content and len(text) > 10
    assert {chunk.model for chunk in chunks} == {"tiny-chat"}
    assert chunks[-1].choices == [] and chunks[-1].usage and chunks[-1].usage.completion_tokens == 48


def test_usage_is_kept_back_if_nobody_asked(gateway: Gateway) -> None:
    with client(gateway) as caller:
        chunks = chunks_of(chat(caller, "tiny-chat", stream=True, max_tokens=8, **GREEDY).text)
    assert all(chunk["choices"] and not chunk.get("usage") for chunk in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"


def test_its_own_fields_travel_both_ways(gateway: Gateway) -> None:
    """`n_probs` is llama.cpp's, and so is `timings`."""
    with client(gateway) as caller:
        wire = chat(caller, "tiny-chat", max_tokens=4, n_probs=2, **GREEDY).json()
    assert wire["timings"]["predicted_n"] == 4
    assert len(wire["choices"][0]["logprobs"]["content"]) == 4


def test_completions_and_embeddings(caller: openai.OpenAI) -> None:
    assert caller.completions.create(model="tiny-chat", prompt="he", max_tokens=4, **GREEDY).choices[0].text
    made = caller.embeddings.create(model="tiny-vectors", input=["good morning", "good night"])
    assert [len(item.embedding) for item in made.data] == [64, 64]
    assert made.data[0].embedding != made.data[1].embedding


def test_its_errors_keep_their_status(caller: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        caller.chat.completions.create(model="tiny-chat", messages=[{"role": "nobody"}], temperature="hot")
    assert caught.value.code == "400"
    with pytest.raises(openai.BadRequestError) as caught:
        caller.chat.completions.create(model="tiny-chat", messages=[{"role": "user", "content": "x" * 60_000}])
    assert "ContextWindowExceededError" in str(caught.value)


def test_the_sdk_through_the_gateway(gateway: Gateway) -> None:
    stream = litellm.completion(
        model="openai/tiny-chat",
        api_base=gateway.origin,
        api_key="sk-1234",
        messages=MESSAGES,
        max_tokens=8,
        stream=True,
        **GREEDY,
    )
    assert len(list(stream)) > 2


def test_health_asks_it(gateway: Gateway) -> None:
    status, body = gateway.get("/health")
    assert status == 200
    assert json.loads(body)["healthy_count"] == 2, body
