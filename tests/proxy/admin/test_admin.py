"""The management app, asked as a process: its description, its errors, what it tells and what it keeps to itself."""

import http.client
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import litellm
from litellm.proxy import probes, routes
from litellm.proxy.admin import openapi
from support.gateway import MASTER_KEY, Gateway
from support.upstream import UpstreamThread

CONFIG: Final = """
model_list:
  - model_name: good
    litellm_params:
      model: openai/good-1
      api_base: {base}
      api_key: sk-s3cr3t-one
      extra_headers: {{x-inside: s3cr3t-two}}
      extra_body: {{inside: s3cr3t-three}}
      unknown_token: s3cr3t-four
      mock_timeout: s3cr3t-five
      organization: s3cr3t-six
      temperature: 0.5
      rpm: 10
    model_info: {{id: first, max_input_tokens: 100, supports_vision: true, team_note: shown}}
  - model_name: good
    litellm_params: {{model: openai/good-2, api_base: {base}, api_key: sk-s3cr3t-one, rpm: 5}}
    model_info: {{max_input_tokens: 200}}
  - model_name: bad
    litellm_params: {{model: openai/status-500, api_base: {base}, api_key: sk-s3cr3t-one}}
  - model_name: vectors
    litellm_params: {{model: openai/vectors, api_base: {base}, api_key: sk-s3cr3t-one}}
    model_info: {{mode: embedding}}
  - model_name: speech
    litellm_params: {{model: openai/speech, api_base: {base}, api_key: sk-s3cr3t-one}}
    model_info: {{mode: audio_speech}}
  - model_name: keyless
    litellm_params: {{model: openai/keyless, api_base: {base}, api_key: os.environ/NOT_SET_ANYWHERE}}
  - model_name: openai/*
    litellm_params: {{model: openai/*, api_base: {base}, api_key: sk-s3cr3t-one}}
general_settings:
  master_key: {key}
"""


def needs_no_store(operation: dict[str, Any]) -> bool:
    """Asking any other route would make one: tests/proxy/admin/test_limits.py and the like, tests/e2e."""
    return set(operation["tags"]) <= {"inference", "models", "health", "docs"}


