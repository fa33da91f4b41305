"""Hooks of callbacks that stand in a request's way, in a gateway that runs."""

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest

from support.gateway import Gateway
from support.upstream import UpstreamThread, wait_until

HOOKS = """
import asyncio, os
from litellm.integrations.custom_guardrail import CustomGuardrail
from litellm.integrations.custom_logger import CustomLogger

class HTTPException(Exception):
    def __init__(self, status_code, detail, headers=None):
        self.status_code, self.detail, self.headers = status_code, detail, headers

def note(text):
    with open(os.environ["NEWS"], "a") as file:
        file.write(text + "\\n")

def said(data):
    return data["messages"][-1]["content"]

class Hooks(CustomLogger):
    async def async_pre_call_hook(self, user_api_key_dict, cache, data, call_type):
        assert user_api_key_dict.user_role == "proxy_admin" and user_api_key_dict.request_route
        if call_type != "completion":
            return data
        word = said(data)
        if word == "text":
            return "I may not say"
        if word == "cut":
            return "I may never say"
        if word == "refuse":
            raise HTTPException(403, {"error": "not that word"}, {"Retry-After": "7"})
        if word == "returned":
            return ValueError("a secret")
        if word == "plain":
            raise Exception("in its own words")
        if word == "change":
            data["messages"] = [{"role": "user", "content": "changed"}]
            data["model"] = "up/other"
        return data

    async def async_moderation_hook(self, data, user_api_key_dict, call_type):
        if "messages" in data and said(data) == "ponder":
            await asyncio.sleep(60)
        if "messages" in data and said(data) == "judge":
            await asyncio.sleep(0.05)
            raise HTTPException(400, "judged")

    async def async_post_call_success_hook(self, data, user_api_key_dict, response):
        if "messages" not in data:
            return
        if said(data) == "late":
            raise HTTPException(451, "the answer is not for you")
        if said(data) == "rewrite":
            response.choices[0].message.content = "rewritten"

    async def async_post_call_failure_hook(self, request_data, original_exception, user_api_key_dict, traceback_str):
        note(f"{type(original_exception).__name__} {request_data['model']} {'Traceback' in traceback_str}")
        if said(request_data) == "transform":
            raise HTTPException(418, "a teapot")

    async def async_post_call_response_headers_hook(self, data, user_api_key_dict, response, **_):
        return {"x-mine": data["model"], "x-bad": "a\\r\\nb: c"}

class Streams(CustomLogger):
    async def async_post_call_streaming_iterator_hook(self, user_api_key_dict, response, request_data):
        async for chunk in response:
            if said(request_data) == "stop":
                raise HTTPException(403, "no further")
            if chunk.choices and chunk.choices[0].delta.content:
                chunk.choices[0].delta.content = chunk.choices[0].delta.content.upper()
            yield chunk

    async def async_post_call_streaming_hook(self, user_api_key_dict, response):
        if response.startswith("I MAY NEVER"):
            return 'data: {"error": {"message": "enough"}}'

class Guard(CustomGuardrail):
    async def async_pre_call_hook(self, user_api_key_dict, cache, data, call_type):
        raise HTTPException(400, "guarded")

hooks, streams, guard = Hooks(), Streams(), Guard(guardrail_name="mine", event_hook="pre_call")
"""

CONFIG = """
model_list:
  - model_name: "up/*"
    litellm_params: {{model: "openai/*", api_base: "{base_url}", api_key: k, max_retries: 0}}
  - model_name: one-at-a-time
    litellm_params: {{model: openai/endless, api_base: "{base_url}", api_key: k, max_parallel_requests: 1}}
  - model_name: chatty
    litellm_params: {{model: openai/comments-later, api_base: "{base_url}", api_key: k, between_tokens_timeout: 0.3}}
litellm_settings: {{callbacks: [hooks.hooks, hooks.streams, hooks.guard]}}
general_settings: {{master_key: sk-1234}}
"""


@pytest.fixture
def gateway(start_gateway: Callable[..., Gateway], upstream: UpstreamThread, tmp_path: Path) -> Iterator[Gateway]:
    folder = tmp_path / "gateway0"
    folder.mkdir()
    (folder / "hooks.py").write_text(HOOKS)
    yield start_gateway(CONFIG.format(base_url=upstream.base_url), NEWS=str(tmp_path / "news"))


def ask(
    gateway: Gateway, word: str, model: str = "up/m", path: str = "chat/completions", **more: Any
) -> tuple[int, bytes, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": word}], **more}
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.port}/v1/{path}", json.dumps(body).encode(), {"authorization": "Bearer sk-1234"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def message(body: bytes) -> str:
    return json.loads(body)["error"]["message"]


def streamed(body: bytes) -> str:
    chunks = [json.loads(line[6:]) for line in body.split(b"\n\n") if line.startswith(b"data: {")]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c.get("choices"))


