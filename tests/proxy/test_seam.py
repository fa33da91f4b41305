"""What has gone out of a stream, and how another is made part of it."""

from typing import Any

import orjson
import pytest

from litellm import exceptions as e
from litellm.catalog import prefixes
from litellm.proxy.seam import Beginning, Seam, beginning, continuable, marked, prefixed
from litellm.proxy.splice import DONE
from litellm.types.calls import Json

HI: Json = {"role": "user", "content": "hi"}


def event(delta: Json, finish: str | None = None, **more: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: %b\n\n" % orjson.dumps({"id": "one", "created": 7, "model": "m", "choices": choices, **more})


def chunks(events: bytes) -> list[Json]:
    return [
        orjson.loads(block.removeprefix(b"data: ")) for block in events.split(b"\n\n") if block.startswith(b"data: {")
    ]


@pytest.mark.parametrize(
    ("params", "may"),
    [
        ({}, True),
        ({"n": 1, "response_format": {"type": "text"}}, True),
        ({"n": 2}, False),
        ({"response_format": {"type": "json_object"}}, False),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, False),
    ],
)
def test_what_may_be_continued(params: Json, may: bool) -> None:
    assert continuable(params) is may


def test_a_beginning_is_its_text_and_its_identity() -> None:
    pieces = [
        event({"role": "assistant", "content": ""}),
        b": hello\n\n",
        event({"content": "a"}),
        event({"content": "b"}),
    ]
    assert beginning(pieces) == Beginning("ab", {"id": "one", "created": 7, "model": "m"})
    assert beginning([]) == Beginning("", {})


@pytest.mark.parametrize(
    "last",
    [
        event({}, "stop"),
        event({"tool_calls": [{"index": 0}]}),
        event({"function_call": {"name": "f"}}),
        event({"content": "b"}).replace(b'"index":0', b'"index":1'),
    ],
)
def test_an_answer_that_is_complete_or_more_than_text_is_no_beginning(last: bytes) -> None:
    assert beginning([event({"content": "a"}), last]) is None


def test_the_text_so_far_is_the_assistants_last_message() -> None:
    params = {"messages": [HI], "max_tokens": 10, "max_completion_tokens": 2, "temperature": 0}
    assert prefixed(params, "so far ", 4) == {
        "messages": [HI, {"role": "assistant", "content": "so far"}],
        "max_tokens": 6,
        "max_completion_tokens": 1,
        "temperature": 0,
    }
    assert params["messages"] == [HI]
    assert prefixed({"messages": [HI]}, " ", 1) == {"messages": [HI]}
    begun = {"role": "assistant", "content": "well, "}
    assert prefixed({"messages": [HI, begun]}, "so", 1) == {"messages": [HI, {**begun, "content": "well, so"}]}
    assert prefixed({"messages": [HI, {"role": "assistant", "content": None}]}, "so", 1) is None


def test_the_message_is_marked_as_the_provider_wants_it() -> None:
    begun: Json = {"role": "assistant", "content": "so far"}
    params: Json = {"messages": [HI, begun]}
    assert marked(params, prefixes.of("openai")) == (params, "")
    assert marked(params, prefixes.of("deepseek")) == ({"messages": [HI, {**begun, "prefix": True}]}, "")
    assert marked(params, prefixes.of("mistral")) == ({"messages": [HI, {**begun, "prefix": True}]}, "so far")
    more = {"continue_final_message": True, "add_generation_prompt": False}
    assert marked(params, prefixes.of("hosted_vllm")) == ({**params, **more}, "")
    assert marked({"messages": [HI]}, prefixes.of("hosted_vllm")) == ({"messages": [HI]}, "")
    assert params == {"messages": [HI, {"role": "assistant", "content": "so far"}]}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["so ", "far", ", good"], ", good"),
        (["so far, good"], ", good"),
        ([", good"], ", good"),  # it does not say it again
        (["so ", "good"], "so good"),  # this is something else
        (["s", "o", " ", "f", "ar"], ""),
    ],
)
def test_what_is_said_again_is_taken_off(said: list[str], told: str) -> None:
    seam = Seam(Beginning("so far", {}), {}, "so far")
    out = chunks(b"".join(seam.sewn(event({"content": text})) for text in said))
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in out) == told


def test_the_second_streams_events_become_the_firsts() -> None:
    seam = Seam(
        Beginning("a ", {"id": "one", "created": 7, "model": "m"}), {"prompt_tokens": 5, "completion_tokens": 2}
    )
    other = {"id": "two", "created": 8}
    out = seam.sewn(
        event({"role": "assistant", "content": ""}, **other)
        + event({"content": " "}, **other)
        + event({"content": " b"}, **other)
        + event(
            {"content": " c"}, "stop", **other, usage={"prompt_tokens": 6, "completion_tokens": 3, "total_tokens": 9}
        )
        + DONE
    )
    told = chunks(out)
    assert out.endswith(DONE)
    assert {(chunk["id"], chunk["created"]) for chunk in told} == {("one", 7)}
    deltas: list[Json] = [chunk["choices"][0]["delta"] for chunk in told]
    assert [delta["content"] for delta in deltas] == ["", "b", " c"]
    assert not any("role" in delta for delta in deltas)
    assert told[-1]["usage"] == {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}


def test_after_a_stream_without_a_chunk_the_second_is_itself() -> None:
    role = event({"role": "assistant", "content": ""})
    assert chunks(Seam(Beginning("", {}), {}).sewn(role)) == chunks(role)


def test_what_cannot_be_written_is_an_error() -> None:
    deep = b"[" * 300 + b"]" * 300
    with pytest.raises(e.APIResponseValidationError):
        Seam(Beginning("", {}), {}).sewn(b'data: {"choices":[],"x":%b}\n\n' % deep)
