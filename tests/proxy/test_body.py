"""What a request may say, how, and what is said of it otherwise."""

import time
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm.proxy import body
from litellm.proxy.body import MAX_DEPTH, MAX_FORGIVEN, parse
from litellm.proxy.errors import ProxyError
from litellm.types.calls import Ask, Json, Op

MESSAGES = [{"role": "user", "content": "hi"}]
CHAT: dict[str, Any] = {"model": "m", "messages": MESSAGES}


class Seen(NamedTuple):
    ask: Ask
    ours: Json
    usage_wanted: bool


def read(wire: Any, op: Op = "chat", model: str | None = None, default: str | None = None) -> Seen:
    raw = wire if isinstance(wire, bytes) else orjson.dumps(wire)
    return Seen(*body.read(op, raw, "/chat/completions", model, default, "call-1"))


def refused(wire: Any, op: Op = "chat") -> ProxyError:
    with pytest.raises(ProxyError) as caught:
        read(wire, op)
    assert caught.value.status_code == 400 and caught.value.type == "invalid_request_error"
    return caught.value


# JSON

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
blanks = st.sampled_from(["", " ", "\n", "\t \r\n"])


def with_commas(value: Any, draw: Any) -> str:
    """JSON as people write it: blanks anywhere, and a comma after the last item."""
    comma = "," if draw(st.booleans()) else ""
    gap = draw(blanks)
    if isinstance(value, dict) and value:
        items = [f"{orjson.dumps(k).decode()}{gap}:{gap}{with_commas(v, draw)}" for k, v in value.items()]
        return "{" + gap + f"{gap},{gap}".join(items) + gap + comma + draw(blanks) + "}"
    if isinstance(value, list) and value:
        return "[" + gap + f"{gap},".join(with_commas(v, draw) for v in value) + gap + comma + draw(blanks) + "]"
    return orjson.dumps(value).decode()


@given(st.dictionaries(st.sampled_from(["a", ",]", '"', ",}", "\\"]), values, min_size=1, max_size=4), st.data())
def test_trailing_commas_are_forgiven_and_change_nothing_else(value: dict[str, Any], data: st.DataObject) -> None:
    assert parse(with_commas(value, data.draw).encode()) == value


DOCUMENTED = b"""{
    "model": "my-model",
    "messages": [
        {
        "role": "user",
        "content": "what llm are you"
        }
    ],
}"""


def test_the_documented_command_is_understood() -> None:
    ask = read(DOCUMENTED).ask
    assert (ask.model, ask.params) == ("my-model", {"messages": [{"role": "user", "content": "what llm are you"}]})


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (b"", "line 1"),
        (b"{", "line 1 column 2"),
        (b"nonsense", "line 1 column 1"),
        (b'{"a": }', "line 1 column 7"),
        (b'{\n  "a": 1,\n  "b": x,\n}', "line 3 column 8"),
        (b'{"a": [1,,2]}', "line 1 column 10"),
        (b'{"a": [,]}', "line 1 column 8"),
        (b"{,}", "line 1 column 2"),
        (b'{"a": 1,,}', "line 1"),
        (b'{"a": NaN}', "line 1 column 7"),
        (b"{'a': 1}", "line 1 column 2"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": "\\ud800"}', "line 1"),
        (b'\xef\xbb\xbf{"a": 1}', "line 1 column 1"),
        (b'{"a": 1} {"b": 2}', "line 1 column 10"),
        (b'"unfinished', "line 1"),
        (b"[" * 2000, ""),
        (b"[1]", "expected an object"),
        (b"null", "expected an object"),
        (b'"text"', "expected an object"),
    ],
)
def test_malformed_json_is_refused_and_said_where(text: bytes, where: str) -> None:
    error = refused(text)
    assert error.param == "request_body" and error.message.startswith("Invalid JSON payload: ")
    assert where in error.message