def test_hooks(gateway: Gateway, upstream: UpstreamThread, tmp_path: Path) -> None:
    status, body, headers = ask(gateway, "hi")
    assert status == 200 and json.loads(body)["model"] == "up/m", body
    assert headers["x-mine"] == "up/m" and headers["b"] is None

    assert ask(gateway, "change")[0] == 200
    assert upstream.requests[-1].json["messages"] == [{"role": "user", "content": "changed"}]
    assert upstream.requests[-1].model == "other"

    sent = len(upstream.requests)
    status, body, _ = ask(gateway, "text")
    assert (status, json.loads(body)["choices"][0]["message"]["content"]) == (200, "I may not say")
    status, body, _ = ask(gateway, "text", stream=True)
    assert (status, streamed(body)) == (200, "I MAY NOT SAY")
    status, body, headers = ask(gateway, "refuse")
    assert (status, message(body), headers["retry-after"]) == (403, "not that word", "7")
    status, body, _ = ask(gateway, "returned")
    assert status == 500 and b"secret" not in body
    status, body, _ = ask(gateway, "plain")
    assert (status, message(body)) == (500, "in its own words")
    status, body, _ = ask(gateway, "hi", guardrails=["mine"])
    assert (status, message(body)) == (400, "guarded")
    status, body, _ = ask(gateway, "hi", guardrails=["nobody"])
    assert status == 400 and "guardrails" in message(body)
    assert len(upstream.requests) == sent, "nothing of it was sent"

    for stream in (False, True):
        status, body, _ = ask(gateway, "judge", stream=stream)
        assert (status, message(body)) == (400, "judged")
    status, body, _ = ask(gateway, "late")
    assert (status, message(body)) == (451, "the answer is not for you")
    status, body, _ = ask(gateway, "rewrite")
    assert json.loads(body)["choices"][0]["message"]["content"] == "rewritten"
    assert json.loads(body)["usage"]["total_tokens"] > 0

    assert ask(gateway, "hi", "up/status-404")[0] == 404
    status, body, _ = ask(gateway, "transform", "up/status-404")
    assert (status, message(body)) == (418, "a teapot")
    assert "NotFoundError up/status-404 True" in (tmp_path / "news").read_text()

    plain = json.loads(ask(gateway, "hi")[1])["choices"][0]["message"]["content"]
    status, body, headers = ask(gateway, "hi", stream=True)
    assert status == 200 and headers["x-mine"] == "up/m" and body.endswith(b"data: [DONE]\n\n")
    assert streamed(body) == streamed(body).upper() != "" and plain
    body = ask(gateway, "stop", stream=True)[1]
    assert b"no further" in body and b"[DONE]" not in body
    body = ask(gateway, "cut", stream=True)[1]
    assert b'"enough"' in body and b"[DONE]" not in body
    assert b'"error"' in ask(gateway, "hi", "up/bad-json-event", stream=True)[1]
    assert ask(gateway, "", path="embeddings", input="hi")[0] == 200
    assert gateway.stop() == 0


def test_a_caller_who_hangs_up_while_the_judges_ponder_takes_his_stream_along(
    gateway: Gateway, upstream: UpstreamThread
) -> None:
    def stream(word: str) -> socket.socket:
        body = {"model": "one-at-a-time", "stream": True, "messages": [{"role": "user", "content": word}]}
        data = json.dumps(body).encode()
        caller = socket.create_connection(("127.0.0.1", gateway.port), 30)
        caller.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-1234\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(data), data)
        )
        return caller

    with stream("ponder"):
        assert wait_until(lambda: len(upstream.requests) == 1, 30)
        time.sleep(0.5)  # its first events are there, and nobody may have them yet
        assert ask(gateway, "hi", "one-at-a-time", stream=True)[0] == 429

    def free() -> bool:
        with stream("hi") as caller:
            return caller.recv(4096).split()[1] == b"200"

    assert wait_until(free, 30)


def test_who_hangs_up_on_a_stream_that_hooks_see_is_counted_so(gateway: Gateway) -> None:
    body = {"model": "one-at-a-time", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    headers = {"Authorization": f"Bearer {gateway.key}"}
    with httpx.stream("POST", gateway.origin + "/v1/chat/completions", json=body, headers=headers, timeout=30) as got:
        assert b"data: " in next(got.iter_raw())
    counted = b'total_requests_metric_total{route="/chat/completions",requested_model="one-at-a-time",status_code='
    assert wait_until(lambda: counted + b'"499"} 1' in gateway.get("/metrics")[1])
    assert counted + b'"200"}' not in gateway.get("/metrics")[1]


def test_comments_are_no_events_where_hooks_see_the_stream(gateway: Gateway) -> None:
    body = {"model": "chatty", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    headers = {"Authorization": f"Bearer {gateway.key}"}
    said = bytearray()
    began = monotonic()
    with httpx.stream("POST", gateway.origin + "/v1/chat/completions", json=body, headers=headers, timeout=30) as got:
        for piece in got.iter_bytes():
            said += piece
            assert monotonic() < began + 20, "it goes on for ever"
    assert b"timeout_error" in said
