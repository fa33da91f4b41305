"""What holds for the router whatever the upstreams do and the callers want, in virtual time."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from litellm import exceptions as e
from litellm.engine.engine import Engine
from litellm.router.deployments import Deployment, Deployments
from litellm.router.health import Cooldowns, State
from litellm.router.plan import RetryPolicy, Routing
from litellm.router.router import Router
from litellm.router.strategies import STRATEGIES, Strategy
from litellm.transport.base import ClosedEarly
from litellm.transport.mock import MockAnswer, MockTransport
from litellm.types.calls import Ask, Target
from litellm.types.http import HttpRequest, HttpResponse
from support import virtual_time

ANSWER = json.dumps({"choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}).encode()
EVENT = b'data: {"choices": [{"index": 0, "delta": {"content": "hi"}}]}\n\n'
Kind = Literal["answer", "break", "unreachable", "401", "429", "429, wait", "503"]
HEADERS = {"429, wait": [(b"retry-after", b"3")]}
START = virtual_time.START

eighths = st.integers(0, 24).map(lambda count: count / 8)
"""Seconds that binary fractions hold: virtual time adds them up without error."""


@dataclass
class Upstream:
    """A host, and what it does with one call after another: (seconds, how it ends), over and over."""

    parallel: int | None
    script: list[tuple[float, Kind]]
    state: State = field(default_factory=State)
    asked: int = 0
    active: int = 0
    """Calls that have not been answered yet."""


@dataclass(frozen=True)
class Caller:
    after: float
    stream: bool
    patience: float | None
    """Seconds after which it goes away."""


upstreams = st.builds(
    Upstream,
    st.sampled_from([None, 1, 2]),
    st.lists(
        st.tuples(
            eighths, st.sampled_from(["answer", "break", "unreachable", "401", "429", "429, wait", "503", "answer"])
        ),
        min_size=1,
        max_size=5,
    ),
)
callers = st.builds(Caller, st.integers(0, 6).map(lambda count: count / 8), st.booleans(), st.none() | eighths)
strategies = st.sampled_from(sorted(STRATEGIES)).map(STRATEGIES.__getitem__)


class World:
    """Upstreams behind a router. Every call that comes to one is checked against what may come to it."""

    def __init__(self, hosts: list[Upstream], strategy: Strategy, total: float | None) -> None:
        self.hosts, self.total = hosts, total
        self.clock = asyncio.get_running_loop().time
        self.faults: list[str] = []
        made: list[Deployment] = []
        for number, host in enumerate(hosts):
            host.state.limit(host.parallel, None, None)
            target = Target("openai", str(number), f"http://{number}/v1", "k")
            made.append(Deployment(str(number), "m", target, state=host.state))
        self.transport = MockTransport(self.answer)
        engine = Engine(self.transport, self.clock)
        routing = Routing(strategy, Cooldowns(2.0), total)
        self.router = Router(Deployments(made), engine, RetryPolicy(3), None, routing, clock=self.clock)
        self.group = self.router.deployments.group("m")

    async def answer(self, request: HttpRequest) -> MockAnswer:
        host = self.hosts[int(request.url.host)]
        seconds, kind = host.script[host.asked % len(host.script)]
        host.asked += 1
        host.active += 1
        self.check(host)
        try:
            await asyncio.sleep(seconds)
        finally:
            host.active -= 1
        if kind == "unreachable":
            raise ClosedEarly("gone")
        if kind not in ("answer", "break"):
            return HttpResponse(int(kind[:3]), HEADERS.get(kind, []), b"{}")
        if json.loads(request.body or b"{}").get("stream"):
            return 200, [(b"content-type", b"text/event-stream")], _events(kind == "break")
        return HttpResponse(200, [], ANSWER)

    def check(self, host: Upstream) -> None:
        state, now = host.state, self.clock()
        if host.active > state.inflight:
            self.faults.append("a call that nobody counts")
        if host.parallel is not None and state.inflight > host.parallel:
            self.faults.append("more than its parallel calls")
        if state.resting_until > now and any(
            other.state.open_at <= now and not other.state.strikes for other in self.hosts if other is not host
        ):
            self.faults.append("asked while it rests and another is healthy")

    async def call(self, caller: Caller) -> str:
        await asyncio.sleep(caller.after)
        began = self.clock()
        ask = Ask("chat", "m", {"stream": caller.stream}, caller.stream)
        try:
            async with asyncio.timeout(caller.patience):
                try:
                    run = self.router.stream if caller.stream else self.router.send
                    served: Any = await run(ask, self.group)
                finally:
                    if self.total is not None and self.clock() > began + self.total:
                        self.faults.append("past the total time")
                if caller.stream:
                    async for _ in served.result:
                        pass
        except e.LiteLLMError as error:
            return type(error).__name__
        except TimeoutError:
            return "left"
        return "answered"

    async def calls(self, coming: list[Caller]) -> Counter[str]:
        """How they ended. Each begins so long after the one before it."""
        at, tasks = 0.0, list[asyncio.Task[str]]()
        for caller in coming:
            at += caller.after
            tasks.append(asyncio.ensure_future(self.call(Caller(at, caller.stream, caller.patience))))
        ends = Counter(await asyncio.gather(*tasks))
        await virtual_time.settle()
        return ends


async def _events(breaks: bool) -> AsyncIterator[bytes]:
    yield EVENT
    await asyncio.sleep(0.5)
    yield EVENT
    if breaks:
        raise ClosedEarly("broken")
    yield b"data: [DONE]\n\n"


@settings(deadline=None, max_examples=150)
@given(st.lists(upstreams, min_size=1, max_size=4), st.lists(callers, min_size=1, max_size=30), strategies,
       st.sampled_from([None, 0.5, 2.0, 10.0]))  # fmt: skip
def test_limits_rests_and_the_total_time_hold_and_all_is_given_back(
    hosts: list[Upstream], coming: list[Caller], strategy: Strategy, total: float | None
) -> None:
    async def main() -> None:
        world = World(hosts, strategy, total)
        await world.calls(coming)
        assert world.faults == []
        for host in hosts:
            assert (host.state.inflight, host.state.probing, host.active) == (0, False, 0)
            assert host.state.open_at == host.state.resting_until
        assert world.transport.open_streams == 0

    fresh = [Upstream(host.parallel, host.script) for host in hosts]
    hosts = fresh  # hypothesis shows and shrinks what was drawn, so that is left as it was
    virtual_time.run(main())


RUN_IN = 60
"""Calls after which the router knows that all are dead. Those under way until then may each ask all who seem well."""


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), st.integers(1, 200), st.sampled_from([0.0, 0.0625, 0.125, 0.25]),
       st.sampled_from(["unreachable", "503", "429", "429, wait", "401"]), st.sampled_from([0.0, 0.125, 1.0]),
       strategies)  # fmt: skip
def test_with_all_dead_the_upstreams_see_little_more_than_the_callers_send(
    count: int, requests: int, after: float, kind: Kind, seconds: float, strategy: Strategy
) -> None:
    hosts = [Upstream(None, [(seconds, kind)]) for _ in range(count)]

    async def main() -> tuple[float, int]:
        world = World(hosts, strategy, 30.0)
        await world.calls([Caller(after, False, None)] * RUN_IN)
        before = sum(host.asked for host in hosts)
        ends = await world.calls([Caller(after, False, None)] * requests)
        assert ends["answered"] == 0
        return asyncio.get_running_loop().time() - START, before

    took, before = virtual_time.run(main())
    assert sum(host.asked for host in hosts) - before <= requests + 0.2 * (requests + RUN_IN) + 10 * (took + 1)
