"""`stream_chunk_builder`: the sum of a stream's chunks."""

import base64
import copy
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import litellm
from litellm.types.utils import ModelResponse, TextCompletionResponse, stream_chunk, text_completion_response


def event(*deltas: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk; the deltas are those of choices 0, 1, ..."""
    choices = [{"index": i, "delta": delta, "finish_reason": finish} for i, delta in enumerate(deltas)]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 5,
        "model": "m",
        "choices": choices,
    } | more


def build(*events: dict[str, Any], **options: Any) -> Any:
    """The answer; it must be the same made of dicts and made of objects."""
    of_objects = litellm.stream_chunk_builder([stream_chunk(copy.deepcopy(item)) for item in events], **options)
    of_dicts = litellm.stream_chunk_builder(list(events), **options)
    if isinstance(of_objects, ModelResponse):
        ids = [[call.id for call in choice.message.tool_calls or ()] for choice in of_objects.choices]
        assert ids == [[call.id for call in choice.message.tool_calls or ()] for choice in of_dicts.choices]
    assert of_dicts == of_objects
    return of_objects


def test_content_and_what_surrounds_it():
    made = build(
        event({"role": "assistant", "content": ""}, system_fingerprint="fp"),
        event({"content": "Hel"}, service_tier="default"),
        event({"content": "lo"}),
        event({}, finish="stop"),
    )
    assert type(made) is ModelResponse
    assert (made.id, made.created, made.model, made.object) == ("chatcmpl-1", 5, "m", "chat.completion")
    assert (made.system_fingerprint, made.service_tier, made.usage) == ("fp", "default", None)
    choice = made.choices[0]
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "Hello", "stop")
    assert choice.message.tool_calls is None
    assert not hasattr(choice.message, "reasoning_content")


def test_no_chunks():
    assert litellm.stream_chunk_builder([]) is None
    assert litellm.stream_chunk_builder([None, "x"]) is None


def test_tool_calls_go_by_index():
    def part(index: int, text: str, **more: Any) -> dict[str, Any]:
        return {
            "index": index,
            "function": {"arguments": text, **({"name": more.pop("name")} if "name" in more else {})},
        } | more

    made = build(
        event({"role": "assistant", "content": None, "tool_calls": [part(0, "", id="a", type="function", name="f")]}),
        event({"tool_calls": [part(0, '{"x"')]}),
        event({"tool_calls": [part(1, "", id="b", type="function", name="g"), part(0, ":1}")]}),
        event({"tool_calls": [part(1, "{}")]}),
        event({}, finish="tool_calls"),
    )
    calls = made.choices[0].message.tool_calls
    assert [(call.id, call.type, call.function.name, call.function.arguments) for call in calls] == [
        ("a", "function", "f", '{"x":1}'),
        ("b", "function", "g", "{}"),
    ]
    assert made.choices[0].message.content is None
    assert made.choices[0].finish_reason == "tool_calls"


def test_another_id_under_the_same_index_is_another_call():
    def whole(name: str) -> dict[str, Any]:
        return {"index": 0, "id": name, "type": "function", "function": {"name": name, "arguments": "{}"}}

    made = build(
        event({"tool_calls": [whole("a")]}), event({"tool_calls": [whole("b")]}), event({}, finish="tool_calls")
    )
    assert [call.id for call in made.choices[0].message.tool_calls] == ["a", "b"]


def test_function_call():
    made = build(
        event({"function_call": {"name": "f", "arguments": ""}}),
        event({"function_call": {"arguments": '{"a"'}}),
        event({"function_call": {"arguments": ":1}"}}),
        event({}, finish="function_call"),
    )
    called = made.choices[0].message.function_call
    assert (called.name, called.arguments) == ("f", '{"a":1}')


def test_several_choices():
    made = build(
        event({"content": "a"}, {"content": "x"}),
        event({"content": "b"}, {"content": "y"}),
        {**event(), "choices": [{"index": 1, "delta": {}, "finish_reason": "length"}]},
        {**event(), "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    )
    assert [(choice.index, choice.message.content, choice.finish_reason) for choice in made.choices] == [
        (0, "ab", "stop"),
        (1, "xy", "length"),
    ]


def test_reasoning_thinking_refusal_annotations_images():
    note = {"type": "url_citation", "url_citation": {"url": "u"}}
    made = build(
        event({"reasoning_content": "a", "thinking_blocks": [{"type": "thinking", "thinking": "a"}]}),
        event({"reasoning": "b", "thinking_blocks": [{"type": "thinking", "thinking": "b"}]}),
        event({"thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "s"}]}),
        event({"thinking_blocks": [{"type": "redacted_thinking", "data": "d"}, {"type": "thinking", "thinking": "c"}]}),
        event({"refusal": "I "}),
        event({"refusal": "can't", "annotations": [note], "images": [{"n": 1}]}),
        event({"annotations": [note], "images": [{"n": 2}], "vendor": "x"}, finish="stop"),
    )
    message = made.choices[0].message
    assert message.reasoning_content == "ab"
    assert message.thinking_blocks == [
        {"type": "thinking", "thinking": "ab", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "thinking", "thinking": "c"},
    ]
    assert message.refusal == "I can't"
    assert message.annotations == [note, note]
    assert message.images == [{"n": 1}, {"n": 2}]
    assert message.vendor == "x"


def test_audio_pieces_are_each_padded():
    pieces = [base64.b64encode(piece).decode() for piece in (b"a", b"bc", b"def")]
    made = build(
        event({"audio": {"id": "audio_1", "data": pieces[0], "transcript": "He"}}),
        event({"audio": {"data": pieces[1], "transcript": "y"}}),
        event({"audio": {"data": pieces[2], "expires_at": 9}}, finish="stop"),
    )
    audio = made.choices[0].message.audio
    assert base64.b64decode(audio.data) == b"abcdef"
    assert (audio.id, audio.transcript, audio.expires_at) == ("audio_1", "Hey", 9)


def test_logprobs_are_put_end_to_end():
    def said(token: str) -> dict[str, Any]:
        choice = {"index": 0, "delta": {"content": token}, "logprobs": {"content": [{"token": token, "logprob": -1.0}]}}
        return {**event(), "choices": [choice]}

    made = build(said("a"), said("b"), event({}, finish="stop"))
    assert [item.token for item in made.choices[0].logprobs.content] == ["a", "b"]
    assert made.choices[0].finish_reason == "stop"


def test_the_last_usage_counts():
    made = build(
        event({"content": "a"}, usage={"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}),
        event({}, finish="stop", usage={"prompt_tokens": 1, "completion_tokens": 5, "total_tokens": 6}),
        event(),
        messages=[{"role": "user", "content": "not counted: the endpoint did"}],
    )
    assert made.usage.total_tokens == 6


def test_usage_is_estimated_only_for_given_messages():
    events = [event({"content": "one two three"}), event({}, finish="stop")]
    assert build(*events).usage is None
    usage = build(*events, messages=[{"role": "user", "content": "hi"}]).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (8, 4, 12)


def test_native_finish_reason_and_own_fields_survive():
    made = build(
        event({"content": "a", "provider_specific_fields": {"k": 1}}),
        event({}, finish="end_turn"),
    )
    assert made.choices[0].finish_reason == "stop"
    assert made.choices[0].provider_specific_fields == {"native_finish_reason": "end_turn"}
    assert made.choices[0].message.provider_specific_fields == {"k": 1}


def test_text_completions():
    wires = [
        {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m",
         "choices": [{"index": 0, "text": text, "finish_reason": finish,
                      "logprobs": {"tokens": [text], "token_logprobs": [-1.0]}}]}
        for text, finish in (("a", None), ("b", "stop"))
    ]  # fmt: skip
    for chunks in (wires, [text_completion_response(wire) for wire in wires]):
        made = litellm.stream_chunk_builder(chunks, messages=[])
        assert type(made) is TextCompletionResponse
        assert (made.choices[0].text, made.choices[0].finish_reason, made.id) == ("ab", "stop", "cmpl-1")
        assert made.choices[0].logprobs.tokens == ["a", "b"]
        assert made.usage.completion_tokens == 1


def test_chunks_that_users_make():
    chunk = ModelResponse(id="1", stream=True, choices=[{"delta": {"content": "x"}}])
    assert litellm.stream_chunk_builder([chunk, chunk]).choices[0].message.content == "xx"


def test_times_and_hidden_params():
    chunk = stream_chunk(event({"content": "a"}))
    chunk._hidden_params["model_id"] = "d1"
    start = datetime(2026, 1, 1)
    made = litellm.stream_chunk_builder([chunk], start_time=start, end_time=start + timedelta(seconds=2))
    assert made._response_ms == 2000.0
    assert made._hidden_params == {"model_id": "d1"}
    assert litellm.stream_chunk_builder([chunk], start_time=1.0, end_time=1.5)._response_ms == 500.0
    assert litellm.stream_chunk_builder([chunk])._response_ms is None


VALUE = st.none() | st.integers(0, 3) | st.text(max_size=3) | st.lists(st.just({"type": "thinking"}), max_size=1)
NAMES = st.sampled_from(
    ["content", "role", "tool_calls", "function_call", "audio", "refusal", "annotations", "thinking_blocks", "images",
     "reasoning", "reasoning_content", "provider_specific_fields", "x"]
)  # fmt: skip
CHOICE = st.fixed_dictionaries(
    {"index": VALUE, "delta": st.dictionaries(NAMES, VALUE), "finish_reason": VALUE, "logprobs": VALUE}
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.fixed_dictionaries({"choices": st.lists(CHOICE, max_size=2), "usage": VALUE}), max_size=3))
def test_no_stream_makes_it_fail(events: list[dict[str, Any]]):
    made = litellm.stream_chunk_builder(events, messages=[])
    assert (made is None) == (not events)
