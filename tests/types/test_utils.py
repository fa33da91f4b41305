"""Result objects: dict and attribute access, pydantic's interface, and odd wire shapes."""

import copy
import json
import pickle
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from litellm.types.utils import (
    ChatCompletionDeltaToolCall,
    ChatCompletionMessageToolCall,
    Choices,
    Delta,
    Embedding,
    EmbeddingResponse,
    Function,
    FunctionCall,
    ImageObject,
    ImageResponse,
    Message,
    ModelResponse,
    ModelResponseStream,
    RerankResponse,
    StreamingChoices,
    TextChoices,
    TextCompletionResponse,
    TranscriptionResponse,
    Usage,
    embedding_response,
    map_finish_reason,
    model_response,
    stream_chunk,
    text_completion_response,
)

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "foo-real",
    "service_tier": "default",
    "system_fingerprint": "fp",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}, "custom_key": 1}
                ],
                "vendor": {"x": 1},
            },
            "logprobs": {"content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]},
            "finish_reason": "tool_calls",
            "stop_reason": None,
        }
    ],
    "usage": {
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "total_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 6},
        "cost": 0.01,
    },
}


def chat() -> ModelResponse:
    return model_response(copy.deepcopy(CHAT))


def test_attributes_and_items_are_the_same():
    made = chat()
    call = made.choices[0].message.tool_calls[0]
    assert call is made["choices"][0]["message"]["tool_calls"][0]
    assert (call.function.name, call["function"]["arguments"], call["custom_key"]) == ("f", '{"a":1}', 1)
    assert made.get("id") == made.id == "chatcmpl-1"
    assert made.get("nothing") is None
    assert made.get("nothing", {}) == {}
    assert "choices" in made
    assert "nothing" not in made
    assert "model_dump" not in made
    assert made.usage.prompt_tokens_details.cached_tokens == 4
    assert made.usage["completion_tokens_details"]["reasoning_tokens"] == 6
    assert made.choices[0].logprobs.content[0].logprob == made.choices[0]["logprobs"]["content"][0]["logprob"] == -0.5
    with pytest.raises(KeyError):
        made["nothing"]
    with pytest.raises(AttributeError):
        made.nothing  # noqa: B018


def test_unknown_fields_are_kept_at_every_level():
    made = chat()
    assert made.service_tier == made["service_tier"] == "default"
    assert made.model_extra == {"service_tier": "default"}
    assert made.choices[0].stop_reason is None
    assert made.choices[0].message.vendor == {"x": 1}
    assert made.usage.cost == 0.01
    dumped = made.model_dump()
    assert dumped["service_tier"] == "default"
    assert dumped["choices"][0]["message"]["vendor"] == {"x": 1}
    assert dumped["choices"][0]["message"]["tool_calls"][0]["custom_key"] == 1
    assert dumped["usage"]["cost"] == 0.01


def test_items_can_be_set_and_deleted():
    made = chat()
    made["model"] = "public"
    made["own"] = 1
    made.choices[0].message.reasoning_content = "hm"
    assert (made.model, made.own, made.choices[0].message["reasoning_content"]) == ("public", 1, "hm")
    del made["own"]
    assert "own" not in made
    with pytest.raises(KeyError):
        del made["own"]
    assert list(dict(made)) == made.keys() == [name for name, _ in made.items()]
    assert made.values()[0] == "chatcmpl-1"
    assert {**Usage(prompt_tokens=1)}["prompt_tokens"] == 1


def test_dumps():
    made = chat()
    dumped = made.model_dump()
    assert made.json() == made.dict() == made.to_dict() == dumped
    assert json.loads(made.model_dump_json()) == made.model_dump(mode="json") == dumped
    assert dumped["choices"][0]["message"]["function_call"] is None
    assert "function_call" not in made.model_dump(exclude_none=True)["choices"][0]["message"]
    assert made.model_dump(include={"id"}) == {"id": "chatcmpl-1"}
    assert str(made).startswith("ModelResponse(id='chatcmpl-1'")


def test_a_plain_answer_dumps_both_kinds_of_call_as_null():
    made = model_response({"choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]})
    message = {"content": "hi", "role": "assistant", "tool_calls": None, "function_call": None}
    assert made.model_dump()["choices"] == [{"finish_reason": "stop", "index": 0, "message": message}]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, ModelResponse.model_copy,
                                    lambda made: pickle.loads(pickle.dumps(made))])  # fmt: skip
