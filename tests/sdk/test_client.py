"""The SDK's connections by event loop: used again within one, closed with it, made anew after a fork."""

import asyncio
import gc
import multiprocessing
import os
import weakref
from typing import Any

import pytest

import litellm
from litellm.sdk.client import client
from support.upstream import UpstreamThread

MESSAGES = [{"role": "user", "content": "hi"}]
TEXT = " tok0 tok1 tok2 tok3 tok4"


def given(upstream: UpstreamThread) -> dict[str, Any]:
    return {"model": "openai/ok", "messages": MESSAGES, "api_key": "k", "api_base": upstream.base_url}


def test_a_loops_calls_share_a_connection_and_the_loops_end_closes_it(upstream: UpstreamThread) -> None:
    async def main() -> None:
        for _ in range(3):
            await litellm.acompletion(**given(upstream))

    asyncio.run(main())
    assert upstream.accepted == 1
    assert upstream.wait_closed()


def test_a_loop_that_has_ended_is_forgotten(upstream: UpstreamThread) -> None:
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def main() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await litellm.acompletion(**given(upstream))

    for _ in range(3):
        asyncio.run(main())
    gc.collect()
    assert [loop() for loop in loops] == [None, None, None]
    assert not [loop for loop in client._routers if loop.is_closed()]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # "unclosed transport": so it was
def test_a_loop_closed_carelessly_does_not_hinder_the_next(upstream: UpstreamThread) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(litellm.acompletion(**given(upstream)))
    loop.close()
    made = asyncio.run(litellm.acompletion(**given(upstream)))
    assert made.choices[0].message.content == TEXT
    assert loop not in client._routers
    del loop
    gc.collect()


def in_child(base: str, out: Any) -> None:
    try:
        made = litellm.completion("openai/ok", MESSAGES, api_key="k", api_base=base, timeout=20)
        out.put(made.choices[0].message.content)
    except BaseException as error:
        out.put(repr(error))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # forking with threads, which is what is tested
def test_a_forked_child_calls_on_connections_of_its_own(upstream: UpstreamThread) -> None:
    litellm.completion(**given(upstream))
    fork = multiprocessing.get_context("fork")
    out = fork.Queue()
    child = fork.Process(target=in_child, args=(upstream.base_url, out))
    child.start()
    assert out.get(timeout=30) == TEXT
    child.join(30)
    assert child.exitcode == 0
    assert upstream.requests[0].connection != upstream.requests[1].connection
    assert litellm.completion(**given(upstream)).choices[0].message.content == TEXT
    assert upstream.requests[2].connection == upstream.requests[0].connection, "the parent's connection is still good"


def test_the_same_values_make_one_target(upstream: UpstreamThread) -> None:
    before = len(client._targets)
    for _ in range(5):
        litellm.completion(**given(upstream))
    assert len(client._targets) == before + 1


def test_proxies_of_the_environment_are_used(upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """An https call goes to the proxy by CONNECT: this upstream sees it, and knows no such path."""
    monkeypatch.setitem(os.environ, "HTTPS_PROXY", upstream.origin)

    async def main() -> None:
        with pytest.raises(litellm.APIConnectionError):
            await litellm.acompletion(**{**given(upstream), "api_base": "https://example.invalid/v1"}, num_retries=0)

    asyncio.run(main())
    assert (upstream.requests[-1].method, upstream.requests[-1].path) == ("CONNECT", "example.invalid:443")
