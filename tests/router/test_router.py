"""The router: attempts, counted where they arrive."""

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from litellm import exceptions as e
from litellm.engine.engine import Engine
from litellm.router.deployments import Deployment, Deployments
from litellm.router.fallbacks import Fallbacks
from litellm.router.health import State
from litellm.router.plan import RetryPolicy, Routing
from litellm.router.queue import QueuePolicy
from litellm.router.router import Router
from litellm.router.waiting import Queues
from litellm.transport.mock import MockTransport
from litellm.types.calls import Ask, Target
from litellm.types.http import HttpRequest, HttpResponse, Timeouts
from support import virtual_time

ANSWER = json.dumps({"choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}).encode()
STREAM = b'data: {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


class Upstreams:
    """Hosts by name and what each answers, attempt after attempt; the last one is repeated."""

    def __init__(self, **answers: list[int]) -> None:
        self.answers = answers
        self.asked: Counter[str] = Counter()
        self.order: list[str] = []

    def __call__(self, request: HttpRequest) -> HttpResponse:
        host = request.url.host
        given = self.answers[host]
        status = given[min(self.asked[host], len(given) - 1)]
        self.asked[host] += 1
        self.order.append(host)
        streamed = json.loads(request.body).get("stream")  # type: ignore[arg-type]
        return HttpResponse(status, [(b"retry-after", b"0.01")], STREAM if streamed else ANSWER)

    def router(self, policy: RetryPolicy | None = None, **more: Any) -> Router:
        made = [
            Deployment(host, "m", Target("openai", host, f"http://{host}/v1", "k"), **more) for host in self.answers
        ]
        return Router(Deployments(made), Engine(MockTransport(self), lambda: 0.0), policy or RetryPolicy())


def send(router: Router, num_retries: int | None = None, stream: bool = False) -> Any:
    ask = Ask("chat", "m", {"stream": stream}, stream)
    run = router.stream if stream else router.send
    return asyncio.run(run(ask, router.deployments.group("m"), num_retries))  # type: ignore[arg-type]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_at_once(stream: bool) -> None:
    upstreams = Upstreams(a=[200])
    served = send(upstreams.router(), stream=stream)
    assert (served.deployment.id, served.retries, upstreams.asked["a"]) == ("a", 0, 1)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_after_two_failures(stream: bool) -> None:
    upstreams = Upstreams(a=[503, 429, 200])
    assert send(upstreams.router(), stream=stream).retries == 2
    assert upstreams.asked["a"] == 3


@pytest.mark.parametrize(("policy", "asked", "attempts"), [(2, None, 3), (0, None, 1), (2, 0, 1), (0, 3, 4)])
def test_giving_up(policy: int, asked: int | None, attempts: int) -> None:
    upstreams = Upstreams(a=[503])
    with pytest.raises(e.ServiceUnavailableError) as caught:
        send(upstreams.router(RetryPolicy(policy)), asked)
    assert upstreams.asked["a"] == attempts
    assert caught.value.num_retries == attempts - 1
    assert caught.value.max_retries == attempts - 1


def test_the_deployment_may_have_its_own_number() -> None:
    upstreams = Upstreams(a=[503])
    with pytest.raises(e.ServiceUnavailableError):
        send(upstreams.router(max_retries=4))
    assert upstreams.asked["a"] == 5


def test_what_cannot_succeed_is_not_tried_again() -> None:
    upstreams = Upstreams(a=[400])
    with pytest.raises(e.BadRequestError) as caught:
        send(upstreams.router())
    assert (upstreams.asked["a"], caught.value.num_retries) == (1, 0)


def test_another_deployment_is_asked_before_the_same_again() -> None:
    for _ in range(20):
        upstreams = Upstreams(a=[503], b=[503], c=[503])
        with pytest.raises(e.ServiceUnavailableError):
            send(upstreams.router(), 3)
        assert sorted(upstreams.order[:3]) == ["a", "b", "c"]
        assert len(upstreams.order) == 4


def test_deployments_share_the_load() -> None:
    upstreams = Upstreams(a=[200], b=[200])
    router = upstreams.router()

    async def main() -> None:
        for _ in range(400):
            await router.send(Ask("chat", "m", {}), router.deployments.group("m"))

    asyncio.run(main())
    assert 120 < upstreams.asked["a"] < 280


def test_cancelling_ends_the_attempts() -> None:
    upstreams = Upstreams(a=[503])

    async def main() -> None:
        router = upstreams.router(RetryPolicy(1000, retry_after=0.01))
        task = asyncio.ensure_future(router.send(Ask("chat", "m", {}), router.deployments.group("m")))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        count = upstreams.asked["a"]
        await asyncio.sleep(0.05)
        assert upstreams.asked["a"] == count > 0

    asyncio.run(main())


class Slow:
    """A host that answers after `seconds`, and how many asked it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked = 0

    async def send(self, call: Any) -> Any:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        raise e.ServiceUnavailableError("no", call.target.provider, call.target.model)


def deployment(name: str, group: str, **more: Any) -> Deployment:
    return Deployment(name, group, Target("openai", name, f"http://{name}/v1", "k"), **more)


@pytest.mark.parametrize("groups", [["m"], ["m", "m"], ["m", "other"]])
def test_no_attempt_outlives_the_total_time(groups: list[str]) -> None:
    slow = Slow(30)
    made = [deployment(str(number), group) for number, group in enumerate(groups)]
    routing = Routing(total_seconds=0.2)
    fallbacks = Fallbacks(general={"m": ("other",)})
    router = Router(Deployments(made), slow, RetryPolicy(5), None, routing, fallbacks)  # type: ignore[arg-type]

    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(e.Timeout):
            await router.send(Ask("chat", "m", {}), router.deployments.group("m"))
        return loop.time() - began

    assert 0.2 <= asyncio.run(main()) < 5
    assert slow.asked == 1  # no time was left to ask anybody else


@pytest.mark.parametrize(("waited", "counted"), [(0.0, 1), (0.35, 0)])
def test_time_that_was_used_up_before_is_not_the_deployments_fault(waited: float, counted: int) -> None:
    """A call waits in the queue for most of its total time, and then its deployment has none left."""
    state, slow = State(), Slow(30)
    queues = Queues()
    queues.policy = QueuePolicy(5, 60.0)
    state.queues = queues
    state.limit(1, None, None)
    made = [deployment("a", "m", state=state)]
    router = Router(Deployments(made), slow, RetryPolicy(0), None, Routing(total_seconds=0.4))  # type: ignore[arg-type]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        if waited:
            held = state.begin(loop.time())
            loop.call_later(waited, state.ended, held)
        with pytest.raises(e.Timeout):
            await router.send(Ask("chat", "m", {}), router.deployments.group("m"))

    asyncio.run(main())
    assert (slow.asked, state.failed, state.inflight) == (1, counted, 0)
    assert state.failures == ({"TimeoutError": 1} if counted else {})


def test_what_failed_attempts_and_pauses_took_is_known() -> None:
    class Late:
        """Hosts by name: seconds, and whether they answer then."""

        async def send(self, call: Any) -> Any:
            await asyncio.sleep(0.2)
            if call.target.model in ("a", "b"):
                raise e.ServiceUnavailableError("no", call.target.provider, call.target.model)
            return "yes"

    def lost(groups: dict[str, str], retries: int, **settings: Any) -> float:
        made = [deployment(host, group, order=n) for n, (host, group) in enumerate(groups.items())]
        router = Router(Deployments(made), Late(), RetryPolicy(retries), None, **settings)  # type: ignore[arg-type]
        return asyncio.run(router.send(Ask("chat", "m", {}), router.deployments.group("m"))).lost

    assert lost({"c": "m"}, 0) == lost({"c": "m", "d": "m"}, 0) == 0
    assert 0.35 < lost({"a": "m", "b": "m", "c": "m"}, 2) < 5
    fallbacks = Fallbacks(general={"m": ("other",)})
    assert 0.15 < lost({"a": "m", "c": "other"}, 0, fallbacks=fallbacks) < 5
    assert 0.55 < lost({"a": "m", "b": "other", "c": "other"}, 1, fallbacks=fallbacks) < 9


@pytest.mark.parametrize(
    ("timeout", "total", "least", "most"),
    [(600.0, None, 20.0, 120.0), (600.0, 2.0, 0.05, 2.0), (0.1, None, 11 * 0.05, 11 * 0.05 + 10 * 0.1)],
)
def test_many_retries_take_long_unless_the_timeout_or_the_total_is_short(
    timeout: float, total: float | None, least: float, most: float
) -> None:
    """A gateway bounds how many they are, too, by the retry budget."""
    slow = Slow(0.05)

    async def main() -> tuple[float, float]:
        clock = asyncio.get_running_loop().time
        routing = Routing(total_seconds=total)
        target = Target("openai", "a", "http://a/v1", "k", timeouts=Timeouts(first_byte=timeout, total=timeout))
        one = Deployment("a", "m", target)
        router = Router(Deployments([one]), slow, RetryPolicy(10), None, routing, clock=clock)  # type: ignore[arg-type]
        began = clock()
        with pytest.raises((e.ServiceUnavailableError, e.Timeout)) as caught:
            await router.send(Ask("chat", "m", {}), router.deployments.group("m"))
        assert caught.value.num_retries == slow.asked - 1
        return began, clock()

    began, ended = virtual_time.run(main())
    assert least <= ended - began <= most
    assert slow.asked == 11 if total is None else slow.asked < 6


def test_a_program_is_tried_again_as_often_as_it_says_and_a_gateway_within_its_budget() -> None:
    upstreams = Upstreams(a=[503], b=[200])
    engine = Engine(MockTransport(upstreams), lambda: 0.0)
    own, listed, well = (Deployment(host, "m", Target("openai", host, f"http://{host}/v1", "k")) for host in "aab")
    router = Router(
        Deployments([listed]), engine, RetryPolicy(60), None, Routing(),
        clock=lambda: 0.0, sleep=lambda _: asyncio.sleep(0),
    )  # fmt: skip

    def asked(one: Deployment) -> int:
        before = upstreams.asked["a"]
        with pytest.raises(e.ServiceUnavailableError):
            asyncio.run(router.send(Ask("chat", "m", {}), (one,)))  # type: ignore[arg-type]
        return upstreams.asked["a"] - before

    assert asked(own) == 61
    assert asked(listed) == 1 + 10  # what a second earns, and a fifth of this call
    well.retries = listed.retries
    for _ in range(25):
        asyncio.run(router.send(Ask("chat", "m", {}), (well,)))  # type: ignore[arg-type]
    assert asked(listed) == 1 + 5  # a fifth of the calls that did well, and of these two


def test_a_groups_deployments_share_one_budget_of_retries() -> None:
    target = Target("openai", "m", "http://host/v1", "k")
    made = {name: [Deployment(f"{name}{number}", name, target) for number in range(2)] for name in ("a", "b*")}
    deployments = Deployments([one for group in made.values() for one in group])
    Router(deployments, Engine(MockTransport(Upstreams()), lambda: 0.0), RetryPolicy(), None, Routing())
    (a,), (b,) = ({one.retries for one in group} for group in made.values())
    assert a is not None and b is not None and a is not b
    assert {one.retries for one in deployments.group("bc")} == {b}


def test_a_call_in_flight_is_counted_until_its_end_whatever_that_is() -> None:
    upstreams = Upstreams(a=[200])
    state = State()
    state.limit(1, None, None)
    router = upstreams.router(state=state)
    group = router.deployments.group("m")

    async def main() -> None:
        served = await router.stream(Ask("chat", "m", {"stream": True}, True), group)
        assert state.inflight == 1
        with pytest.raises(e.RouterRateLimitError):
            await router.send(Ask("chat", "m", {}), group)
        served.result.close()
        served.result.close()
        assert state.inflight == 0
        await router.send(Ask("chat", "m", {}), group)
        slow = Router(router.deployments, Slow(30), RetryPolicy(), None, Routing())  # type: ignore[arg-type]
        task = asyncio.ensure_future(slow.send(Ask("chat", "m", {}), group))
        await asyncio.sleep(0.05)
        assert state.inflight == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert state.inflight == 0


def test_a_fallback_is_fitted_to_its_caller() -> None:
    upstreams = Upstreams(a=[503], b=[200])
    made = [deployment("a", "m"), deployment("b", "other")]
    engine = Engine(MockTransport(upstreams), lambda: 0.0)
    fallbacks = Fallbacks(general={"m": ("other",)})
    router = Router(Deployments(made), engine, RetryPolicy(0), None, Routing(), fallbacks)
    fitted = deployment("b", "other", defaults={"seed": 1})

    def ask(fit: Any) -> Any:
        return asyncio.run(router.send(Ask("chat", "m", {}, fit=fit), router.deployments.group("m")))

    assert ask(lambda group: (fitted,)).deployment is fitted
    with pytest.raises(e.ServiceUnavailableError):
        ask(lambda group: ())
