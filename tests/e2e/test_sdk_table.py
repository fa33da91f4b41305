"""The SDK against every misbehaviour of an upstream, sync and async: the right exception, in time, with nothing left.

Each row of the table is one model name of the tests' upstream (`support/behaviours.py`). After every one the SDK has to
answer a healthy call, and neither a connection, nor a task, nor a descriptor may be left over.
"""

import asyncio
import gc
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import litellm
from litellm.sdk import portal
from litellm.types.http import Timeouts
from support.ports import free_port
from support.tls import TestTls
from support.upstream import UpstreamThread, wait_until

MESSAGES = [{"role": "user", "content": "hi"}]
TEXT = " tok0 tok1 tok2 tok3 tok4"
IMPATIENT = 0.6  # seconds: the timeout of the calls that have to run into it
PATIENT = 60.0
SLACK = 20.0  # seconds that a slow machine may add to what was due at once

Run = Callable[..., "Outcome"]


@dataclass
class Outcome:
    """What came of a call: chunks read (streams), the text, the exception and whether the call itself raised it."""

    chunks: int = 0
    text: str = ""
    error: BaseException | None = None
    at_call: bool = False
    seconds: float = 0.0


def said(made: Any) -> str:
    return "".join(choice.message.content or "" for choice in made.choices)


def piece(chunk: Any) -> str:
    return chunk.choices[0].delta.content or ""


def sync_call(**given: Any) -> Outcome:
    got = Outcome()
    started = time.monotonic()
    try:
        got.at_call = True
        made = litellm.completion(**given)
        got.at_call = False
        if given.get("stream"):
            for chunk in made:
                got.chunks += 1
                got.text += piece(chunk)
        else:
            got.text = said(made)
    except Exception as error:
        got.error = error
    got.seconds = time.monotonic() - started
    return got


async def async_call(**given: Any) -> Outcome:
    got = Outcome()
    started = time.monotonic()
    try:
        got.at_call = True
        made = await litellm.acompletion(**given)
        got.at_call = False
        if given.get("stream"):
            async for chunk in made:
                got.chunks += 1
                got.text += piece(chunk)
        else:
            got.text = said(made)
    except Exception as error:
        got.error = error
    got.seconds = time.monotonic() - started
    return got


@pytest.fixture(scope="module")
def served() -> Iterator[UpstreamThread]:
    with UpstreamThread() as server:
        yield server


@pytest.fixture
def upstream(served: UpstreamThread) -> UpstreamThread:
    """One for all, each time with nothing on its record."""
    served.requests.clear()
    return served


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # a count is all that is wanted


async def tasks() -> int:
    return len(asyncio.all_tasks())


def healthy(upstream: UpstreamThread) -> dict[str, Any]:
    return {"model": "openai/ok", "api_base": upstream.base_url, "api_key": "k", "messages": MESSAGES}


def spoken_out(upstream: UpstreamThread, model: str) -> bool:
    """Wait until an upstream that says more than it was asked has said it all. What it were to say after the next
    request, no client on earth could tell from the answer to that."""
    if model.removeprefix("openai/") not in ("body-longer", "answer-twice", "answer-unasked"):
        return True
    return wait_until(lambda: all(request.answered_at for request in upstream.requests))


def run_sync(upstream: UpstreamThread, **given: Any) -> Outcome:
    """The call, then a healthy one on the portal's loop, which then holds one idle connection and no task of ours."""
    before = portal.run_sync(tasks)
    got = sync_call(**given)
    assert spoken_out(upstream, given["model"])
    after = sync_call(**healthy(upstream))
    assert after.text == TEXT, after.error
    assert wait_until(lambda: portal.run_sync(tasks) <= before)
    assert wait_until(lambda: upstream.open_connections <= 1), "a connection is left open"
    return got


def run_async(upstream: UpstreamThread, **given: Any) -> Outcome:
    """The call and a healthy one in a loop of their own, which leaves no descriptor behind."""

    async def main() -> Outcome:
        got = await async_call(**given)
        assert spoken_out(upstream, given["model"])  # the loop is kept from seeing it before the next call
        after = await async_call(**healthy(upstream))
        assert after.text == TEXT, after.error
        assert await tasks() == 1, asyncio.all_tasks()
        return got

    idle = upstream.open_connections  # the portal's
    before = descriptors()
    got = asyncio.run(main())
    assert wait_until(lambda: upstream.open_connections <= idle), "a connection is left open"
    assert wait_until(lambda: descriptors() <= before), "a descriptor is left open"
    return got


