"""Exceptions as answers: OpenAI's body, statuses, what is kept and what is never said."""

import asyncio

import orjson
import pytest

from litellm import exceptions as e
from litellm.engine.engine import Engine
from litellm.proxy import errors
from litellm.proxy.errors import ProxyError
from litellm.transport.mock import MockTransport
from litellm.types.calls import Call, Target
from litellm.types.http import HttpResponse, Timeouts


def vendor(cls: type[e.LiteLLMError], status: int, body: object, **headers: str) -> e.LiteLLMError:
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return cls.from_vendor(
        "it said no", status_code=status, llm_provider="openai", model="m", headers=fields, body=orjson.dumps(body)
    )


def test_the_body_is_openais_and_code_a_string() -> None:
    error = ProxyError(400, "wrong", param="messages")
    assert orjson.loads(errors.encoded(error)) == {
        "error": {"message": "wrong", "type": "invalid_request_error", "param": "messages", "code": "400"}
    }
    assert errors.status_of(error) == 400


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (e.APIConnectionError("x"), 500, "api_connection_error"),
        (e.Timeout("x"), 408, "timeout_error"),
        (e.RateLimitError("x"), 429, "throttling_error"),
        (e.AuthenticationError("x"), 401, "auth_error"),
        (e.BadRequestError("x"), 400, "invalid_request_error"),
        (e.NotFoundError("x"), 404, "not_found_error"),
        (e.APIError(418, "x"), 418, "api_error"),
    ],
)
def test_every_error_has_its_status_and_type(error: e.LiteLLMError, status: int, kind: str) -> None:
    body = errors.body_of(error)
    assert (errors.status_of(error), body["type"], body["code"]) == (status, kind, str(status))
    assert body["param"] is None


def test_a_limit_is_a_throttling_error_whatever_the_vendor_calls_it() -> None:
    error = vendor(e.RateLimitError, 429, {"error": {"message": "slow", "type": "requests"}})
    assert errors.body_of(error)["type"] == "throttling_error"


def test_a_defect_of_ours_says_nothing_of_the_inside() -> None:
    body = errors.body_of(ValueError("sk-secret at /srv/me/file.py"))
    assert body == {"message": errors.INTERNAL, "type": "internal_server_error", "param": None, "code": "500"}
    assert errors.status_of(ValueError("x")) == 500 and errors.headers_of(ValueError("x")) == []


def test_what_says_when_to_try_again_is_kept_as_it_was() -> None:
    error = vendor(
        e.RateLimitError, 429, {}, retry_after="Wed, 21 Oct 2015 07:28:00 GMT", retry_after_ms="100",
        x_should_retry="false", set_cookie="a=b",
    )  # fmt: skip
    assert errors.headers_of(error) == [
        ("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), ("retry-after-ms", "100"), ("x-should-retry", "false"),
    ]  # fmt: skip


KEY = "sk-canary-0xC0FFEE"
ECHOES = {
    "error": HttpResponse(401, [], orjson.dumps({"error": {"message": f"wrong key: {KEY}", "type": "t"}})),
    "text": HttpResponse(403, [], f"<html>Bearer {KEY} may not</html>".encode()),
    "no JSON": HttpResponse(200, [], f"hello {KEY}".encode()),
    "error event": HttpResponse(200, [], b'data: {"error": {"message": "wrong key: %b"}}\n\n' % KEY.encode()),
    "bad event": HttpResponse(200, [], b"data: {%b\n\n" % KEY.encode()),
}


@pytest.mark.parametrize("kind", ECHOES)
@pytest.mark.parametrize("stream", [False, True])
def test_a_vendor_that_repeats_the_key_does_not_tell_it_to_our_callers(kind: str, stream: bool) -> None:
    target = Target("openai", "m", "http://up.example", KEY, timeouts=Timeouts())
    call = Call("chat", target, {"messages": []}, stream)

    async def ask() -> None:
        engine = Engine(MockTransport(lambda _: ECHOES[kind]), lambda: 0.0)
        await (engine.stream(call) if stream else engine.send(call))

    with pytest.raises(e.LiteLLMError) as caught:
        asyncio.run(ask())
    said = errors.encoded(caught.value)
    assert KEY.encode() not in said and b"***" in said


def test_the_number_of_retries_is_told() -> None:
    error = e.InternalServerError("x", num_retries=2)
    assert errors.headers_of(error) == [("x-litellm-attempted-retries", "2")]


def test_a_message_that_json_cannot_say_is_said_all_the_same() -> None:
    error = e.APIError(500, b"bytes")
    assert "bytes" in orjson.loads(errors.encoded(error))["error"]["message"]