def test_copies_are_equal_and_keep_what_is_hidden(copied):
    made = chat()
    made._hidden_params["response_cost"] = 0.1
    made._response_ms = 12.0
    other = copied(made)
    assert other == made
    assert other._hidden_params == {"response_cost": 0.1}
    assert other._response_ms == 12.0
    assert other.choices[0].message == made.choices[0].message


def test_hidden_params_are_each_object_s_own_and_not_dumped():
    one, two = chat(), ModelResponse(hidden_params={"a": 1}, _response_headers={"h": "1"}, response_ms=3.0)
    one._hidden_params["x"] = 1
    assert chat()._hidden_params == {}
    assert (two._hidden_params, two._response_headers, two._response_ms) == ({"a": 1}, {"h": "1"}, 3.0)
    assert one["_hidden_params"] == {"x": 1}
    assert "_hidden_params" not in one.model_dump()
    assert "hidden_params" not in two.model_dump()


def test_pydantic_s_ways_in():
    made = chat()
    other = ModelResponse.model_validate(made.model_dump())
    assert other.model_dump() == made.model_dump()
    assert type(other.choices[0]) is Choices
    assert type(other.choices[0].message.tool_calls[0].function) is Function
    assert ModelResponse.model_validate_json(made.model_dump_json()).usage == made.usage
    built = ModelResponse.model_construct(choices=[Choices()], usage=Usage(prompt_tokens=1))
    assert built.choices[0].finish_reason == "stop"
    assert built._hidden_params == {}

    class Holder(BaseModel):
        message: Message
        response: ModelResponse

    held = Holder(message={"content": "x"}, response=made)
    assert held.model_dump()["message"]["content"] == "x"
    assert held.response is made


def test_constructed_as_users_do():
    before = int(time.time())
    made = ModelResponse(
        id="1",
        choices=[Choices(finish_reason="stop", index=0, message=Message(content="hi", role="assistant"))],
        created=2,
        model="m",
        object="chat.completion",
        usage=Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3),
        own="kept",
    )
    assert (made.id, made.created, made.choices[0].message.content, made.usage.total_tokens) == ("1", 2, "hi", 3)
    assert made.own == "kept"
    empty = ModelResponse()
    assert empty.id.startswith("chatcmpl-")
    assert empty.id != ModelResponse().id
    assert empty.created >= before
    assert empty.object == "chat.completion"
    assert empty.usage is None
    assert empty.choices[0].message.content is None
    assert empty.choices[0].finish_reason == "stop"
    chunk = ModelResponse(stream=True)
    assert chunk.object == "chat.completion.chunk"
    assert type(chunk.choices[0]) is StreamingChoices
    given = ModelResponse(stream=True, choices=[{"delta": {"content": "x"}}])
    assert given.choices[0].delta.content == "x"
    assert ModelResponse(choices=[{"message": {"content": "x"}}]).choices[0].message.content == "x"
    assert type(ModelResponse(choices=[StreamingChoices()]).choices[0]) is StreamingChoices
    chunk = ModelResponseStream(id="a", model="m", choices=[StreamingChoices(index=0, delta=Delta(content="x"))])
    assert (chunk.choices[0].delta.content, chunk.object) == ("x", "chat.completion.chunk")


def test_objects_of_the_openai_package_are_taken():
    from openai.types.chat import ChatCompletion

    theirs = ChatCompletion.model_validate(CHAT)
    assert ModelResponse(**dict(theirs)).choices[0].message.tool_calls[0].function.name == "f"


def test_messages():
    assert Message("hi").content == "hi"
    assert Message("hi").role == "assistant"
    message = Message(role="tool", content="x", tool_call_id="c1", name="f")
    assert (message.tool_call_id, message.name, message.role) == ("c1", "f", "tool")
    assert Message(tool_calls=[]).tool_calls is None
    assert Message(function_call={"name": "f", "arguments": "{}"}).function_call == FunctionCall("{}", "f")