def test_repairing_takes_time_in_proportion() -> None:
    """Once each of the escapes was taken for the start of a string that runs to the end."""
    for text in (
        b'{"a": "' + b'\\"' * (MAX_FORGIVEN // 2 - 10),
        b'{"a"' + b", " * 400_000,
        b'{"a": [' + b" " * 900_000,
    ):
        started = time.perf_counter()
        refused(text)
        assert time.perf_counter() - started < 3


def test_more_than_people_write_is_not_repaired() -> None:
    filler = b'"' + b"x" * MAX_FORGIVEN + b'"'
    assert parse(b'{"a": %b}' % filler)["a"]
    assert refused(b'{"a": %b,}' % filler)


def nested(levels: int) -> dict[str, Any]:
    value: Any = "deep"
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value if isinstance(value, dict) else {"k": value}


def test_depth_has_a_limit() -> None:
    assert read({**CHAT, "x": nested(MAX_DEPTH - 2)}).ask.params["x"]
    error = refused({**CHAT, "x": nested(MAX_DEPTH + 1)})
    assert f"more than {MAX_DEPTH} levels" in error.message and error.param == "request_body"
    assert read({**CHAT, "x": [[1]] * 500}).ask.params["x"], "many brackets are not depth"


# Fields


@pytest.mark.parametrize(
    ("op", "wire", "param"),
    [
        ("chat", {"model": "m"}, "messages"),
        ("chat", {"model": "m", "messages": None}, "messages"),
        ("chat", {"model": "m", "messages": []}, "messages"),
        ("chat", {"model": "m", "messages": "hi"}, "messages"),
        ("chat", {"model": "m", "messages": {"role": "user"}}, "messages"),
        ("chat", {"model": "m", "messages": [MESSAGES[0], "hi"]}, "messages[1]"),
        ("chat", {**CHAT, "stream": "yes"}, "stream"),
        ("chat", {**CHAT, "stream": 1}, "stream"),
        ("chat", {**CHAT, "stream": True, "stream_options": "usage"}, "stream_options"),
        ("chat", {**CHAT, "extra_body": [1]}, "extra_body"),
        ("chat", {**CHAT, "mock_response": 5}, "mock_response"),
        ("chat", {**CHAT, "mock_response": [1]}, "mock_response"),
        ("chat", {**CHAT, "mock_tool_calls": {"a": 1}}, "mock_tool_calls"),
        ("chat", {**CHAT, "mock_tool_calls": [1]}, "mock_tool_calls"),
        ("completion", {"model": "m"}, "prompt"),
        ("completion", {"model": "m", "prompt": {"a": 1}}, "prompt"),
        ("embedding", {"model": "m"}, "input"),
        ("embedding", {"model": "m", "input": 5}, "input"),
        ("chat", {"messages": MESSAGES}, "model"),
        ("chat", {**CHAT, "model": 5}, "model"),
        ("chat", {**CHAT, "model": ["m"]}, "model"),
        ("chat", {**CHAT, "model": ""}, "model"),
    ],
)
def test_a_wrong_field_is_named(op: Op, wire: dict[str, Any], param: str) -> None:
    error = refused(wire, op)
    assert error.param == param
    assert param.partition("[")[0] in error.message


def test_messages_of_a_contract_that_clients_match() -> None:
    assert refused({"model": "m"}).message == "/chat/completions: Missing required parameter: 'messages'."
    assert refused({"messages": MESSAGES}).message == (
        "/chat/completions: Invalid model name passed in model=None. Call `/v1/models` to view available models for "
        "your key."
    )


def test_an_error_repeats_little_of_what_it_was_sent() -> None:
    assert len(refused({**CHAT, "model": ["x" * 10_000]}).message) < 1000


def test_the_address_names_the_model_before_the_body_and_the_body_before_the_default() -> None:
    assert read(CHAT, model="path").ask.model == "path"
    assert read(CHAT, default="default").ask.model == "m"
    assert read({"messages": MESSAGES}, default="default").ask.model == "default"
    assert "model" not in read(CHAT, model="path").ask.params


def test_what_nobody_knows_goes_to_the_endpoint() -> None:
    odd = {"user": "u", "reasoning_effort": "low", "top_k": 5, "x": {"y": [1]}, "extra_query": {}, "nothing": None}
    seen = read({**CHAT, **odd})
    assert seen.ask.params == {"messages": MESSAGES, **odd} and seen.ours == {}


@pytest.mark.parametrize("name", ["api_base", "num_retries", "metadata", "tags", "caching", "aws_secret", "vertex_x"])
def test_what_is_ours_is_never_sent(name: str) -> None:
    seen = read({**CHAT, name: "x"})
    assert seen.ours == {name: "x"} and name not in seen.ask.params


def test_extra_body_is_what_it_holds() -> None:
    seen = read({**CHAT, "extra_body": {"top_k": 5, "api_base": "http://x", "metadata": {"a": "b"}}})
    assert seen.ask.params == {"messages": MESSAGES, "top_k": 5, "metadata": {"a": "b"}}
    assert seen.ours["api_base"] == "http://x", "no way around what is forbidden"
    assert refused({**CHAT, "extra_body": {"messages": "no"}}).param == "messages"


@pytest.mark.parametrize(
    ("options", "wanted"),
    [(None, False), ({}, False), ({"include_usage": False}, False), ({"include_usage": True}, True), ({"x": 1}, False)],
)
def test_usage_is_always_asked_of_the_endpoint(options: Any, wanted: bool) -> None:
    seen = read({**CHAT, "stream": True, "stream_options": options})
    assert seen.ask.stream and seen.usage_wanted == wanted
    assert seen.ask.params["stream_options"] == {**(options or {}), "include_usage": True}


def test_stream_options_without_a_stream_are_the_callers_affair() -> None:
    seen = read({**CHAT, "stream": False, "stream_options": 5})
    assert not seen.ask.stream and seen.ask.params["stream_options"] == 5


def test_embeddings_are_floats_unless_asked_otherwise() -> None:
    wire = {"model": "m", "input": ["a"]}
    assert read(wire, "embedding").ask.params["encoding_format"] == "float"
    assert read({**wire, "encoding_format": "base64"}, "embedding").ask.params["encoding_format"] == "base64"
    assert "encoding_format" not in read(CHAT).ask.params


def test_a_mock_is_brought_along() -> None:
    assert read({**CHAT, "mock_response": "hello"}).ask.mock == "hello"
    calls = [{"id": "call_1"}]
    ask = read({**CHAT, "mock_tool_calls": calls}).ask
    assert (ask.mock, ask.mock_tool_calls) == ("", calls)
    assert read({"model": "m", "input": "a", "mock_response": [0.5]}, "embedding").ask.mock == [0.5]
    assert read(CHAT).ask.mock is None
