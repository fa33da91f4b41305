"""The gateway against every misbehaviour of an upstream: the right status, in time, with nothing left over.

Each row is one model name of the tests' upstream (`support/behaviours.py`). After every one the gateway has to answer a
healthy call, and neither a connection nor a descriptor may be left; after all of them, twice, no memory either.
"""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support import behaviours
from support.asking import TEXT, assert_error, chat, chunks_of, client, error_of, said, text_of
from support.gateway import Gateway, Usage, settled, upstream_config
from support.ports import free_port
from support.tls import TestTls
from support.upstream import UpstreamThread, wait_until

pytestmark = pytest.mark.slow

IMPATIENT = 0.6  # seconds: the timeout of the calls that have to run into it
SLACK = 20.0  # seconds that a slow machine may add to what was due at once

CONNECTION, TIMEOUT, INVALID = "api_connection_error", "timeout_error", "api_response_validation_error"

# Not streamed: the answer comes.
ANSWERED = [
    "ok", "tokens-100", "delay-200", "split-1", "split-7", "stream-slow-10", "tool-call", "gzip", "big",
    "informational", "body-longer", "answer-twice", "answer-unasked",
]  # fmt: skip
STREAMED = [
    *ANSWERED, "stream-split-1", "stream-split-4096", "stream-joined", "stream-crlf", "stream-comments",
    "stream-until-close", "stream-no-usage", "stream-usage-in-finish", "stream-no-done", "stream-silent-200",
]  # fmt: skip

# It does not: status and type.
BROKEN = {
    **dict.fromkeys(
        ["reset-before-headers", "close-before-headers", "close-mid-head", "not-http", "big-header", "many-headers",
         "switch-protocols", "bad-gzip", "gzip-bomb", "refused", "dns", "tls"],
        (500, CONNECTION),
    ),
    "redirect": (500, "api_error"),
    **{f"{kind}status-{code}": (code, None) for kind in ("", "text-", "empty-")
       for code in (400, 401, 403, 404, 408, 409, 413, 418, 422, 429, 500, 501, 502, 503, 504)},
    "retry-after-7": (429, "throttling_error"),
}  # fmt: skip
BROKEN_PLAIN = {
    **dict.fromkeys(["reset-mid-body", "close-mid-body", "body-shorter", "bad-chunk"], (500, CONNECTION)),
    "flood": (500, CONNECTION),  # larger than any answer may be
    **dict.fromkeys(["not-json", "json-not-object", "empty"], (500, INVALID)),
    "error-first-event": (500, INVALID),
}
BROKEN_STREAM = {
    "error-first-event": (500, "invalid_request_error"),  # its `code` is null: there is no status to be had
    "bad-json-first": (500, INVALID),
    "stream-empty": (500, CONNECTION),
    "not-json": (500, INVALID),
    "empty": (500, CONNECTION),
    "json-not-object": (500, INVALID),
}
SLOW = ["hang", "hang-mid-head"]
SLOW_PLAIN = ["hang-mid-body", "endless"]
SLOW_STREAM = ["hang-before-event", "endless-comments"]

# A stream that has begun: an error event, and no [DONE].
LATER = {
    **dict.fromkeys(["reset-mid-body", "close-mid-body", "body-shorter", "bad-chunk", "stream-unfinished"], CONNECTION),
    "bad-json-event": INVALID,
    "error-later-event": "server_error",
    "hang-mid-body": TIMEOUT,
}

# In tests of their own: bad days, streams that another deployment continues, the semantic cache.
ELSEWHERE_TESTED = {
    "key-revoked", "comments-later", "goes-on", "goes-on-spaced", "reset-mid-event", "tool-call-cut", "by-words",
    "stream-done-and-open",
}  # fmt: skip
ELSEWHERE = {"refused", "dns", "tls"}  # rows of the config, not of the upstream