def test_optional_fields_of_a_message_exist_only_when_set():
    optional = ("audio", "images", "reasoning_content", "thinking_blocks", "reasoning_items", "annotations",
                "provider_specific_fields")  # fmt: skip
    bare = Message("hi", **dict.fromkeys(optional))
    for name in optional:
        assert not hasattr(bare, name), name
        assert name not in bare
        assert name not in bare.model_dump()
    full = Message("hi", **{name: [1] for name in optional})
    for name in optional:
        assert hasattr(full, name), name
        assert name in full.model_dump()
    assert getattr(Delta("hi"), "reasoning_content", None) is None
    assert not hasattr(Delta(reasoning_content=None), "reasoning_content")


def test_refusal_and_reasoning_go_where_litellm_puts_them():
    message = Message.from_wire({"content": None, "refusal": "no", "reasoning": "because"})
    assert message.provider_specific_fields == {"refusal": "no"}
    assert message.refusal == "no"
    assert message.reasoning_content == "because"
    assert "reasoning" not in message
    assert "refusal" not in message.model_dump()
    assert Message("hi").refusal is None
    both = Delta.from_wire({"reasoning": "a", "reasoning_content": "b", "refusal": "no"})
    assert (both.reasoning_content, both.provider_specific_fields) == ("b", {"refusal": "no"})
    assert Delta.from_wire({"refusal": None}).provider_specific_fields is None


def test_audio_is_an_object():
    message = Message.from_wire({"audio": {"id": "a", "data": "AA==", "transcript": "hi", "expires_at": 1}})
    assert message.audio.transcript == message["audio"]["transcript"] == "hi"
    assert Delta.from_wire({"audio": {"id": "a"}}).audio.id == "a"


def test_tool_calls():
    call = ChatCompletionMessageToolCall(function=Function(name="f", arguments={"a": 1}), index=2)
    assert (call.function.arguments, call.type, call.index) == ('{"a": 1}', "function", 2)
    assert call.id.startswith("call_")
    assert Function(name="f").arguments == ""
    assert Function(arguments="x").name is None
    custom = ChatCompletionMessageToolCall.from_wire({"id": "c", "type": "custom", "custom": {"name": "g"}})
    assert (custom.function, custom.custom) == (None, {"name": "g"})
    part = ChatCompletionDeltaToolCall(index=1, function={"arguments": "{"})
    assert (part.id, part.type, part.function.arguments) == (None, None, "{")
    unnumbered = Delta(tool_calls=[{"function": {"name": "a"}}, {"function": {"name": "b"}, "index": None}])
    assert [call.index for call in unnumbered.tool_calls] == [0, 1]


def test_finish_reasons_are_translated_and_the_vendor_s_is_kept():
    made = model_response({"choices": [{"message": {}, "finish_reason": "end_turn"}]})
    assert made.choices[0].finish_reason == "stop"
    assert made.choices[0].provider_specific_fields == {"native_finish_reason": "end_turn"}
    chunk = stream_chunk({"choices": [{"delta": {}, "finish_reason": "max_tokens"}]})
    assert chunk.choices[0].finish_reason == "length"
    assert Choices(finish_reason="content_filtered").finish_reason == "content_filter"
    assert Choices().provider_specific_fields is None
    assert map_finish_reason("tool_use") == "tool_calls"
    assert map_finish_reason("novel") == "novel"


