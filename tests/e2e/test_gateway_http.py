"""The gateway's routes, keys, headers, errors, retries and limits, as plain HTTP shows them."""

import json
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from litellm._version import version
from litellm.proxy import routes
from support.asking import MESSAGES, TEXT, assert_error, chat, chunks_of, client, text_of, wire
from support.gateway import Gateway
from support.upstream import UpstreamThread

CANARY = "sk-upstream-canary-0xC0FFEE"
CONFIG = """
model_list:
  - model_name: named
    litellm_params: {{model: openai/real, api_base: "{base}?token=query-{canary}", api_key: {canary}}}
    model_info: {{id: the-id}}
  - model_name: mocked
    litellm_params: {{model: openai/x, api_key: k, mock_response: "hello from the config"}}
  - model_name: mocked-error
    litellm_params: {{model: openai/x, api_key: k, mock_response: litellm.RateLimitError}}
  - model_name: demo
    litellm_params: {{model: demo/demo}}
  - model_name: keyless
    litellm_params: {{model: openai/x, api_base: "{base}", api_key: os.environ/NOT_SET_ANYWHERE}}
  - model_name: defaults
    litellm_params:
      {{model: openai/real, api_base: "{base}", api_key: k, temperature: 0.5, top_k: 7, extra_body: {{fixed: 1}},
        extra_headers: {{x-own: own}}}}
  - model_name: opened
    litellm_params:
      {{model: openai/real, api_base: "http://127.0.0.1:1/v1", api_key: {canary}, organization: org-{canary},
        extra_headers: {{x-own: "{canary}"}}, configurable_clientside_auth_params: [api_base, api_key]}}
  - model_name: once
    litellm_params: {{model: openai/status-503, api_base: "{base}", api_key: k, max_retries: 0}}
  - model_name: slashed
    litellm_params: {{model: openai/organisation/real, api_base: "{base}/", api_key: k}}
  - model_name: "*"
    litellm_params: {{model: "openai/*", api_base: "{base}", api_key: {canary}}}
general_settings:
  master_key: sk-1234
  max_request_size_mb: 1
  litellm_key_header_name: X-Company-Key
"""


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = CONFIG.format(base=shared_upstream.base_url, canary=CANARY)
    with Gateway(config, tmp_path_factory.mktemp("gateway")) as server:
        yield server


@pytest.fixture(scope="module")
def caller(gateway: Gateway) -> Iterator[httpx.Client]:
    with client(gateway) as caller:
        yield caller


ADDRESSES = (f"127.0.0.{n}" for n in range(2, 255))


@pytest.fixture
def stranger(gateway: Gateway) -> Iterator[httpx.Client]:
    """Has no key, and an address of his own: who has guessed wrong a few times is answered more and more slowly."""
    transport = httpx.HTTPTransport(local_address=next(ADDRESSES))
    with httpx.Client(base_url=gateway.origin, timeout=60, transport=transport) as caller:
        yield caller


def refused(answer: httpx.Response, status: int, kind: str | None = "invalid_request_error") -> dict[str, Any]:
    assert answer.status_code == status, answer.text[:500]
    error = answer.json()["error"]
    assert_error(error, status)
    assert kind is None or error["type"] == kind
    return error


# Routes

BODIES = {
    "chat": {"messages": MESSAGES},
    "completion": {"prompt": "hi"},
    "embedding": {"input": "hi"},
}


@pytest.mark.parametrize(("template", "op"), list(routes.templates()))
def test_every_inference_route(caller: httpx.Client, shared_upstream: UpstreamThread, template: str, op: str) -> None:
    path = template.replace("{model}", "told%2Fok")
    body = BODIES[op] if "{model}" in template else {"model": "told/ok", **BODIES[op]}
    answer = caller.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "told/ok"
    ends = {"chat": "/v1/chat/completions", "completion": "/v1/completions", "embedding": "/v1/embeddings"}
    assert shared_upstream.requests[-1].path == ends[op]
    assert shared_upstream.requests[-1].json["model"] == "told/ok"


@pytest.mark.parametrize("template", [template for template, _ in routes.templates()])
def test_inference_takes_post(caller: httpx.Client, template: str) -> None:
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        answer = caller.request(method, template.replace("{model}", "m"))
        refused(answer, 405)
        assert answer.headers["allow"] == "POST"


