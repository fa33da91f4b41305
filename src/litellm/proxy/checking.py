"""Asking deployments one small thing, several at a time: by whoever calls `/health`, or in the background.

In the background (`background_health_checks`) one worker of a host asks, once in each interval, and tells the others in
a file of their common folder. Of several hosts with a Redis one is elected (`lease.py`), and the others tell their
workers what it found. A deployment that does not answer rests until it does, or the next check is overdue. Each check
asks for one token, and no more than `health_check_max_calls` are made in an interval: the rest has its turn in the
next. Nobody pays for them in the books.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from litellm import exceptions as e
from litellm.engine.engine import Engine
from litellm.proxy.config.kinds import first
from litellm.proxy.server import Worker
from litellm.proxy.snapshot import Snapshot
from litellm.router.deployments import Deployment
from litellm.router.health import State, attributable
from litellm.types.calls import Ask, Json, Op

if TYPE_CHECKING:  # there is a lease only if there is a Redis
    from litellm.proxy.lease import Lease

AT_ONCE: Final = 10
SECONDS: Final = 60.0
INTERVAL: Final = 300.0
MOST: Final = 100
TICK: Final = 0.5
FILE: Final = "health-checks.json"

_ASKED: Final[dict[str, tuple[Op, Json]]] = {
    "chat": ("chat", {"messages": [{"role": "user", "content": "What's 1 + 1?"}], "max_tokens": 16}),
    "completion": ("completion", {"prompt": "1 + 1 =", "max_tokens": 16}),
    "embedding": ("embedding", {"input": ["1 + 1"]}),
}

_log: Final = logging.getLogger("litellm.proxy")


async def problems(
    engine: Engine, deployments: Sequence[Deployment], at_once: int = AT_ONCE, most_tokens: int | None = None
) -> list[Json]:
    """For each deployment what is wrong with it: {error, status_code}, empty if there was an answer."""
    gate = asyncio.Semaphore(at_once)

    async def one(deployment: Deployment) -> Json:
        async with gate:
            return await _problem(engine, deployment, most_tokens)

    return list(await asyncio.gather(*(one(deployment) for deployment in deployments)))


async def _problem(engine: Engine, deployment: Deployment, most_tokens: int | None) -> Json:
    mode: str = deployment.info.get("mode") or "chat"
    if mode not in _ASKED:
        return {"error": f"models of mode {mode} cannot be checked yet", "status_code": 501}
    op, params = _ASKED[mode]
    if most_tokens is not None and "max_tokens" in params:
        params = {**params, "max_tokens": most_tokens}
    seconds: float = deployment.info.get("health_check_timeout") or SECONDS
    try:
        async with asyncio.timeout(seconds):
            await engine.send(deployment.call(Ask(op, deployment.model_name, dict(params), call_id="health-check")))
    except e.LiteLLMError as error:
        return {"error": error.message, "status_code": error.status_code}
    except TimeoutError:
        return {"error": f"no answer within {seconds:g} s", "status_code": 408}
    return {}


def name_of(deployment: Deployment) -> str:
    return f"{deployment.target.provider}/{deployment.target.model}"


def report(deployments: Iterable[Deployment], found: Sequence[Json], details: bool = True) -> Json:
    """LiteLLM's answer shape. Without details neither addresses nor what errors said."""
    rows = [(_row(deployment), problem) for deployment, problem in zip(deployments, found, strict=True)]
    if not details:
        rows = [(_without_details(row), _without_details(problem)) for row, problem in rows]
    healthy = [row for row, problem in rows if not problem]
    unhealthy = [{**row, **problem} for row, problem in rows if problem]
    return {
        "healthy_endpoints": healthy,
        "unhealthy_endpoints": unhealthy,
        "healthy_count": len(healthy),
        "unhealthy_count": len(unhealthy),
    }


def _row(deployment: Deployment) -> Json:
    return {
        "model": name_of(deployment),
        "api_base": deployment.address,
        "model_name": deployment.model_name,
        "model_id": deployment.id,
    }


def _without_details(row: Json) -> Json:
    return {name: value for name, value in row.items() if name not in ("api_base", "error")}


def checkable(deployment: Deployment) -> Deployment | None:
    """The deployment as it is checked: with its `health_check_model`, if it has one. None for a wildcard without."""
    model: str | None = deployment.info.get("health_check_model")
    if model is None:
        return deployment if "*" not in deployment.target.model else None
    if deployment.resolve is not None:
        return replace(deployment.resolve(model), id=deployment.id, info=deployment.info)
    target = replace(deployment.target, model=model.removeprefix(f"{deployment.target.provider}/"), endpoints={})
    return replace(deployment, target=target, headers=None, _stream_target=None)


class Serving(Protocol):
    snapshot: Snapshot
    engine: Engine
    worker: Worker