def test_usage_of_a_chunk_reads_as_none_and_is_absent_until_set():
    chunk = stream_chunk({"id": "1", "choices": [], "usage": None})
    assert chunk.usage is None
    assert "usage" not in chunk
    assert "usage" not in chunk.model_dump()
    chunk.usage = Usage(prompt_tokens=1)
    assert chunk["usage"].prompt_tokens == chunk.model_extra["usage"].prompt_tokens == 1
    assert chunk.model_dump()["usage"]["prompt_tokens"] == 1
    del chunk.usage
    assert chunk.usage is None
    last = stream_chunk({"id": "1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}})
    assert last.usage.total_tokens == 7


def test_embeddings():
    made = embedding_response(
        {
            "model": "m",
            "data": [{"embedding": [0.1, 0.2], "index": 0}],
            "usage": {"prompt_tokens": 5, "total_tokens": 5},
        }
    )
    assert made.data[0].embedding == made["data"][0]["embedding"] == [0.1, 0.2]
    assert (made.data[0].object, made.object, made.usage.completion_tokens) == ("embedding", "list", 0)
    assert embedding_response({"data": [{"embedding": "AAAA"}]}).data[0].embedding == "AAAA"
    assert EmbeddingResponse(model="m", data=[Embedding(embedding=[1.0], index=0)]).data[0].embedding == [1.0]


def test_text_completions():
    made = text_completion_response(
        {"id": "cmpl-1", "choices": [{"text": "hi", "index": 0, "finish_reason": "length",
                                      "logprobs": {"tokens": ["hi"], "token_logprobs": [-1.0]}}]}
    )  # fmt: skip
    assert (made.choices[0].text, made.choices[0].finish_reason, made.object) == ("hi", "length", "text_completion")
    assert made.choices[0].logprobs.tokens == ["hi"]
    assert made.usage is None
    assert TextCompletionResponse(choices=[TextChoices(text="x")]).id.startswith("cmpl-")


def test_images_transcriptions_and_rankings():
    image = ImageResponse(created=1, data=[ImageObject(url="u"), {"b64_json": "AA=="}])
    assert (image.data[0].url, image.data[1]["b64_json"], image.usage) == ("u", "AA==", None)
    spoken = TranscriptionResponse("hello", language="en")
    assert (spoken.text, spoken.language, spoken["text"]) == ("hello", "en", "hello")
    ranked = RerankResponse(id="r", results=[{"index": 1, "relevance_score": 0.5, "document": {"text": "t"}}], meta={})
    assert (ranked.results[0].index, ranked.results[0]["relevance_score"]) == (1, 0.5)
    assert ranked.results[0].document == {"text": "t"}


@pytest.mark.parametrize(
    "wire",
    [
        {},
        {"choices": None},
        {"choices": "x"},
        {"choices": {}},
        {"choices": [None, 1, "x", {}]},
        {"choices": [{"message": None, "delta": None}]},
        {"choices": [{"message": "text", "delta": 1, "finish_reason": ["x"], "logprobs": 3}]},
        {"choices": [{"message": {"content": [{"type": "text"}], "tool_calls": "x", "function_call": 1, "audio": 2}}]},
        {"choices": [{"message": {"tool_calls": [{"function": None}, None, {"type": "x"}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"function": "f"}, 1], "reasoning": {"a": 1}, "audio": []}}]},
        {"usage": []},
        {"usage": "x"},
        {"usage": {"prompt_tokens": None, "completion_tokens_details": 5}},
        {"usage": {"prompt_tokens": "x", "prompt_cache_hit_tokens": "y", "server_tool_use": 1}},
        {"choices": [{"message": {"refusal": "no", "provider_specific_fields": 5}, "finish_reason": "end_turn"}]},
        {"choices": [{"delta": {"refusal": "no", "provider_specific_fields": 5}, "provider_specific_fields": 1}]},
        {"choices": [{"finish_reason": "end_turn", "provider_specific_fields": 1}]},
        {"created": 1e300},
        {"id": 5, "created": "now", "model": None, "object": None},
        {"created": 1.5},
        {"keys": 1, "json": 2, "model_dump": 3, "_hidden_params": 4, "self": 5, "": 6},
    ],
)
def test_odd_shapes_are_answers_too(wire):
    for make in (model_response, stream_chunk, text_completion_response, embedding_response):
        made = make(copy.deepcopy(wire))
        assert isinstance(made.model_dump(), dict)
        assert json.loads(made.model_dump_json()) == made.model_dump()
        assert pickle.loads(pickle.dumps(made)) == made
    assert model_response({"choices": None}).choices == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**40) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "choices", "message", "delta", "content", "tool_calls", "function", "arguments", "usage", "data",
                 "finish_reason", "logprobs", "index", "prompt_tokens_details", "reasoning", "refusal", "audio", "text",
                 "provider_specific_fields", "created", "prompt_tokens", "reasoning_tokens", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["id", "created", "model", "choices", "usage", "data", "x"]), JSON))
def test_no_json_object_makes_a_constructor_fail(wire):
    for make in (model_response, stream_chunk, text_completion_response, embedding_response):
        make(copy.deepcopy(wire)).model_dump_json()