def test_where_the_models_name_is_looked_for(caller: httpx.Client, shared_upstream: UpstreamThread) -> None:
    for path in ("/engines/a/chat/completions", "/openai/deployments/a/chat/completions", "/chat/completions?model=a"):
        assert caller.post(path, json=wire("b")).json()["model"] == "a"
        assert shared_upstream.requests[-1].model == "a"
    assert caller.post("/chat/completions?api-version=1", json=wire("b")).json()["model"] == "b"


def test_model_lists(caller: httpx.Client) -> None:
    for path in ("/models", "/v1/models"):
        listed = caller.get(path).json()
        assert listed["object"] == "list"
        assert [row["id"] for row in listed["data"]] == [
            "named", "mocked", "mocked-error", "demo", "keyless", "defaults", "opened", "once", "slashed",
        ]  # fmt: skip
        assert all(set(row) == {"id", "object", "created", "owned_by"} for row in listed["data"])
        assert caller.get(f"{path}/named").json()["id"] == "named"
        assert caller.get(f"{path}/a/b%20c").json()["id"] == "a/b c"


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/v1/chat/completions/", "/v1/chat"])
def test_unknown_paths(caller: httpx.Client, path: str) -> None:
    answer = caller.post(path, json=wire("ok"))
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


def test_head_is_get_without_the_body(caller: httpx.Client) -> None:
    for path in ("/health/liveliness", "/v1/models", "/metrics", "/"):
        head = caller.head(path)
        assert (head.status_code, head.content) == (200, b"")


# Who may

PROTECTED = [
    ("GET", "/models"), ("GET", "/v1/models"), ("GET", "/v1/models/named"), ("GET", "/metrics"), ("GET", "/routes"),
    ("GET", "/model/info"), ("GET", "/v1/model/info"), ("GET", "/model_group/info"), ("GET", "/health"),
    ("GET", "/docs"), ("GET", "/nothing"), ("POST", "/nothing"), ("GET", "/health/readiness/"),
    ("GET", "/%2e%2e/health"), ("GET", "/openapi.json/x"), ("GET", "/v1/chat/completions"),
    *(("POST", template.replace("{model}", "named")) for template, _ in routes.templates()),
]  # fmt: skip


@pytest.mark.parametrize("path", sorted(routes.PUBLIC))
def test_public_paths(stranger: httpx.Client, path: str) -> None:
    assert stranger.get(path).status_code == 200


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_nothing_else_is_public(
    stranger: httpx.Client, shared_upstream: UpstreamThread, method: str, path: str
) -> None:
    before = len(shared_upstream.requests)
    body = json.dumps(wire("named")).encode()
    for headers in ({}, {"authorization": "Bearer sk-123"}, {"x-api-key": "sk-12345"}):
        answer = stranger.request(method, path, content=body, headers=headers)
        error = refused(answer, 401, "auth_error")
        assert error["message"].startswith("Authentication Error, ")
        assert answer.headers["x-litellm-call-id"]
    assert len(shared_upstream.requests) == before


@pytest.mark.parametrize(
    "header",
    ["x-litellm-api-key", "Authorization", "API-Key", "x-api-key", "x-goog-api-key", "Ocp-Apim-Subscription-Key",
     "X-Company-Key"],
)  # fmt: skip
def test_every_header_that_clients_use(stranger: httpx.Client, shared_upstream: UpstreamThread, header: str) -> None:
    for value in ("sk-1234", "Bearer sk-1234"):
        answer = stranger.post("/v1/chat/completions", json=wire("ok"), headers={header: value})
        assert text_of(answer) == TEXT
        seen = shared_upstream.requests[-1].headers
        assert "sk-1234" not in str(seen) and seen["authorization"] == f"Bearer {CANARY}"
    refused(stranger.post("/v1/chat/completions", json=wire("ok"), headers={header: "sk-wrong"}), 401, "auth_error")


# What goes out, what comes back


