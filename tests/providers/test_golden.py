"""Golden cases: JSON files of `{ask, http_request, http_response, reply | error | chunks}`, one runner for all.

`ask`           {provider, op, model, params, stream, target: further fields of a Target}
`http_request`  {url, headers (those named are compared), body}; left out where the case is about the answer alone
`http_response` {status, headers, json | text | events | raw}: `events` are SSE data, JSON or text, a list is one each
`reply`         the wire JSON that comes out; `chunks` likewise, of a stream; `error` {class, status, message, code}

Every stream is replayed cut at 1, 7 and 4,096 bytes.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from litellm import exceptions
from litellm.exceptions import LiteLLMError
from litellm.providers import compatible, openai
from litellm.types.calls import Call, Json, Target
from litellm.types.http import HttpResponse

FOLDER = Path(__file__).parent / "golden"
CASES = {
    f"{file.stem}: {case['name']}": case
    for file in sorted(FOLDER.glob("*.json"))
    for case in json.loads(file.read_text())
}
SIZES = (1, 7, 4096)


def call_of(ask: Json) -> Call:
    fields: Json = {"base_url": "http://host/v1", "api_key": "sk-1", **ask.get("target", {})}
    for name in ("additional_drop_params", "headers"):
        if name in fields:
            fields[name] = tuple(tuple(item) if isinstance(item, list) else item for item in fields[name])
    fields["allowed_openai_params"] = frozenset(fields.get("allowed_openai_params", ()))
    target = Target(ask.get("provider", "openai"), ask.get("model", "m"), **fields)
    return Call(ask.get("op", "chat"), target, ask.get("params", {}), ask.get("stream", False))


def body_of(response: Json) -> bytes:
    if "json" in response:
        return json.dumps(response["json"]).encode()
    if "events" in response:
        texts = (event if isinstance(event, str) else json.dumps(event) for event in response["events"])
        return "".join(f"data: {text}\n\n" for text in texts).encode()
    return (response.get("raw") or response.get("text") or "").encode()


def assert_error(error: LiteLLMError | None, expected: Json) -> None:
    assert type(error) is getattr(exceptions, expected["class"]), repr(error)
    assert error.status_code == expected.get("status", type(error).status_code)
    assert expected["message"] in error.message
    assert len(error.message) < 750
    for name in ("code", "type", "param", "retry_after", "retryable"):
        if name in expected:
            assert getattr(error, name) == expected[name]


def stream_of(call: Call, body: bytes, size: int) -> tuple[list[Json], LiteLLMError | None]:
    provider = compatible.provider_of(call.target.provider)
    operation = provider.operations[call.op]
    assert operation.stream is not None
    decoder = operation.stream(provider, call)
    chunks: list[Json] = []
    for start in range(0, len(body), size):
        chunks += decoder.feed(body[start : start + size])
    chunks += decoder.end()
    return chunks, decoder.error


@pytest.mark.parametrize("case", [pytest.param(c, id=n) for n, c in CASES.items() if "http_request" in c])
def test_request(case: Json) -> None:
    call = call_of(case["ask"])
    provider = compatible.provider_of(call.target.provider)
    before = json.dumps(call.params)
    request = provider.operations[call.op].request(provider, call)
    expected = case["http_request"]
    assert (request.method, str(request.url)) == ("POST", expected["url"])
    for name, value in expected.get("headers", {}).items():
        assert request.headers.get(name) == value
    assert json.loads(request.body) == expected["body"]  # type: ignore[arg-type]
    assert json.dumps(call.params) == before, "translating changes nothing it was given"


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=n) for n, c in CASES.items() if "http_response" in c and not c["ask"].get("stream")]
)
def test_response(case: Json) -> None:
    call = call_of(case["ask"])
    provider = compatible.provider_of(call.target.provider)
    given = case["http_response"]
    headers = [(name.encode(), value.encode()) for name, value in given.get("headers", {}).items()]
    response = HttpResponse(given.get("status", 200), headers, body_of(given))
    if "reply" in case:
        assert provider.operations[call.op].response(provider, call, response) == case["reply"]
        return
    with pytest.raises(LiteLLMError) as caught:
        provider.operations[call.op].response(provider, call, response)
    assert_error(caught.value, case["error"])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", [pytest.param(c, id=n) for n, c in CASES.items() if c["ask"].get("stream")])
def test_stream(case: Json, size: int) -> None:
    chunks, error = stream_of(call_of(case["ask"]), body_of(case["http_response"]), size)
    assert chunks == case["chunks"]
    if "error" in case:
        assert_error(error, case["error"])
    else:
        assert error is None


def test_there_are_cases_of_every_kind() -> None:
    for kind in ("http_request", "reply", "error", "chunks"):
        assert sum(kind in case for case in CASES.values()) >= 3
    assert {case["ask"].get("op", "chat") for case in CASES.values()} == set(openai.OPERATIONS)


def test_requests_are_made_anew_but_their_headers_once() -> None:
    call = call_of({})
    provider = compatible.provider_of("openai")
    first = openai.request(provider, call)
    second = openai.request(provider, call)
    assert first is not second
    assert first.url is second.url and first.headers is second.headers


def test_a_decoder_says_when_nothing_follows() -> None:
    provider = compatible.provider_of("openai")
    decoder = openai.ChunkDecoder(provider, call_of({"stream": True}))
    assert not decoder.complete
    decoder.feed(b'data: {"choices":[{"index":0},{"index":1}]}\n\n')
    decoder.feed(b'data: {"choices":[{"index":0,"finish_reason":"stop"}]}\n\n')
    assert not decoder.complete, "the other choice goes on"
    decoder.feed(b'data: {"choices":[{"index":1,"finish_reason":"stop"}]}\n\n')
    assert decoder.complete and not decoder.done
    decoder.feed(b"data: [DONE]\n\n")
    assert decoder.done
    assert decoder.feed(b"data: {oh no\n\n") == []
    assert decoder.error is None


@pytest.mark.parametrize("value", [2**70, b"x", object(), "\ud800"])
def test_what_json_cannot_say_is_a_bad_request(value: Any) -> None:
    with pytest.raises(exceptions.BadRequestError):
        openai.request(compatible.provider_of("openai"), call_of({"params": {"x": value}}))


def test_depth_is_bounded() -> None:
    deep: Any = []
    for _ in range(2000):
        deep = [deep]
    with pytest.raises(exceptions.BadRequestError):
        openai.request(compatible.provider_of("openai"), call_of({"params": {"x": deep}}))
