"""A group's hedges: slots are taken and given back, whatever becomes of the two attempts."""

import asyncio
from typing import Any

import pytest

from litellm import exceptions as e
from litellm.engine.streams import EventStream
from litellm.router.deployments import Deployment, Deployments
from litellm.router.explain import Trace
from litellm.router.health import Health, State
from litellm.router.hedge import HedgePolicy
from litellm.router.hedging import Hedging
from litellm.router.plan import RetryPolicy, Routing
from litellm.router.router import Router
from litellm.types.calls import Ask, Call, Target

EAGER = HedgePolicy(cap=1.0, samples=1)


class Engine:
    """Hosts by name: each answers after so many seconds, or fails then."""

    def __init__(self, **hosts: float | e.LiteLLMError) -> None:
        self.hosts = hosts
        self.asked: list[str] = []

    async def send(self, call: Call) -> Any:
        host = call.target.model
        self.asked.append(host)
        outcome = self.hosts[host]
        await asyncio.sleep(outcome if isinstance(outcome, float) else 0.2)
        if isinstance(outcome, float):
            return host
        raise outcome


class Account:
    waiting = False

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.told: list[tuple[str, str | None]] = []

    def tries(self, deployment: Any) -> None:
        self.waiting = False
        self.asked.append(deployment.id)

    def attempted(self, deployment: Any, error: BaseException | None) -> None:
        if deployment.id in self.asked:
            self.asked.remove(deployment.id)
            self.told.append((deployment.id, error and type(error).__name__))


def made(engine: Engine) -> tuple[Router, list[State]]:
    health = Health()
    deployments = [
        Deployment(host, "m", Target("openai", host, f"http://{host}/v1", "k"), order=number)
        for number, host in enumerate(engine.hosts)
    ]
    states = [health.of(one.id) for one in deployments]
    for one, state in zip(deployments, states, strict=True):
        one.state = state
        state.limit(1, None, None)
        state.hedging = health.hedging("m", EAGER, states)
    return Router(Deployments(deployments), engine, RetryPolicy(0), None, Routing()), states  # type: ignore[arg-type]


async def known(router: Router, engine: Engine) -> None:
    """One quick call, after which what takes longer is slow."""
    first = next(iter(engine.hosts))
    usual, engine.hosts[first] = engine.hosts[first], 0.0
    await router.send(Ask("chat", "m", {}), router.deployments.group("m"))
    engine.hosts[first] = usual
    engine.asked.clear()


def call(engine: Engine, hang_up_after: float | None = None) -> tuple[Any, Account, list[State]]:
    """Who served, or what was raised; what the account was told; the states."""
    account = Account()
    router, states = made(engine)

    async def main() -> Any:
        await known(router, engine)
        sending = router.send(Ask("chat", "m", {}, account=account), router.deployments.group("m"))
        task = asyncio.ensure_future(sending)
        if hang_up_after is not None:
            asyncio.get_running_loop().call_later(hang_up_after, task.cancel)
        try:
            served = await task
        except (e.LiteLLMError, asyncio.CancelledError) as error:
            return type(error)
        finally:
            await asyncio.sleep(0)  # what was cancelled ends
            await asyncio.sleep(0)
            assert [state.inflight for state in states] == [0] * len(states)
        return served.result

    return asyncio.run(main()), account, states


DOWN = e.ServiceUnavailableError("no", "openai", "m")
LATE = e.Timeout("no", "m", "openai")


@pytest.mark.parametrize(
    ("hosts", "served", "told"),
    [
        ({"a": 30.0, "b": 0.0}, "b", [("a", None)]),
        ({"a": 0.3, "b": 30.0}, "a", [("b", None)]),
        ({"a": 0.4, "b": DOWN}, "a", [("b", "ServiceUnavailableError")]),
        ({"a": DOWN, "b": 0.4}, "b", [("a", "ServiceUnavailableError")]),
        ({"a": LATE, "b": DOWN}, e.Timeout, [("a", "Timeout"), ("b", "ServiceUnavailableError")]),
    ],
)
def test_of_two_attempts_one_serves_and_the_account_is_told_of_the_other(hosts: Any, served: Any, told: Any) -> None:
    result, account, _ = call(Engine(**hosts))
    assert (result, account.told) == (served, told)


def test_who_hangs_up_cancels_both() -> None:
    engine = Engine(a=30.0, b=30.0)
    result, account, _ = call(engine, hang_up_after=0.3)
    assert (result, engine.asked) == (asyncio.CancelledError, ["a", "b"])
    assert (account.asked, account.told) == (["a", "b"], [])  # its end is that of both


def test_the_account_knows_of_a_failure_while_the_other_is_under_way() -> None:
    _, account, _ = call(Engine(a=30.0, b=DOWN), hang_up_after=0.6)
    assert (account.asked, account.told) == (["a"], [("b", "ServiceUnavailableError")])


def test_none_in_an_outage() -> None:
    engine = Engine(a=0.2, b=0.0)
    router, (_, other) = made(engine)

    async def main() -> None:
        await known(router, engine)
        other.rest(asyncio.get_running_loop().time(), 60)
        await router.send(Ask("chat", "m", {}), router.deployments.group("m"))

    asyncio.run(main())
    assert engine.asked == ["a"]


def test_a_task_that_never_ran_gives_its_slot_back() -> None:
    engine = Engine(a=30.0, b=30.0)
    router, states = made(engine)

    async def main() -> None:
        task = asyncio.ensure_future(router.send(Ask("chat", "m", {}), router.deployments.group("m")))
        asyncio.get_running_loop().call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

    asyncio.run(main())
    assert [state.inflight for state in states] == [0, 0]


def test_an_explanation_has_a_step_for_each_of_two_attempts() -> None:
    engine = Engine(a=0.3, b=30.0)
    router, _ = made(engine)
    trace = Trace()

    async def main() -> None:
        await known(router, engine)
        await router.send(Ask("chat", "m", {}, trace=trace), router.deployments.group("m"))
        await asyncio.sleep(0)

    asyncio.run(main())
    view = trace.view()
    assert engine.asked == ["a", "b"] and view["served_by"] == "a"
    assert [(step["attempt"]["model_id"], step["attempt"]["status"]) for step in view["steps"]] == [
        ("a", 200),
        ("b", None),
    ]


def test_an_answer_that_comes_as_its_caller_hangs_up_is_discarded() -> None:
    closed: list[str] = []

    class Stream(EventStream):
        def __init__(self) -> None:
            self.on_close = None

        def close(self) -> None:
            closed.append("closed")

    async def main() -> None:
        answer: asyncio.Future[EventStream] = asyncio.get_running_loop().create_future()
        chosen = Deployment("a", "m", Target("openai", "a", "http://a/v1", "k"))
        ask = Ask("chat", "m", {}, stream=True)
        call = asyncio.ensure_future(Hedging(EAGER).first(ask, chosen, lambda _: answer, lambda: None))
        await asyncio.sleep(0)
        answer.set_result(Stream())
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.sleep(0)

    asyncio.run(main())
    assert closed == ["closed"]