HOW: dict[str, Run] = {"sync": run_sync, "async": run_async}


@pytest.fixture(params=list(HOW))
def run(request: pytest.FixtureRequest, upstream: UpstreamThread) -> Run:
    how = HOW[request.param]

    def call(model: str, *, timeout: Any = PATIENT, **more: Any) -> Outcome:
        given = {**healthy(upstream), "model": f"openai/{model}", "timeout": timeout, "num_retries": 0, **more}
        return how(upstream, **given)

    return call


# The answer comes.

ANSWERED = [
    "ok", "tokens-100", "delay-200", "split-1", "split-7", "stream-slow-10", "tool-call", "gzip", "big",
    "informational", "body-longer", "answer-twice", "answer-unasked",
]  # fmt: skip
STREAMED = [
    *ANSWERED, "stream-split-1", "stream-split-4096", "stream-joined", "stream-crlf", "stream-comments",
    "stream-until-close", "stream-no-usage", "stream-usage-in-finish", "stream-no-done", "stream-silent-200",
]  # fmt: skip
TEXTS = {"tokens-100": 590, "tool-call": 0, "big": 10 * 1024 * 1024}


def expected_length(model: str, streamed: bool) -> int:
    if model == "big" and streamed:
        return TEXTS["big"] + len(TEXT)
    return TEXTS.get(model, len(TEXT))


@pytest.mark.parametrize("model", ANSWERED)
def test_answers(run: Run, model: str) -> None:
    got = run(model)
    assert got.error is None
    assert len(got.text) == expected_length(model, streamed=False)


@pytest.mark.parametrize("model", STREAMED)
def test_streams(run: Run, model: str) -> None:
    got = run(model, stream=True)
    assert got.error is None
    assert got.chunks > 1
    assert len(got.text) == expected_length(model, streamed=True)


# It does not. Every class is the very class, not a parent of it.

CONNECTION, TIMEOUT, INVALID = litellm.APIConnectionError, litellm.Timeout, litellm.APIResponseValidationError

BROKEN = {
    "reset-before-headers": CONNECTION,
    "close-before-headers": CONNECTION,
    "close-mid-head": CONNECTION,
    "not-http": CONNECTION,
    "big-header": CONNECTION,
    "many-headers": CONNECTION,
    "switch-protocols": CONNECTION,
    "bad-gzip": CONNECTION,
    "gzip-bomb": CONNECTION,
    "redirect": litellm.APIError,
}
PLAIN = {
    "reset-mid-body": CONNECTION,
    "close-mid-body": CONNECTION,
    "body-shorter": CONNECTION,
    "bad-chunk": CONNECTION,
    "not-json": INVALID,
    "json-not-object": INVALID,
    "empty": INVALID,
    "error-first-event": INVALID,
}
BEFORE_FIRST_EVENT = {
    "bad-json-first": INVALID,
    "not-json": INVALID,
    "json-not-object": INVALID,
    "empty": CONNECTION,  # nothing came at all
    "stream-empty": CONNECTION,
    "endless-line": INVALID,
    "error-first-event": litellm.InternalServerError,
}
AFTER_FIRST_EVENT = {
    "reset-mid-body": CONNECTION,
    "close-mid-body": CONNECTION,
    "bad-chunk": CONNECTION,
    "stream-unfinished": CONNECTION,
    "bad-json-event": INVALID,
    "error-later-event": litellm.InternalServerError,
}


def assert_raised(got: Outcome, expected: type[Exception], *, at_call: bool, within: float = SLACK) -> None:
    assert type(got.error) is expected, repr(got.error)
    assert got.at_call is at_call
    assert got.seconds < within
    assert str(got.error).startswith(f"litellm.{expected.__name__}: ")
    assert got.error.llm_provider == "openai"