@pytest.fixture(scope="module")
def gateway(
    shared_upstream: UpstreamThread, tls: TestTls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """In front of the upstream, and of three addresses where nobody answers as he should."""
    bases = {"refused": f"http://127.0.0.1:{free_port()}", "dns": "http://no-such-host.invalid"}
    with UpstreamThread(tls=tls.server) as untrusted:
        bases["tls"] = untrusted.base_url
        rows = "".join(
            f"  - model_name: {name}\n    litellm_params: {{model: openai/x, api_base: '{base}', api_key: k}}\n"
            for name, base in bases.items()
        )
        config = upstream_config(shared_upstream.base_url, settings="").replace("model_list:\n", f"model_list:\n{rows}")
        with Gateway(config, tmp_path_factory.mktemp("gateway")) as server:
            yield server


@pytest.fixture(scope="module")
def caller(gateway: Gateway) -> Iterator[httpx.Client]:
    with client(gateway) as caller:
        yield caller


@pytest.fixture(scope="module")
def before(gateway: Gateway, shared_upstream: UpstreamThread, caller: httpx.Client) -> Usage:
    """What the gateway holds with one idle connection on either side."""
    for _ in range(3):
        assert text_of(chat(caller, "ok")) == TEXT
    assert wait_until(lambda: gateway.get("/openapi.json")[0] == 200)
    assert wait_until(lambda: shared_upstream.open_connections <= 1)
    return gateway.usage()


@pytest.fixture(autouse=True)
def nothing_is_left(
    gateway: Gateway, shared_upstream: UpstreamThread, caller: httpx.Client, before: Usage
) -> Iterator[None]:
    yield
    assert text_of(chat(caller, "ok")) == TEXT, "it goes on serving"
    assert wait_until(lambda: shared_upstream.open_connections <= 1), "a connection to the upstream is left open"
    assert settled(gateway, before.fds), "a descriptor is left open"
    assert gateway.usage().threads <= before.threads + 4, "a thread for each lookup of a name"


def refused(answer: httpx.Response, status: int, kind: str | None) -> dict[str, Any]:
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert_error(error, status)
    if kind is not None:
        assert error["type"] == kind
    assert "sk-upstream" not in answer.text and "Traceback" not in answer.text
    assert len(error["message"]) < 1000, "the first 500 characters of what the upstream said, and our own words"
    return error


@pytest.mark.parametrize("model", ANSWERED)
def test_answers(caller: httpx.Client, model: str) -> None:
    answer = chat(caller, model)
    assert answer.status_code == 200
    wire = answer.json()
    assert wire["model"] == model and wire["x_vendor"] == {"region": "eu-1", "queue_ms": 3}
    content = wire["choices"][0]["message"]["content"]
    lengths = {"tokens-100": 590, "big": behaviours.BIG}
    assert len(content or "") == (0 if model == "tool-call" else lengths.get(model, len(TEXT)))


@pytest.mark.parametrize("model", STREAMED)
def test_streams(caller: httpx.Client, model: str) -> None:
    answer = chat(caller, model, stream=True)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    chunks = chunks_of(answer.text)
    assert {chunk["model"] for chunk in chunks} == {model}
    lengths = {"tokens-100": 590, "big": behaviours.BIG + len(TEXT), "tool-call": 0}
    assert len(said(chunks)) == lengths.get(model, len(TEXT))
    assert chunks[-1]["choices"][0]["finish_reason"] == ("tool_calls" if model == "tool-call" else "stop")


@pytest.mark.parametrize("model", BROKEN)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_failures_before_the_answer(caller: httpx.Client, model: str, stream: bool) -> None:
    answer = chat(caller, model, stream=stream, num_retries=0)
    refused(answer, *BROKEN[model])
    if model == "retry-after-7":
        assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize("model", BROKEN_PLAIN)
def test_failures_of_answers(caller: httpx.Client, model: str) -> None:
    refused(chat(caller, model, num_retries=0), *BROKEN_PLAIN[model])


@pytest.mark.parametrize("model", BROKEN_STREAM)
def test_failures_before_a_streams_first_event(caller: httpx.Client, model: str) -> None:
    refused(chat(caller, model, stream=True, num_retries=0), *BROKEN_STREAM[model])


@pytest.mark.parametrize(
    ("model", "stream"),
    [(model, stream) for model in SLOW for stream in (False, True)]
    + [(model, False) for model in SLOW_PLAIN]
    + [(model, True) for model in SLOW_STREAM],
)
def test_timeouts(caller: httpx.Client, model: str, stream: bool) -> None:
    started = time.monotonic()
    refused(chat(caller, model, stream=stream, num_retries=0, timeout=IMPATIENT), 408, TIMEOUT)
    assert IMPATIENT * 0.9 < time.monotonic() - started < IMPATIENT + SLACK


@pytest.mark.parametrize("model", LATER)
def test_failures_of_a_stream_that_has_begun(caller: httpx.Client, model: str) -> None:
    answer = chat(caller, model, stream=True, num_retries=0, timeout=IMPATIENT if model == "hang-mid-body" else 60)
    assert answer.status_code == 200
    assert error_of(answer.text)["type"] == LATER[model]
    assert '"content":" tok0"' in answer.text, "what had come before is passed on"


@pytest.mark.parametrize("model", ["endless", "flood", "endless-line"])
def test_streams_without_an_end_last_as_long_as_the_caller(
    gateway: Gateway, shared_upstream: UpstreamThread, model: str
) -> None:
    with (
        client(gateway) as caller,
        caller.stream(
            "POST", "/v1/chat/completions", json={"model": model, "stream": True, "messages": [{"role": "user"}]}
        ) as answer,
    ):
        if model == "endless-line":  # an event that does not end is none
            assert answer.status_code == 500
            refused(httpx.Response(500, headers=answer.headers, content=answer.read()), 500, INVALID)
            return
        pieces = answer.iter_raw()
        for _ in range(20):
            assert next(pieces)
    assert wait_until(lambda: shared_upstream.asked(model)[-1].disconnected)


def test_every_behaviour_stands_in_the_table() -> None:
    rows = {*STREAMED, *BROKEN, *BROKEN_PLAIN, *BROKEN_STREAM, *SLOW, *SLOW_PLAIN, *SLOW_STREAM, *LATER, "endless-line"}
    known = {row.rpartition("-")[0] if row.rpartition("-")[2].isdigit() else row for row in rows - ELSEWHERE}
    assert {*behaviours.BEHAVIOURS} - known <= ELSEWHERE_TESTED
    # Retries, bad days, streams that go on elsewhere and meaning have tests of their own.
    assert {*behaviours.NUMBERED} - known <= {"fail-first", "limit-first", "flaky", "hang-after"}


def test_memory_does_not_grow(gateway: Gateway, caller: httpx.Client) -> None:
    """After three rounds of everything that is nasty, seven more take no further memory. How much is resident after one
    goes up and down by 40 MB, with the large bodies that were read last: it is what is always there that may not grow.
    """
    nasty = [
        "big", "big-header", "many-headers", "gzip-bomb", "bad-gzip", "reset-mid-body", "close-mid-body", "not-http",
        "status-500", "text-status-502", "answer-twice", "error-later-event", "bad-json-event", "stream-unfinished",
    ]  # fmt: skip

    def round() -> int:
        for model in nasty:
            for stream in (False, True):
                chat(caller, model, stream=stream, num_retries=0)
        return gateway.usage().rss_kib

    for _ in range(3):
        round()
    before = min(round() for _ in range(3))
    after = min(round() for _ in range(4))
    assert after - before < 30_000, (before, after)


def test_nothing_was_logged_of_all_this(gateway: Gateway) -> None:
    assert "Traceback" not in gateway.log and "ERROR" not in gateway.log, gateway.log[-3000:]