def test_the_headers_of_an_answer(caller: httpx.Client) -> None:
    for stream in (False, True):
        headers = chat(caller, "named", stream=stream).headers
        assert headers["x-litellm-version"] == version
        assert headers["x-litellm-model-id"] == "the-id"
        assert headers["x-litellm-model-name"] == "openai/real"
        assert headers["x-litellm-model-group"] == "named"
        assert headers["x-litellm-attempted-retries"] == headers["x-litellm-attempted-fallbacks"] == "0"
        assert headers["x-request-id"] == headers["x-litellm-call-id"]
        assert re.fullmatch(
            r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", headers["x-request-id"]
        )
        total = float(headers["x-litellm-response-duration-ms"])
        assert 0 <= float(headers["x-litellm-overhead-duration-ms"]) <= total
        assert headers["x-litellm-model-api-base"].startswith("http://127.0.0.1:")
        assert headers["llm_provider-x-request-id"] == "req_123"
        assert headers["x-content-type-options"] == "nosniff"
        assert "transfer-encoding" not in str(headers).lower().replace("'transfer-encoding'", "") or stream
    assert headers["cache-control"] == "no-cache" and headers["x-accel-buffering"] == "no"


@pytest.mark.parametrize("stream", [False, True])
def test_overhead_is_without_failed_attempts_and_pauses(caller: httpx.Client, stream: bool) -> None:
    headers = chat(caller, f"limit-first-{1 + stream:03}", stream=stream).headers  # a second's pause after each
    assert headers["x-litellm-attempted-retries"] == str(1 + stream)
    assert float(headers["x-litellm-response-duration-ms"]) > 900
    assert float(headers["x-litellm-overhead-duration-ms"]) < 600


def test_overhead_is_without_the_upstreams_time(caller: httpx.Client) -> None:
    for stream in (False, True):
        headers = chat(caller, "stream-silent-400" if stream else "delay-400", stream=stream).headers
        assert float(headers["x-litellm-response-duration-ms"]) >= 390
        assert float(headers["x-litellm-overhead-duration-ms"]) < 350


def test_the_id_of_a_wildcard_is_stable_and_64_hex(caller: httpx.Client) -> None:
    ids = {chat(caller, model).headers["x-litellm-model-id"] for model in ("ok", "other", "ok")}
    assert len(ids) == 1 and re.fullmatch(r"[0-9a-f]{64}", ids.pop())


def test_a_callers_own_call_id(caller: httpx.Client) -> None:
    answer = caller.post("/v1/chat/completions", json=wire("ok"), headers={"x-litellm-call-id": "mine-1"})
    assert answer.headers["x-litellm-call-id"] == answer.headers["x-request-id"] == "mine-1"
    for bad in ("x" * 129, "ü".encode(), b"\x80"):
        answer = caller.post("/v1/chat/completions", json=wire("ok"), headers={"x-litellm-call-id": bad})
        assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-litellm-call-id"])


def test_a_strange_model_name_does_not_reach_the_wire_as_it_is(caller: httpx.Client) -> None:
    answer = chat(caller, "a\r\nx-injected: 1\x00\u2028ü😀")
    assert answer.status_code == 200 and "x-injected" not in answer.headers
    assert answer.json()["model"] == "a\r\nx-injected: 1\x00\u2028ü😀"


def test_unknown_fields_travel_both_ways(caller: httpx.Client, shared_upstream: UpstreamThread) -> None:
    answer = chat(caller, "ok", user="u", reasoning_effort="low", my_field={"a": [1, None]}, metadata={"a": "b"})
    seen = shared_upstream.requests[-1].json
    assert seen == wire("ok", user="u", reasoning_effort="low", my_field={"a": [1, None]})
    assert answer.json()["x_vendor"] == {"region": "eu-1", "queue_ms": 3}
    assert answer.json()["choices"][0]["message"]["refusal"] is None, "nulls, too"


def test_what_a_deployment_says_is_a_default(caller: httpx.Client, shared_upstream: UpstreamThread) -> None:
    chat(caller, "defaults")
    seen = shared_upstream.requests[-1]
    assert (seen.json["temperature"], seen.json["top_k"], seen.json["fixed"]) == (0.5, 7, 1)
    assert seen.headers["x-own"] == "own"
    chat(caller, "defaults", temperature=0.9, top_k=1, fixed=2)
    seen = shared_upstream.requests[-1]
    assert (seen.json["temperature"], seen.json["top_k"], seen.json["fixed"]) == (0.9, 7, 1), "OpenAI's own only"


def test_addresses_may_end_in_a_slash_and_models_hold_one(
    caller: httpx.Client, shared_upstream: UpstreamThread
) -> None:
    assert text_of(chat(caller, "slashed")) == TEXT
    seen = shared_upstream.requests[-1]
    assert (seen.path, seen.json["model"]) == ("/v1/chat/completions", "organisation/real")