@pytest.mark.parametrize(("model", "expected"), [*BROKEN.items(), *PLAIN.items()])
def test_failures(run: Run, model: str, expected: type[Exception]) -> None:
    assert_raised(run(model), expected, at_call=True)


@pytest.mark.parametrize(("model", "expected"), [*BROKEN.items(), *BEFORE_FIRST_EVENT.items()])
def test_failures_before_the_first_event_are_the_calls(run: Run, model: str, expected: type[Exception]) -> None:
    assert_raised(run(model, stream=True), expected, at_call=True)


@pytest.mark.parametrize(("model", "expected"), AFTER_FIRST_EVENT.items())
def test_failures_after_it_come_from_the_iterator(run: Run, model: str, expected: type[Exception]) -> None:
    got = run(model, stream=True)
    assert_raised(got, expected, at_call=False)
    assert got.chunks == 3
    assert got.text == " tok0 tok1"


# It takes too long.

SLOW = ["hang", "hang-mid-head"]


@pytest.mark.parametrize("model", [*SLOW, "hang-mid-body", "endless", "endless-comments"])
def test_timeouts(run: Run, model: str) -> None:
    got = run(model, timeout=IMPATIENT)
    assert_raised(got, TIMEOUT, at_call=True)
    assert got.seconds >= IMPATIENT * 0.9


@pytest.mark.parametrize("model", [*SLOW, "hang-before-event", "endless-comments"])
def test_timeouts_before_the_first_event(run: Run, model: str) -> None:
    got = run(model, stream=True, timeout=IMPATIENT)
    assert_raised(got, TIMEOUT, at_call=True)
    assert got.seconds >= IMPATIENT * 0.9


def test_a_streams_gap_is_bounded_by_a_number(run: Run) -> None:
    got = run("hang-mid-body", stream=True, timeout=IMPATIENT)
    assert_raised(got, TIMEOUT, at_call=False)
    assert got.chunks == 3


def test_a_streams_length_is_not_bounded_by_a_number(run: Run) -> None:
    got = run("stream-slow-200", stream=True, timeout=IMPATIENT)
    assert got.error is None
    assert got.seconds > IMPATIENT
    assert got.text == TEXT


@pytest.mark.parametrize("model", ["endless", "flood"])
def test_a_streams_length_is_bounded_by_a_total(run: Run, model: str) -> None:
    got = run(model, stream=True, timeout=Timeouts(10, 10, 10, IMPATIENT))
    assert_raised(got, TIMEOUT, at_call=False)
    assert got.chunks > 3


def test_a_body_without_end_is_bounded(run: Run) -> None:
    """By size or by time, whichever comes first."""
    got = run("flood", timeout=3)
    assert type(got.error) in (CONNECTION, TIMEOUT), repr(got.error)
    assert got.seconds < SLACK


# It says no.

STATUSES = {
    400: litellm.BadRequestError,
    401: litellm.AuthenticationError,
    403: litellm.PermissionDeniedError,
    404: litellm.NotFoundError,
    408: litellm.Timeout,
    409: litellm.APIError,
    413: litellm.APIError,
    422: litellm.BadRequestError,
    429: litellm.RateLimitError,
    500: litellm.InternalServerError,
    502: litellm.BadGatewayError,
    503: litellm.ServiceUnavailableError,
    504: litellm.Timeout,
    529: litellm.APIError,
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "expected"), STATUSES.items())
def test_statuses(run: Run, status: int, expected: type[Exception], stream: bool) -> None:
    got = run(f"status-{status}", stream=stream)
    assert_raised(got, expected, at_call=True)
    assert isinstance(got.error, litellm.exceptions.LiteLLMError)
    assert got.error.status_code == status
    assert f"told to fail with {status}" in got.error.message
    assert got.error.type == ("invalid_request_error" if status < 500 else "server_error")
    assert got.error.param is None
    assert got.error.request_id == "req_123"


@pytest.mark.parametrize("stream", [False, True])
def test_a_page_of_html_is_quoted_up_to_500_characters(run: Run, stream: bool) -> None:
    got = run("text-status-502", stream=stream)
    assert_raised(got, litellm.BadGatewayError, at_call=True)
    page = "<html><body><h1>told to fail</h1>" + "<p>padding</p>" * 200
    assert str(got.error).endswith(f"OpenAIException - {page[:500]}")


