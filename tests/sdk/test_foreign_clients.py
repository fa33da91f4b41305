"""Calls over a caller's own HTTP client, and what then sees the traffic."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import openai
import pytest

import litellm
from support.upstream import UpstreamThread

HI = [{"role": "user", "content": "hi"}]
LIBRARIES = [httpx, httpx2]


def target(upstream: UpstreamThread) -> dict[str, Any]:
    return {"api_base": upstream.base_url, "api_key": "sk-1", "messages": HI, "num_retries": 0}


def text_of(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def both_ways(client: Any, model: str = "openai/m", **given: Any) -> tuple[str, str]:
    """What a synchronous caller gets, whole and streamed."""
    whole = litellm.completion(model, client=client, **given)
    chunks = list(litellm.completion(model, client=client, stream=True, **given))
    return whole.choices[0].message.content, text_of(chunks)


async def both_ways_async(client: Any, model: str = "openai/m", **given: Any) -> tuple[str, str]:
    whole = await litellm.acompletion(model, client=client, **given)
    stream = await litellm.acompletion(model, client=client, stream=True, **given)
    return whole.choices[0].message.content, text_of([chunk async for chunk in stream])


@pytest.mark.parametrize("library", LIBRARIES)
def test_httpx_clients(library: Any, upstream: UpstreamThread) -> None:
    async def asynchronous() -> tuple[str, str]:
        async with library.AsyncClient(headers={"x-client": "a"}) as client:
            return await both_ways_async(client, **target(upstream))

    with library.Client(headers={"x-client": "s"}) as client:
        answers = [both_ways(client, **target(upstream)), asyncio.run(asynchronous())]
    assert len({*answers}) == 1 and all(map(all, answers))
    assert [request.headers["x-client"] for request in upstream.requests] == ["s", "s", "a", "a"]
    assert {request.headers["authorization"] for request in upstream.requests} == {"Bearer sk-1"}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_test_double_sees_the_traffic(library: Any) -> None:
    seen: list[dict[str, Any]] = []

    def handler(request: Any) -> Any:
        seen.append(json.loads(request.content))
        return library.Response(200, json={"choices": [{"message": {"content": "doubled"}}]}, headers={"x-up": "1"})

    with library.Client(transport=library.MockTransport(handler)) as client:
        made = litellm.completion("openai/m", HI, api_key="k", client=client)
    assert made.choices[0].message.content == "doubled"
    assert made._hidden_params["additional_headers"]["llm_provider-x-up"] == "1"
    assert seen == [{"model": "m", "messages": HI}]


def test_sessions_for_all_calls(upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch) -> None:
    async def asynchronous() -> None:
        async with httpx.AsyncClient(headers={"x-client": "a"}) as session:
            monkeypatch.setattr(litellm, "aclient_session", session)
            await litellm.acompletion("openai/m", **target(upstream))
            await litellm.aembedding(**{**target(upstream), "messages": None}, model="openai/e", input=["a"])

    with httpx.Client(headers={"x-client": "s"}) as session:
        monkeypatch.setattr(litellm, "client_session", session)
        litellm.completion("openai/m", **target(upstream))
        asyncio.run(asynchronous())
    assert [request.headers["x-client"] for request in upstream.requests] == ["s", "a", "a"]


def test_openai_clients_bring_their_address_and_key(upstream: UpstreamThread) -> None:
    given = {"messages": HI, "num_retries": 0, "extra_headers": {"x-mine": "1"}, "temperature": 0.5}

    async def asynchronous() -> tuple[str, str]:
        async with openai.AsyncOpenAI(api_key="sk-own", base_url=upstream.base_url, organization="org") as client:
            return await both_ways_async(client, **given)

    with openai.OpenAI(api_key="sk-own", base_url=upstream.base_url, organization="org") as client:
        answers = [both_ways(client, **given), asyncio.run(asynchronous())]
    assert len({*answers}) == 1 and all(map(all, answers))
    for request in upstream.requests:
        assert request.path == "/v1/chat/completions"
        assert request.headers["authorization"] == "Bearer sk-own"
        assert request.headers["openai-organization"] == "org"
        assert request.headers["user-agent"].split("/")[0] in ("OpenAI", "AsyncOpenAI")
        assert request.headers["x-mine"] == "1"
        assert request.json["temperature"] == 0.5


def test_azure_finds_its_path() -> None:
    seen: list[Any] = []

    def handler(request: Any) -> Any:
        seen.append((str(request.url), request.headers["api-key"]))
        return httpx2.Response(200, json={"choices": [{"message": {"content": "azure"}}]})

    double = httpx2.Client(transport=httpx2.MockTransport(handler))
    with openai.AzureOpenAI(
        api_key="ak", azure_endpoint="https://e.example", api_version="2024-10-21", http_client=double
    ) as client:
        litellm.completion("openai/dep", HI, client=client)
    assert seen == [("https://e.example/openai/deployments/dep/chat/completions?api-version=2024-10-21", "ak")]


CLIENTS: list[Callable[[str], Any]] = [
    lambda base: httpx.Client(),
    lambda base: httpx2.Client(),
    lambda base: openai.OpenAI(api_key="k", base_url=base),
]


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("status-429", litellm.RateLimitError),
        ("status-401", litellm.AuthenticationError),
        ("text-status-500", litellm.InternalServerError),
        ("reset-before-headers", litellm.APIConnectionError),
        ("close-mid-body", litellm.APIConnectionError),
        ("not-json", litellm.APIResponseValidationError),
    ],
)
def test_failures_are_the_same_as_ever(
    make: Callable[[str], Any], model: str, error: type[Exception], upstream: UpstreamThread
) -> None:
    client = make(upstream.base_url)
    try:
        with pytest.raises(error):
            litellm.completion(f"openai/{model}", client=client, **target(upstream))
        if model != "not-json":
            with pytest.raises(error):
                list(litellm.completion(f"openai/{model}", client=client, stream=True, **target(upstream)))
    finally:
        client.close()


@pytest.mark.parametrize("make", CLIENTS)
def test_refused_and_late(make: Callable[[str], Any], upstream: UpstreamThread) -> None:
    client = make("http://127.0.0.1:9/v1")
    with pytest.raises(litellm.APIConnectionError):
        litellm.completion("openai/m", HI, client=client, api_base="http://127.0.0.1:9/v1", api_key="k", num_retries=0)
    client.close()
    client = make(upstream.base_url)
    with pytest.raises(litellm.Timeout):
        litellm.completion("openai/hang", client=client, timeout=0.5, **target(upstream))
    client.close()


def test_retries_are_ours_alone(upstream: UpstreamThread) -> None:
    client = openai.OpenAI(api_key="k", base_url=upstream.base_url, max_retries=5)
    with client, pytest.raises(litellm.InternalServerError):
        litellm.completion("openai/status-500", HI, client=client, num_retries=1)
    assert len(upstream.requests) == 2


def test_what_is_no_client() -> None:
    with pytest.raises(litellm.BadRequestError, match="`client` is a object"):
        litellm.completion("openai/m", HI, api_key="k", client=object())


def test_a_stream_left_early_ends_the_callers_response(upstream: UpstreamThread) -> None:
    async def main() -> None:
        async with httpx.AsyncClient() as client:
            stream = await litellm.acompletion("openai/endless", client=client, stream=True, **target(upstream))
            async for _ in stream:
                break
            await stream.aclose()
            for _ in range(3000):
                if upstream.requests[0].disconnected:
                    return
                await asyncio.sleep(0.01)

    asyncio.run(main())
    assert upstream.requests[0].disconnected


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_the_environment_switches_everything(library: str, upstream: UpstreamThread) -> None:
    code = f"""
import asyncio, litellm
call = dict(model="openai/m", api_base={upstream.base_url!r}, api_key="k", messages={HI!r})
async def main():
    await litellm.acompletion(**call)
    return [chunk async for chunk in await litellm.acompletion(**call, stream=True)]
assert asyncio.run(main())
assert litellm.completion(**call).choices[0].message.content
assert list(litellm.completion(**call, stream=True))
"""
    command = [sys.executable, "-W", "error", "-c", code]
    environment = {"LITELLM_HTTP_CLIENT": library, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(upstream.requests) == 4
    for request in upstream.requests:  # httpx sends `connection: keep-alive`; ours has no need of it
        assert request.headers["connection"] == "keep-alive"


def test_another_value_of_it_is_refused() -> None:
    from litellm.transport.choice import transport_for

    with pytest.raises(ValueError, match="must be one of httpx, httpx2, not 'requests'"):
        transport_for({"LITELLM_HTTP_CLIENT": "requests"})