def test_no_header_of_the_caller_travels_on(caller: httpx.Client, shared_upstream: UpstreamThread) -> None:
    sent = {"cookie": "a=b", "x-forwarded-for": "1.2.3.4", "x-custom": "1", "openai-organization": "theirs", "te": "x"}
    caller.post("/v1/chat/completions", json=wire("ok"), headers=sent)
    seen = shared_upstream.requests[-1].headers
    assert not set(sent) & set(seen)
    assert set(seen) == {
        "host", "content-type", "accept", "user-agent", "authorization", "content-length",
        "accept-encoding",
    }  # fmt: skip


# Built in


def test_mock_responses(caller: httpx.Client, shared_upstream: UpstreamThread) -> None:
    before = len(shared_upstream.requests)
    assert text_of(chat(caller, "mocked")) == "hello from the config"
    assert text_of(chat(caller, "ok", mock_response="hello from the caller")) == "hello from the caller"
    chunks = chunks_of(chat(caller, "mocked", stream=True).text)
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == "hello from the config"
    assert {chunk["model"] for chunk in chunks} == {"mocked"}
    for stream in (False, True):
        refused(chat(caller, "mocked-error", stream=stream, num_retries=0), 429, "throttling_error")
    assert len(shared_upstream.requests) == before, "nobody was called"


def test_the_demo_model(caller: httpx.Client) -> None:
    assert "demo model" in text_of(chat(caller, "demo"))
    chunks = chunks_of(chat(caller, "demo", stream=True, stream_options={"include_usage": True}).text)
    assert len(chunks) > 5 and chunks[-1]["choices"] == [] and chunks[-1]["usage"]["total_tokens"] == 30
    assert caller.post("/v1/completions", json={"model": "demo", "prompt": "x"}).json()["choices"][0]["text"]
    assert caller.post("/v1/embeddings", json={"model": "demo", "input": ["x", "y"]}).json()["data"][1]["embedding"]


# Errors


def test_errors_of_the_request(caller: httpx.Client) -> None:
    def post(body: Any) -> httpx.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return caller.post("/v1/chat/completions", content=raw, headers={"content-type": "application/json"})

    error = refused(post(b'{"model": "named", "messages": [}'), 400)
    assert error["param"] == "request_body" and "line 1 column 33" in error["message"]
    assert refused(post({"model": "named"}), 400)["message"] == (
        "/chat/completions: Missing required parameter: 'messages'."
    )
    assert refused(post({"messages": MESSAGES}), 400)["param"] == "model"
    error = refused(post(wire("named", stream="yes")), 400)
    assert error["param"] == "stream"


