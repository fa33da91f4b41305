"""LiteLLM's HTTP clients, against a real server."""

import asyncio
import sys
from typing import Any

import httpx
import pytest

import litellm
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler, get_async_httpx_client
from support.upstream import UpstreamThread

MESSAGES: list[Any] = [{"role": "user", "content": "hi"}]


def chat(upstream: UpstreamThread) -> str:
    return f"{upstream.base_url}/chat/completions"


def body(model: str = "m") -> dict[str, Any]:
    return {"model": model, "messages": MESSAGES}


def test_requests_and_their_errors(upstream: UpstreamThread) -> None:
    with HTTPHandler(timeout=20, concurrent_limit=5) as handler:
        assert handler.post(chat(upstream), json=body()).json()["choices"]
        assert handler.post(chat(upstream), data='{"model": "m", "messages": []}').status_code == 200
        with pytest.raises(httpx.HTTPStatusError) as raised:
            handler.post(chat(upstream), json=body("status-404"), stream=True)
        assert (raised.value.response.status_code, raised.value.status_code) == (404, 404)  # type: ignore[attr-defined]
        assert raised.value.message == raised.value.response.text  # type: ignore[attr-defined]
        assert handler.get(f"{upstream.base_url}/nowhere", params={"a": 1}).status_code >= 400
        for method in (handler.put, handler.patch, handler.delete):
            with pytest.raises(httpx.HTTPStatusError):
                method(chat(upstream), json=body("status-500"), headers={"x-a": "b"})
    assert handler.client.is_closed


def test_asynchronous_ones(upstream: UpstreamThread) -> None:
    async def run() -> None:
        async with get_async_httpx_client(llm_provider="openai", params={"timeout": 20}) as handler:
            assert (await handler.post(chat(upstream), json=body())).json()["choices"]
            with pytest.raises(httpx.HTTPStatusError):
                await handler.post(chat(upstream), json=body("status-500"))
            made = await litellm.acompletion(
                "openai/m", MESSAGES, client=handler, api_base=upstream.base_url, api_key="k"
            )
            assert made.choices[0].message.content
        assert handler.client.is_closed

    asyncio.run(run())


def test_a_call_goes_through_one(upstream: UpstreamThread) -> None:
    seen: list[str] = []

    def note(request: httpx.Request) -> None:
        seen.append(request.url.path)

    with HTTPHandler(client=httpx.Client(event_hooks={"request": [note]})) as handler:
        made = litellm.completion("openai/m", MESSAGES, client=handler, api_base=upstream.base_url, api_key="k")
    assert made.choices[0].message.content
    assert seen == ["/v1/chat/completions"]


def test_a_timeout_is_ours() -> None:
    def late(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too late")

    with (
        HTTPHandler(client=httpx.Client(transport=httpx.MockTransport(late))) as handler,
        pytest.raises(litellm.Timeout, match="too late"),
    ):
        handler.post("http://127.0.0.1:9/")


def test_without_httpx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    handlers = HTTPHandler(), AsyncHTTPHandler()
    for handler in handlers:
        with pytest.raises(ImportError, match="pip install httpx"):
            assert handler.client
    handlers[0].close()
