"""What a simulated upstream does with a call: a service time that grows with its load, and its misbehaviour."""

from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

from litellm import exceptions as e

IDLE_SECONDS: Final = 0.5
"""To answer a call of size 1 on an idle upstream."""
CAPACITY: Final = 50
"""Calls in flight at which an answer takes twice as long as when idle."""
FULL: Final = 4 * CAPACITY
"""Calls in flight beyond which an upstream answers 429."""
REFUSAL_SECONDS: Final = 0.05
"""How long any error takes to come."""


class Trouble(NamedTuple):
    error: Callable[[], e.LiteLLMError] | None = None
    slower: float = 1.0


FINE: Final = Trouble()
Behaviour = Callable[[float, float], Trouble]
"""(seconds since the beginning, a draw in [0, 1)) -> what happens to a call that comes now."""


def unavailable() -> e.LiteLLMError:
    return e.ServiceUnavailableError("busy")


def unreachable() -> e.LiteLLMError:
    return e.APIConnectionError("refused")


def limited() -> e.LiteLLMError:
    return e.RateLimitError("slow down", headers={"retry-after": "2"})


def fine(now: float, draw: float) -> Trouble:
    return FINE


def slow(now: float, draw: float) -> Trouble:
    return Trouble(slower=8.0)


def failing(now: float, draw: float) -> Trouble:
    return Trouble(unavailable) if draw < 0.3 else FINE


def dead(now: float, draw: float) -> Trouble:
    return Trouble(unreachable)


def flapping(now: float, draw: float) -> Trouble:
    """Ten seconds well, ten seconds gone."""
    return Trouble(unreachable) if now % 20 >= 10 else FINE


def storming(offset: float) -> Behaviour:
    """Ten of every forty seconds, beginning at `offset`, all is refused with 429."""
    return lambda now, draw: Trouble(limited) if (now - offset) % 40 < 10 else FINE


class Upstream:
    def __init__(self, name: str, behaviour: Behaviour, seed: int) -> None:
        self.name = name
        self.healthy = behaviour is fine
        self.inflight = 0
        self.asked = 0
        self.heard: Callable[[str], None] | None = None
        """Is told of every call."""
        self._behaviour = behaviour
        self._draw = Random(f"{seed} {name}").random

    def take(self, now: float, size: float) -> tuple[float, e.LiteLLMError | None]:
        """A call begins: (how long it will take, how it will end). `leave` follows when it has ended."""
        self.asked += 1
        if self.heard is not None:
            self.heard(self.name)
        trouble = self._behaviour(now, self._draw())
        load, self.inflight = self.inflight, self.inflight + 1
        if trouble.error is not None:
            return REFUSAL_SECONDS, trouble.error()
        if load >= FULL:
            return REFUSAL_SECONDS, limited()
        return IDLE_SECONDS * size * trouble.slower * (1 + load / CAPACITY), None

    def leave(self) -> None:
        self.inflight -= 1