def test_a_status_without_a_body_is_told(run: Run) -> None:
    got = run("empty-status-503")
    assert_raised(got, litellm.ServiceUnavailableError, at_call=True)
    assert "503" in str(got.error)


def test_retry_after_stays_readable(run: Run) -> None:
    error = run("retry-after-7").error
    assert isinstance(error, litellm.RateLimitError)
    assert error.retry_after == 7
    assert error.response.headers.get("Retry-After") == "7"


# Nobody is there.


def test_refused(run: Run) -> None:
    got = run("ok", api_base=f"http://127.0.0.1:{free_port()}/v1")
    assert_raised(got, CONNECTION, at_call=True)
    assert got.error is not None and got.error.status_code == 500


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 64 + ".invalid"])
def test_a_name_that_does_not_resolve(run: Run, host: str) -> None:
    got = run("ok", api_base=f"http://{host}/v1", timeout=10)
    assert_raised(got, CONNECTION, at_call=True)


def test_a_certificate_nobody_trusts(run: Run, tls_upstream: UpstreamThread) -> None:
    got = run("ok", api_base=tls_upstream.base_url)
    assert_raised(got, CONNECTION, at_call=True)
    assert tls_upstream.wait_closed()


def test_a_certificate_that_is_trusted(run: Run, tls_upstream: UpstreamThread, tls: TestTls) -> None:
    assert run("ok", api_base=tls_upstream.base_url, ssl_verify=tls.ca_file).text == TEXT
    assert run("ok", api_base=tls_upstream.base_url, ssl_verify=False, stream=True).text == TEXT


def test_plain_text_where_tls_is_spoken_and_the_reverse(
    run: Run, upstream: UpstreamThread, tls_upstream: UpstreamThread
) -> None:
    assert_raised(run("ok", api_base=tls_upstream.base_url.replace("https", "http")), CONNECTION, at_call=True)
    got = run("ok", api_base=upstream.base_url.replace("http", "https"), timeout=IMPATIENT)
    assert_raised(got, TIMEOUT, at_call=True)  # this upstream waits for the rest of a head


# No caller gets what another asked for.


def test_an_answer_nobody_asked_for_reaches_nobody(upstream: UpstreamThread) -> None:
    async def main() -> list[str]:
        texts: list[str] = []
        for _ in range(5):
            for model in ("answer-twice", "ok", "answer-unasked", "ok"):
                got = await async_call(**{**healthy(upstream), "model": f"openai/{model}"})
                texts.append(got.text)
                assert spoken_out(upstream, model)
        return texts

    assert asyncio.run(main()) == [TEXT] * 20


# Nothing is left.


def test_failures_leave_no_memory_behind(upstream: UpstreamThread) -> None:
    """The number of live objects stays the same however often calls fail."""
    models = ["status-429", "not-json", "reset-before-headers", "close-mid-body", "bad-json-event", "error-first-event"]

    async def failing() -> None:
        for stream in (False, True):
            for model in models:
                given = {**healthy(upstream), "model": f"openai/{model}", "num_retries": 0, "stream": stream}
                assert (await async_call(**given)).error is not None

    def objects_after(make: Callable[[], Coroutine[Any, Any, None]], times: int) -> int:
        for _ in range(times):
            asyncio.run(make())
            portal.run_sync(make)
        gc.collect()
        upstream.requests.clear()
        gc.collect()
        return len(gc.get_objects())

    before = objects_after(failing, 3)
    assert objects_after(failing, 6) - before < 300


def test_a_slow_reader_holds_back_a_flood(upstream: UpstreamThread) -> None:
    """Memory stays bounded although the upstream sends as fast as it is read."""

    async def main() -> int:
        stream = await litellm.acompletion(**{**healthy(upstream), "model": "openai/flood"}, stream=True)
        await anext(stream)
        await asyncio.sleep(0.5)
        sent = upstream.asked("flood")
        waiting = stream._stream._waiting
        await stream.aclose()
        assert sent
        return waiting

    assert asyncio.run(main()) < 1 << 20
    assert upstream.wait(lambda: upstream.asked("flood")[-1].disconnected)