@pytest.fixture(scope="module")
def admin(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = CONFIG.format(base=shared_upstream.base_url, key=MASTER_KEY)
    with Gateway(config, tmp_path_factory.mktemp("admin")) as gateway:
        yield gateway


def asked(gateway: Gateway, path: str, key: str | None = None) -> Any:
    status, body = gateway.get(path, key=key)
    assert status == 200, body
    return json.loads(body)


def error_of(answer: tuple[int, bytes]) -> tuple[int, dict[str, Any]]:
    """Status and `error` object, which has OpenAI's four fields and no others."""
    status, body = answer
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["code"] == str(status)
    return status, error


# The description.


def test_openapi_and_the_dispatch_table_name_the_same_routes(admin: Gateway) -> None:
    described = asked(admin, "/openapi.json")["paths"]
    inference = {path for path, item in described.items() if item.get("post", {}).get("tags") == ["inference"]}
    assert inference == {path for path, _ in routes.templates()}
    for path in inference:
        assert routes.inference(path.replace("{model}", "m")) is not None
    assert set(openapi.PROBES) == set(probes.PROBES) | {"/models/{model}", "/v1/models/{model}"}
    for path in openapi.PROBES:
        assert "get" in described[path] and probes.find(path.replace("{model}", "m")) is not None


def test_every_described_get_is_answered(admin: Gateway) -> None:
    for path, item in asked(admin, "/openapi.json")["paths"].items():
        if "get" in item and needs_no_store(item["get"]):
            assert admin.get(path.replace("{model}", "good"))[0] == 200, path


def test_routes_lists_what_openapi_describes(admin: Gateway) -> None:
    described = asked(admin, "/openapi.json")["paths"]
    listed = {(row["path"], method.lower()) for row in asked(admin, "/routes")["routes"] for method in row["methods"]}
    assert listed == {(path, verb) for path, item in described.items() for verb in item}


def test_public_is_what_is_public_and_nothing_else(admin: Gateway) -> None:
    for path, item in asked(admin, "/openapi.json")["paths"].items():
        for verb, operation in item.items():
            status, _ = admin.request(verb.upper(), path.replace("{model}", "good"), None, key="")
            said_public = operation.get("security") == []
            assert (status == 200, said_public) == (path in routes.PUBLIC,) * 2, path


def test_the_models_are_named_only_to_those_with_a_key(admin: Gateway) -> None:
    _, body = admin.get("/openapi.json", key="wrong")
    assert b"vectors" not in body and b"my-model" in body
    schema = asked(admin, "/openapi.json")["components"]["schemas"]["ChatRequest"]["properties"]["model"]
    exact, wild = schema["anyOf"]
    assert exact == {"enum": ["bad", "good", "keyless", "speech", "vectors"]}
    assert re.search(wild["pattern"], "openai/gpt-x") and not re.search(wild["pattern"], "xopenai/gpt")


def test_the_examples_are_answered(admin: Gateway) -> None:
    """A reader who sends what the description shows gets an answer."""
    for path, item in asked(admin, "/openapi.json")["paths"].items():
        if "post" in item and needs_no_store(item["post"]):
            [example] = item["post"]["requestBody"]["content"]["application/json"]["examples"].values()
            status, body = admin.post(path.replace("{model}", "good"), example["value"])
            assert status == 200, (path, body)


# Models.


def test_model_info_tells_what_is_no_secret(admin: Gateway) -> None:
    rows = asked(admin, "/model/info")["data"]
    assert [row["model_name"] for row in rows] == [
        "good", "good", "bad", "vectors", "speech", "keyless", "openai/*",
    ]  # fmt: skip
    first = rows[0]
    assert first["litellm_params"] == {
        "model": "openai/good-1",
        "api_base": rows[1]["litellm_params"]["api_base"],
        "temperature": 0.5,
        "rpm": 10,
    }
    info = first["model_info"]
    assert (info["id"], info["key"], info["db_model"], info["team_note"]) == ("first", "good-1", False, "shown")
    assert "temperature" in info["supported_openai_params"] and "messages" not in info["supported_openai_params"]
    assert "dimensions" in rows[3]["model_info"]["supported_openai_params"]
    assert asked(admin, "/v1/model/info")["data"] == rows
    page = asked(admin, "/v2/model/info?page=2&size=5")
    assert (page["data"], page["total_count"], page["total_pages"]) == (rows[5:], 7, 2)
    assert asked(admin, "/v2/model/info?model=good")["data"] == rows[:2]


@pytest.mark.parametrize(
    "path", ["/model/info", "/v1/model/info", "/model_group/info", "/health", "/openapi.json", "/"]
)
def test_no_secret_is_told(admin: Gateway, path: str) -> None:
    status, body = admin.get(path)
    assert status == 200 and b"s3cr3t" not in body and MASTER_KEY.encode() not in body


def test_one_deployment_by_its_id(admin: Gateway) -> None:
    [row] = asked(admin, "/model/info?litellm_model_id=first")["data"]
    assert row["model_info"]["id"] == "first"
    status, error = error_of(admin.get("/model/info?litellm_model_id=none"))
    assert (status, error["type"], error["param"]) == (404, "not_found_error", "litellm_model_id")


def test_groups_are_the_sum_of_their_deployments(admin: Gateway) -> None:
    groups = {row["model_group"]: row for row in asked(admin, "/model_group/info")["data"]}
    assert list(groups) == ["good", "bad", "vectors", "speech", "keyless", "openai/*"]
    good = groups["good"]
    assert (good["rpm"], good["tpm"], good["max_input_tokens"]) == (15, None, 200)
    assert good["providers"] == ["openai"] and good["supports_vision"] is True
    assert groups["vectors"]["mode"] == "embedding"
    assert [row["model_group"] for row in asked(admin, "/model_group/info?model_group=bad")["data"]] == ["bad"]


# Health.


def test_tokens_are_counted_as_the_sdk_counts_them(admin: Gateway, shared_upstream: UpstreamThread) -> None:
    messages = [{"role": "user", "content": "How many tokens does this question have?"}]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    before = len(shared_upstream.requests)
    for asked_for, given in (
        ({"messages": messages}, {"messages": messages}),
        ({"messages": messages, "tools": tools}, {"messages": messages, "tools": tools}),
        ({"prompt": "hello there"}, {"text": "hello there"}),
    ):
        status, body = admin.post("/utils/token_counter", {"model": "good", **asked_for})
        assert status == 200
        said = json.loads(body)
        assert said["total_tokens"] == litellm.token_counter("good-1", **given) > 0
        assert (said["request_model"], said["model_used"], said["error"]) == ("good", "good-1", False)
        assert said["tokenizer_type"] in ("openai_tokenizer", "local_tokenizer")
        assert said.keys() == {
            "total_tokens", "request_model", "model_used", "tokenizer_type", "original_response", "error",
            "error_message", "status_code",
        }  # fmt: skip
    elsewhere = json.loads(admin.post("/utils/token_counter", {"model": "gpt-4o", "prompt": "hi"})[1])
    assert (elsewhere["model_used"], elsewhere["total_tokens"]) == ("gpt-4o", 1)
    assert error_of(admin.post("/utils/token_counter", {"model": "good"}))[1]["param"] == "messages"
    assert error_of(admin.post("/utils/token_counter", {"prompt": "hi"}))[1]["param"] == "model"
    assert error_of(admin.post("/utils/token_counter", {"model": "good", "prompt": "hi"}, key="sk-nobody"))[0] == 401
    assert len(shared_upstream.requests) == before, "nothing is sent anywhere"


def test_health_really_asks_every_deployment(admin: Gateway, shared_upstream: UpstreamThread) -> None:
    shared_upstream.requests.clear()
    report = asked(admin, "/health")
    assert {request.model for request in shared_upstream.requests} == {"good-1", "good-2", "status-500", "vectors"}
    sent = {request.model: request for request in shared_upstream.requests}
    assert sent["good-1"].json["messages"][0]["content"] == "What's 1 + 1?" and sent["good-1"].json["max_tokens"] == 16
    assert sent["vectors"].path.endswith("/embeddings")
    assert sorted(row["model"] for row in report["healthy_endpoints"]) == [
        "openai/good-1", "openai/good-2", "openai/vectors",
    ]  # fmt: skip
    unhealthy = {row["model_name"]: row for row in report["unhealthy_endpoints"]}
    assert {name: row["status_code"] for name, row in unhealthy.items()} == {"bad": 500, "speech": 501, "keyless": 401}
    assert "NOT_SET_ANYWHERE" in unhealthy["keyless"]["error"]
    assert (report["healthy_count"], report["unhealthy_count"]) == (3, 3)


def test_health_of_one_model_asks_no_other(admin: Gateway, shared_upstream: UpstreamThread) -> None:
    shared_upstream.requests.clear()
    assert asked(admin, "/health?model=good")["healthy_count"] == 2
    assert asked(admin, "/health?model=openai/vectors")["healthy_endpoints"][0]["model_name"] == "vectors"
    assert {request.model for request in shared_upstream.requests} == {"good-1", "good-2", "vectors"}
    status, error = error_of(admin.get("/health?model=none"))
    assert (status, error["param"]) == (404, "model")


def test_alive_and_ready(admin: Gateway) -> None:
    assert asked(admin, "/health/liveliness", key="wrong") == "I'm alive!" == asked(admin, "/health/liveness")
    ready = asked(admin, "/health/readiness", key="wrong")
    assert (ready["status"], ready["db"]) == ("healthy", "Not connected")


# Errors, methods, headers.


def test_an_unknown_route_is_answered_as_fastapi_does(admin: Gateway) -> None:
    assert admin.get("/no/such/route") == (404, b'{"detail":"Not Found"}')
    assert admin.post("/model/info/", {}) == (404, b'{"detail":"Not Found"}')
    assert error_of(admin.get("/no/such/route", key="wrong"))[0] == 401  # what there is, is for callers with a key


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/chat/completions"),
        ("HEAD", "/engines/good/embeddings"),
        ("POST", "/model/info"),
        ("DELETE", "/openapi.json"),
        ("POST", "/v1/models"),
        ("PUT", "/health/liveliness"),
        ("PATCH", "/"),
    ],
)
def test_another_method_is_405_and_says_which_it_takes(admin: Gateway, method: str, path: str) -> None:
    status, headers, body = raw(admin, method, path)
    taken = {"POST"} if "completions" in path or "embeddings" in path else {"GET"}
    assert status == 405 and taken <= set(headers["allow"].split(", "))
    assert method == "HEAD" or error_of((status, body))[1]["type"] == "invalid_request_error"