@dataclass(frozen=True, slots=True)
class Plan:
    """The config's, with its defaults. Times in seconds."""

    interval: float
    at_once: int
    most: int

    @property
    def holds(self) -> float:
        """For how long a round's findings hold: until the next is overdue."""
        return self.interval + TICK + SECONDS

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Plan | None":
        given = snapshot.config.general_settings
        if not given.background_health_checks:
            return None
        return cls(
            first(given.health_check_interval, INTERVAL),
            max(1, first(given.health_check_concurrency, AT_ONCE)),
            first(given.health_check_max_calls, MOST),
        )


class Checks:
    """One worker's part. `found` is the latest of each deployment, by id. `lease`: among several hosts."""

    def __init__(self, gateway: Serving, lease: "Lease | None", clock: Callable[[], float] = monotonic) -> None:
        self.found: dict[str, Json] = {}
        self._gateway = gateway
        self._lease = lease
        self._clock = clock
        self._turn = 0  # whose turn it is, if an interval does not have calls for all
        self._last = -inf  # when a round began, this worker's or another's
        self._read: bytes = b""

    async def run(self) -> None:
        """Until it is cancelled, or the config wants no more checks."""
        try:
            while (plan := Plan.of(self._gateway.snapshot)) is not None:
                try:
                    if not self._gateway.worker.admin:
                        self._listen(plan)
                    elif await self._elected(plan) and self._clock() >= self._last + plan.interval:
                        self._last = self._clock()
                        await self._round(plan)
                except Exception:  # a background job's loop: it must go on
                    _log.exception("health checks")
                await asyncio.sleep(min(TICK, plan.interval))
        finally:
            if self._lease is not None:
                await self._lease.release()

    async def _elected(self, plan: Plan) -> bool:
        """Among the hosts. Hears what another one has found, and passes it on in this one."""
        if self._lease is None:
            return True
        elected, told = await self._lease.meet()
        if told is not None:
            self._tell(told.text)
            self._hear(told.text, plan, told.seconds)
        return elected

    async def _round(self, plan: Plan) -> None:
        all = self._gateway.snapshot.router.deployments.all
        wanted = [one for one in all if not one.info.get("disable_background_health_check")]
        asked = [made for one in wanted if (made := checkable(one)) is not None]
        begin = self._turn % len(asked) if asked else 0
        turn = [*asked[begin:], *asked[:begin]][: plan.most]
        self._turn = begin + len(turn)
        problems = await self._asked(turn, plan)
        news = {one.id: problem for one, problem in zip(turn, problems, strict=True)}
        for one in all:
            if one.id in news:
                self._judge(one, news[one.id], plan.holds)
        self.found = {one.id: self.found[one.id] for one in all if one.id in self.found} | news
        text = orjson.dumps({"at": self._clock(), "found": self.found, "news": list(news)})
        self._tell(text)
        if self._lease is not None:
            await self._lease.tell(text, plan.holds)

    async def _asked(self, turn: Sequence[Deployment], plan: Plan) -> list[Json]:
        """What is wrong with each. Meanwhile the lease is renewed."""
        asking = asyncio.create_task(problems(self._gateway.engine, turn, plan.at_once, most_tokens=1))
        try:
            while not asking.done():
                await asyncio.wait((asking,), timeout=TICK)
                await self._elected(plan)
            return asking.result()
        finally:
            asking.cancel()

    def _tell(self, text: bytes) -> None:
        """The other workers of this host."""
        folder = self._gateway.worker.folder
        if folder is not None:
            fresh = folder / f"{FILE}.new"
            fresh.write_bytes(text)
            fresh.replace(folder / FILE)

    def _listen(self, plan: Plan) -> None:
        """What this host's elected worker has found or heard. If it ends, this one may go on in its place."""
        folder = self._gateway.worker.folder
        try:
            read = (folder / FILE).read_bytes() if folder is not None else b""
        except FileNotFoundError:
            return
        if read and read != self._read:
            self._read = read
            self._hear(read, plan, plan.holds)

    def _hear(self, text: bytes, plan: Plan, seconds: float) -> None:
        """Another worker's round, which holds for so long."""
        self._last = self._clock() - (plan.holds - seconds)
        told = orjson.loads(text)
        self.found |= told["found"]
        news = set(told["news"])
        for one in self._gateway.snapshot.router.deployments.all:
            if one.id in news:
                self._judge(one, told["found"][one.id], seconds)

    def _judge(self, one: Deployment, problem: Json, seconds: float) -> None:
        router = self._gateway.snapshot.router
        alone = len(router.deployments.group(one.model_name)) == 1
        if one.state is not None and not alone and not router.routing.cooldowns.disabled:
            judge(one.state, problem, self._clock(), seconds)

    def report(self, wanted: Iterable[Deployment], details: bool) -> Json:
        """What was found of these; of those that nobody has asked yet, nothing."""
        known = [one for one in wanted if one.id in self.found]
        return report(known, [self.found[one.id] for one in known], details)


def judge(state: State, problem: dict[str, Any], now: float, seconds: float) -> None:
    """A failing check rests a deployment for so long, unless the check was at fault; a good one ends a rest."""
    if not problem:
        state.recovered()
    elif attributable(problem["status_code"]):
        state.rest(now, seconds)