def test_a_model_that_is_not_there(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> None:
    config = "model_list:\n  - model_name: only\n    litellm_params: {model: demo/demo}\n"
    with Gateway(config, tmp_path_factory.mktemp("keyless")) as server:
        for path in ("/v1/chat/completions", "/chat/completions"):
            status, body = server.post(path, wire("zzz"))
            assert status == 400
            assert json.loads(body)["error"]["message"] == (
                "/chat/completions: Invalid model name passed in model=zzz. Call `/v1/models` to view available models "
                "for your key."
            )
        assert server.post("/chat/completions", {"messages": MESSAGES}, key="")[0] == 200, (
            "there is but one to be meant"
        )
        assert "127.0.0.1" in server.log and "no master key" in server.log


@pytest.mark.parametrize(
    "name",
    ["api_base", "base_url", "api_key", "organization", "custom_llm_provider", "extra_headers", "headers", "ssl_verify",
     "client", "aws_access_key_id", "aws_region_name", "vertex_project", "vertex_credentials", "guardrails"],
)  # fmt: skip
def test_what_a_request_may_not_say(caller: httpx.Client, shared_upstream: UpstreamThread, name: str) -> None:
    before = len(shared_upstream.requests)
    for body in ({name: "http://127.0.0.1:1"}, {"extra_body": {name: "x"}}):
        error = refused(chat(caller, "named", **body), 400)
        assert error["param"] == name and f"'{name}'" in error["message"]
    assert len(shared_upstream.requests) == before


def test_a_callers_own_address_gets_nothing_of_ours(caller: httpx.Client, shared_upstream: UpstreamThread) -> None:
    before = len(shared_upstream.requests)
    refused(chat(caller, "opened", api_base=shared_upstream.base_url), 401, "auth_error")
    assert len(shared_upstream.requests) == before
    answer = chat(caller, "opened", api_base=shared_upstream.base_url, api_key="sk-theirs")
    assert text_of(answer) == TEXT
    seen = shared_upstream.requests[-1]
    assert seen.headers["authorization"] == "Bearer sk-theirs"
    assert CANARY not in str(seen.headers) and CANARY.encode() not in seen.body
    refused(chat(caller, "opened", api_base=shared_upstream.base_url, organization="x"), 400)


def test_a_key_that_is_not_set_is_named_when_it_is_missed(caller: httpx.Client, gateway: Gateway) -> None:
    for stream in (False, True):
        error = refused(chat(caller, "keyless", stream=stream), 401, "auth_error")
        assert "NOT_SET_ANYWHERE" in error["message"]
    assert "NOT_SET_ANYWHERE" in gateway.log, "and the start has warned of it"


# Retries, counted where they arrive


@pytest.mark.parametrize(
    ("model", "more", "status", "attempts"),
    [
        ("fail-first-2", {}, 200, 3),
        ("fail-first-3", {"num_retries": 3}, 200, 4),
        ("fail-first-4", {}, 503, 3),
        ("fail-first-1", {"num_retries": 0}, 503, 1),
        ("fail-first-9", {"max_retries": 1}, 503, 2),
        ("status-400", {}, 400, 1),
        ("status-401", {}, 401, 1),
        ("status-404", {}, 404, 1),
        ("status-422", {}, 422, 1),
        ("status-409", {"num_retries": 1}, 409, 2),
        ("status-429", {"num_retries": 1}, 429, 2),
        ("status-500", {"num_retries": 1}, 500, 2),
        ("not-json", {}, 500, 1),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_retries(
    caller: httpx.Client, shared_upstream: UpstreamThread, model: str, more: dict[str, int], status: int, attempts: int,
    stream: bool,
) -> None:  # fmt: skip
    shared_upstream.counts.clear()
    before = len(shared_upstream.asked(model))
    answer = chat(caller, model, stream=stream, **more)
    assert answer.status_code == status
    assert len(shared_upstream.asked(model)) - before == attempts
    assert answer.headers["x-litellm-attempted-retries"] == str(attempts - 1)


def test_a_stream_that_has_begun_is_never_tried_again(caller: httpx.Client, shared_upstream: UpstreamThread) -> None:
    before = len(shared_upstream.asked("close-mid-body"))
    assert chat(caller, "close-mid-body", stream=True).status_code == 200
    assert len(shared_upstream.asked("close-mid-body")) - before == 1


def test_retries_of_a_deployment_and_of_a_header(caller: httpx.Client, shared_upstream: UpstreamThread) -> None:
    before = len(shared_upstream.asked("status-503"))
    refused(chat(caller, "once"), 503, None)
    assert len(shared_upstream.asked("status-503")) - before == 1
    answer = caller.post("/v1/chat/completions", json=wire("status-503"), headers={"x-litellm-num-retries": "1"})
    refused(answer, 503, None)
    assert len(shared_upstream.asked("status-503")) - before == 3


def test_retry_after_is_waited_for_and_passed_on(caller: httpx.Client) -> None:
    started = time.monotonic()
    assert text_of(chat(caller, "limit-first-1")) == TEXT
    assert time.monotonic() - started >= 1
    answer = chat(caller, "retry-after-30", num_retries=0)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")


@pytest.mark.parametrize("header", ["x-litellm-timeout", "x-litellm-stream-timeout"])
def test_timeouts_by_header(caller: httpx.Client, header: str) -> None:
    stream = "stream" in header
    answer = caller.post(
        "/v1/chat/completions", json=wire("hang", stream=stream),
        headers={header: "0.5", "x-litellm-num-retries": "0"},
    )  # fmt: skip
    refused(answer, 408, "timeout_error")
    refused(caller.post("/v1/chat/completions", json=wire("ok"), headers={"x-litellm-timeout": "soon"}), 400)


# Limits


def raw(gateway: Gateway, *parts: bytes, pause: float = 0.0) -> bytes:
    """Bytes as they are, and all that comes back until the gateway closes."""
    with socket.create_connection(("127.0.0.1", gateway.port), 60) as connection:
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
        except OSError:
            pass
        answer = b""
        while True:
            try:
                piece = connection.recv(65536)
            except OSError:
                return answer
            if not piece:
                return answer
            answer += piece


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-1234\r\n"


def test_a_body_that_is_too_large(gateway: Gateway, caller: httpx.Client, shared_upstream: UpstreamThread) -> None:
    before = len(shared_upstream.requests)
    error = refused(chat(caller, "ok", filler="x" * 1024 * 1024), 413)
    assert "1048576 bytes" in error["message"] and "max_request_size_mb" in error["message"]
    assert text_of(chat(caller, "ok", filler="x" * 1000 * 1000)) == TEXT

    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 65536

    refused(caller.post("/v1/chat/completions", content=pieces()), 413)
    answer = raw(gateway, HEAD + b"content-length: 99999999999\r\nexpect: 100-continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ") and b"100 Continue" not in answer
    assert len(shared_upstream.requests) == before + 1


def test_a_head_that_is_too_large(gateway: Gateway) -> None:
    assert raw(gateway, HEAD + b"x: " + b"y" * 70_000).startswith(b"HTTP/1.1 431 ")
    many = b"".join(b"x-%d: y\r\n" % number for number in range(150))
    assert raw(gateway, HEAD + many + b"\r\n").startswith(b"HTTP/1.1 431 ")


def test_json_that_is_too_deep(caller: httpx.Client) -> None:
    for depth in (210, 5000):
        body = b'{"model":"ok","messages":[{"role":"user","content":"x"}],"x":' + b"[" * depth + b"]" * depth + b"}"
        assert refused(caller.post("/v1/chat/completions", content=body), 400)["param"] == "request_body"


def test_a_head_that_does_not_end(gateway: Gateway) -> None:
    """10 s, and nobody else waits for it."""
    with socket.create_connection(("127.0.0.1", gateway.port), 60) as connection:
        connection.sendall(HEAD)
        started = time.monotonic()
        assert gateway.get("/health/liveliness")[0] == 200
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
        assert 5 < time.monotonic() - started < 40


# Secrets


def test_no_secret_anywhere(gateway: Gateway, caller: httpx.Client) -> None:
    """After all of the above: in no answer, in no metric, in no log. What callers wrote is in no log either."""
    said: dict[str, str] = {}
    for path in ("/", "/openapi.json", "/routes", "/metrics", "/model/info", "/v1/model/info", "/model_group/info",
                 "/v1/models", "/health", "/health/readiness", "/health/liveliness"):  # fmt: skip
        answer = caller.get(path)
        said[path] = answer.text + str(answer.headers)
    for model in ("named", "ok", "status-401", "text-status-500", "reset-before-headers", "not-json", "opened", "zzz"):
        for stream in (False, True):
            answer = chat(caller, model, stream=stream, num_retries=0, secret_note="a-callers-secret")
            said[f"{model} {stream}"] = answer.text + str(answer.headers)
    assert [name for name, text in said.items() if CANARY in text] == []
    assert CANARY not in gateway.log
    for written in ("a-callers-secret", "x-injected", "hello from the caller", '"hi"', "Traceback"):
        assert written not in gateway.log, written


def test_metrics_count_what_happened(gateway: Gateway, caller: httpx.Client) -> None:
    def total(name: str, **labels: str) -> float:
        found = 0.0
        for line in caller.get("/metrics").text.splitlines():
            if line.startswith(name) and all(f'{key}="{value}"' in line for key, value in labels.items()):
                found += float(line.rpartition(" ")[2])
        return found

    name, tokens = "litellm_proxy_total_requests_metric_total", "litellm_total_tokens_metric_total"
    before = total(name, requested_model="named", status_code="200"), total(tokens, requested_model="named")
    chat(caller, "named")
    chat(caller, "named", stream=True)
    after = total(name, requested_model="named", status_code="200"), total(tokens, requested_model="named")
    assert (after[0] - before[0], after[1] - before[1]) == (2, 36), "usage is counted whether asked for or not"
    assert total("litellm_in_flight_requests") == 1, "this one"
    assert '"error"' in chat(caller, "error-later-event", stream=True).text
    assert total(name, requested_model="*", status_code="500") > 0, "a failure after the status line is none the less"
    caller.get("/models/made-up-by-a-caller")
    httpx.get(f"{gateway.origin}/models/made-up-by-a-stranger", trust_env=False)
    chat(caller, "wild/made-up-by-a-caller")
    text = caller.get("/metrics").text
    assert "made-up" not in text and 'requested_model="*"' in text
    assert text.count("# TYPE") == text.count("# HELP") > 5
