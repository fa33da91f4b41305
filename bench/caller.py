"""`python -m bench.caller PACKAGE WAY BASE_URL CALLS`: make calls, print the CPU microseconds that each has cost.

PACKAGE is `litellm` or `openai`, WAY one of `WAYS`. The first tenth warms up and does not count. All of the process's
threads count, so what a synchronous call does elsewhere is not free.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

CONCURRENT: Final = 16
_ASKED: Final[dict[str, Any]] = {"messages": [{"role": "user", "content": "hi"}]}

Async = Callable[..., Awaitable[Any]]
Sync = Callable[..., Any]


def functions(package: str, base_url: str) -> tuple[Sync, Async]:
    """The package's own way of making a chat completion."""
    if package == "openai":
        import openai

        client = openai.OpenAI(base_url=base_url, api_key="sk-1")
        other = openai.AsyncOpenAI(base_url=base_url, api_key="sk-1")

        def create(**more: Any) -> Any:
            return client.chat.completions.create(model="gpt-4o-mini", **_ASKED, **more)

        async def acreate(**more: Any) -> Any:
            return await other.chat.completions.create(model="gpt-4o-mini", **_ASKED, **more)

        return create, acreate
    import litellm

    where = {"model": "openai/gpt-4o-mini", "api_base": base_url, "api_key": "sk-1"}
    return lambda **more: litellm.completion(**where, **_ASKED, **more), lambda **more: litellm.acompletion(
        **where, **_ASKED, **more
    )


def sync_calls(ask: Sync, aask: Async, calls: int) -> int:
    for _ in range(calls):
        assert ask().choices[0].message.content
    return calls


def async_calls(ask: Sync, aask: Async, calls: int) -> int:
    """`CONCURRENT` callers on one loop."""

    async def caller() -> None:
        for _ in range(calls // CONCURRENT):
            assert (await aask()).choices[0].message.content

    _RUNNER.run(_together(caller))
    return calls // CONCURRENT * CONCURRENT


def sync_stream(ask: Sync, aask: Async, calls: int) -> int:
    """Counts chunks."""
    return sum(1 for _ in range(calls) for _ in ask(stream=True))


def async_stream(ask: Sync, aask: Async, calls: int) -> int:
    """Counts chunks."""

    async def read() -> int:
        return sum([1 for _ in range(calls) async for _ in await aask(stream=True)])

    return _RUNNER.run(read())


WAYS: Final = {"async": async_calls, "sync": sync_calls, "async stream": async_stream, "sync stream": sync_stream}
_RUNNER: Final = asyncio.Runner()


async def _together(caller: Callable[[], Awaitable[None]]) -> None:
    await asyncio.gather(*(caller() for _ in range(CONCURRENT)))


def main(package: str, way: str, base_url: str, calls: int) -> None:
    both = functions(package, base_url)
    WAYS[way](*both, max(CONCURRENT, calls // 10))
    begin = time.process_time()
    made = WAYS[way](*both, calls)
    print(1e6 * (time.process_time() - begin) / made)


if __name__ == "__main__":
    main(*sys.argv[1:4], calls=int(sys.argv[4]))
