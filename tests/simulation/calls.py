"""Calls on their way, as `litellm.router.router.Router` takes them, with a heap of events in the place of a loop."""

from collections import Counter
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, Final

from litellm import exceptions as e
from litellm.router.budget import RetryBudget
from litellm.router.deployments import Deployment, Deployments
from litellm.router.fallbacks import Fallbacks
from litellm.router.health import Health, failed
from litellm.router.plan import Failure, RetryPolicy, Routing, choose, next_attempt
from litellm.router.strategies import Strategy
from litellm.router.total import OutOfTime
from litellm.types.calls import Target
from simulation.figures import Figures
from simulation.scenarios import Request, Scenario
from simulation.upstreams import IDLE_SECONDS, Upstream

WORKERS: Final = 4
"""Gateway processes; each learns by itself how the upstreams are."""
TOTAL_SECONDS: Final = 60.0
GROUP, SPARE = "m", "spare"
PRICES: Final = (1.0, 1.0, 2.0, 2.0, 2.0)
TOKENS: Final = 1000
"""Of a call of size 1."""


class World:
    """The upstreams and the clock. `start` is what it shows at first."""

    def __init__(self, scenario: Scenario, seed: int, start: float = 0.0) -> None:
        groups = {GROUP: scenario.upstreams, SPARE: scenario.spare}
        self.upstreams = {
            group: [Upstream(f"{group}{i}", does, seed) for i, does in enumerate(behaviours)]
            for group, behaviours in groups.items()
        }
        self.by_name = {one.name: one for group in self.upstreams.values() for one in group}
        self.fallbacks = Fallbacks(default=(SPARE,)) if scenario.spare else Fallbacks()
        self.start = self.now = start
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = count()

    def deployments(self) -> Deployments:
        """One worker's."""
        health, made = Health(), list[Deployment]()
        for group, upstreams in self.upstreams.items():
            for number, upstream in enumerate(upstreams):
                target = Target("openai", upstream.name, "http://host/v1", "k")
                made.append(Deployment(upstream.name, group, target, state=health.of(upstream.name)))
                made[-1].cost = PRICES[number]
        return Deployments(made)

    def later(self, seconds: float, what: Callable[..., None], *args: Any) -> None:
        heappush(self._events, (self.now + seconds, next(self._number), what, args))

    def run(self) -> None:
        while self._events:
            self.now, _, what, args = heappop(self._events)
            what(*args)


class Worker:
    """One gateway process. `done(call, error)` is told of every call that ends."""

    def __init__(
        self,
        world: World,
        strategy: Strategy,
        draw: Callable[[], float],
        done: Callable[["Calling", e.LiteLLMError | None], None],
    ) -> None:
        self.world, self.draw, self.done = world, draw, done
        self.deployments = world.deployments()
        self.routing = Routing(strategy, total_seconds=TOTAL_SECONDS)
        self.policy = RetryPolicy()
        self.budgets: dict[str, RetryBudget] = {}

    def budget(self, group: str) -> RetryBudget:
        if group not in self.budgets:
            self.budgets[group] = RetryBudget(self.world.now)
        return self.budgets[group]


class Calling:
    """One call: `Router._routed`, with the waiting turned into events."""

    __slots__ = ("began", "error", "failures", "group", "names", "request", "served", "until", "worker")

    def __init__(self, worker: Worker, request: Request) -> None:
        self.worker, self.request = worker, request
        self.began = worker.world.now
        self.until = self.began + TOTAL_SECONDS
        self.error: e.LiteLLMError | None = None
        """The first group's, if that has given up."""
        self.names: list[str] = []
        self.served = ""
        self.enter(worker.deployments.group(GROUP))

    def enter(self, group: tuple[Deployment, ...]) -> None:
        self.group = group
        self.failures: list[Failure] = []
        worker, now = self.worker, self.worker.world.now
        worker.budget(group[0].model_name).calls += 1
        chosen = choose(group, worker.routing.strategy, now, worker.draw())
        if chosen is None:
            self.give_up(e.RouterRateLimitError(group[0].model_name, 1.0))
        else:
            self.attempt(chosen)

    def attempt(self, deployment: Deployment) -> None:
        world, state = self.worker.world, deployment.state
        assert state is not None
        probe = state.begin(world.now)
        upstream = world.by_name[deployment.id]
        seconds, error = upstream.take(world.now - world.start, self.request.size)
        if seconds > self.until - world.now:
            seconds = self.until - world.now
            error = OutOfTime(deployment.target, seconds < TOTAL_SECONDS / 2)
        world.later(seconds, self.attempted, deployment, upstream, world.now, probe, error)

    def attempted(
        self, deployment: Deployment, upstream: Upstream, began: float, probe: int, error: e.LiteLLMError | None
    ) -> None:
        worker, state = self.worker, deployment.state
        assert state is not None
        now = worker.world.now
        upstream.leave()
        if error is None:
            state.took(now, now - began)
            state.answered()
        elif not (isinstance(error, OutOfTime) and error.late):
            failed(state, error, now, worker.routing.cooldowns, len(self.group) == 1, pattern=False)
        state.ended(probe)
        if error is None:
            state.used(int(TOKENS * self.request.size))
            self.served = deployment.id
            worker.done(self, None)
        else:
            self.failures.append(Failure(deployment, error))
            self.go_on(error)

    def go_on(self, error: e.LiteLLMError) -> None:
        worker, now, name = self.worker, self.worker.world.now, self.group[0].model_name
        others = worker.world.fallbacks.any(name, None)
        strategy = worker.routing.strategy
        step = next_attempt(self.group, self.failures, worker.policy, worker.draw(), now, strategy, others)
        if step is None or now + step.pause >= self.until or (step.again and not worker.budget(name).spend(now)):
            self.give_up(error)
        elif step.pause:
            worker.world.later(step.pause, self.again, error)
        else:
            self.attempt(step.deployment)

    def again(self, error: e.LiteLLMError) -> None:
        """After a pause, in which much may have changed."""
        worker = self.worker
        chosen = choose(self.group, worker.routing.strategy, worker.world.now, worker.draw())
        if chosen is None:
            self.give_up(error)
        else:
            self.attempt(chosen)

    def give_up(self, error: e.LiteLLMError) -> None:
        worker = self.worker
        if self.error is None:
            self.error, self.names = error, worker.world.fallbacks.after(GROUP, error)
        if self.names and worker.world.now < self.until:
            self.enter(worker.deployments.group(self.names.pop(0)))
        else:
            worker.done(self, self.error)


def play(world: World, workers: list[Worker], requests: Iterable[Request]) -> None:
    """All the requests, each at its time, until the last has ended."""
    coming = iter(requests)

    def arrive(request: Request) -> None:
        Calling(workers[request.worker], request)
        follow()

    def follow() -> None:
        following = next(coming, None)
        if following is not None:
            world.later(world.start + following.at - world.now, arrive, following)

    follow()
    world.run()


def simulate(scenario: Scenario, strategy: Strategy, count: int, seed: int) -> Figures:
    world, draw = World(scenario, seed), Random(seed).random
    added = list[float]()
    served = Counter[str]()

    def done(call: Calling, error: e.LiteLLMError | None) -> None:
        if error is None:
            added.append(world.now - call.began - IDLE_SECONDS * call.request.size)
            served[call.served] += 1

    workers = [Worker(world, strategy, draw, done) for _ in range(WORKERS)]
    play(world, workers, scenario.requests(count, WORKERS, seed))
    healthy = [served[one.name] for one in world.upstreams[GROUP] if one.healthy]
    return Figures.of(count, added, sum(one.asked for one in world.by_name.values()), healthy)
