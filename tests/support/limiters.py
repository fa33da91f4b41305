"""The back-ends of the limits, each with a clock of the test's own. A new one is a row of BACKENDS."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from litellm.proxy.limits.base import Limiter
from litellm.proxy.limits.hostfile import Sizes
from litellm.proxy.limits.memory import MemoryLimiter
from litellm.proxy.limits.shared import SharedLimiter


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


SMALL = Sizes(accounts=256, counters=256, holds=128)

Backend = Callable[[Path, Clock], AbstractContextManager[Limiter]]
"""Opens an empty limiter; the folder is the test's, and may have been used before."""


@contextmanager
def in_memory(_: Path, clock: Clock) -> Iterator[Limiter]:
    yield MemoryLimiter(clock)


@contextmanager
def shared(folder: Path, clock: Clock) -> Iterator[Limiter]:
    made = SharedLimiter(folder / "limits", clock, SMALL)
    try:
        yield made
    finally:
        made.close()


BACKENDS: dict[str, Backend] = {"memory": in_memory, "shared": shared}