@pytest.mark.parametrize("path", ["/", "/openapi.json", "/routes", "/model/info", "/health/liveliness", "/v1/models"])
def test_head_is_get_without_the_body(admin: Gateway, path: str) -> None:
    status, headers, body = raw(admin, "HEAD", path)
    assert (status, body) == (200, b"")
    assert headers["content-length"] == str(len(admin.get(path)[1]))


@pytest.mark.parametrize(
    "path", ["/", "/routes", "/model/info", "/no/such/route", "/v1/models", "/model/info?litellm_model_id=x"]
)
def test_every_answer_has_the_headers_of_all_answers(admin: Gateway, path: str) -> None:
    _, headers, _ = raw(admin, "GET", path)
    assert headers["x-litellm-version"] and headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY" and "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/no/such/route", "/routes", "/v1/models", "/v1/chat/completions"])
def test_an_exchange_that_ended_before_its_answer_is_no_error(admin: Gateway, path: str) -> None:
    """The body is malformed and arrives with the head: the server has refused the request when the app begins."""
    assert admin.get("/routes")[0] == 200  # the management app is loaded, and need not be waited for
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {MASTER_KEY}\r\n"
    with socket.create_connection(("127.0.0.1", admin.port), 30) as connection:
        connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\nno size\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert admin.get("/health/liveliness")[0] == 200
    assert "Traceback" not in admin.log and "ERROR" not in admin.log, admin.log[-3000:]


def raw(gateway: Gateway, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, header fields by name in lower case, body."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    try:
        connection.request(method, path, headers=gateway.headers)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def test_the_page_is_one_file_without_addresses_of_others() -> None:
    page = Path(openapi.__file__).parent.parent.joinpath("ui", "docs.html").read_text("utf-8")
    assert not re.findall(r"https?://|//[a-z]+\.|\bsrc=|innerHTML|outerHTML|insertAdjacentHTML|localStorage", page)
