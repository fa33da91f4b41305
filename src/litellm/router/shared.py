"""What several threads use of a router: `litellm.Router` serves any thread and any event loop."""

from threading import Lock, RLock
from typing import TYPE_CHECKING

from litellm import exceptions as e
from litellm.router.affinity import MOST, Affinity, Key
from litellm.router.health import State

if TYPE_CHECKING:
    from litellm.router.spending import Budget


class SharedState(State):
    """Changes one at a time. Of two threads that chose a deployment for its last slot at once, one is refused."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.guard = RLock()

    def begin(self, now: float) -> int:
        """Raises RateLimitError if all its parallel calls are taken."""
        with self.guard:
            if self.parallel is not None and self.inflight >= self.parallel:
                raise e.RateLimitError(
                    message="max_parallel_requests of the deployment are in flight", llm_provider="", model=""
                )
            return super().begin(now)

    def ended(self, probe: int = 0) -> None:
        with self.guard:
            super().ended(probe)

    def used(self, tokens: int) -> None:
        with self.guard:
            super().used(tokens)

    def took(self, now: float, seconds: float) -> None:
        with self.guard:
            super().took(now, seconds)

    def answered(self) -> None:
        with self.guard:
            super().answered()

    def limit(
        self, parallel: int | None, rpm: float | None, tpm: float | None, budgets: "tuple[Budget, ...]" = ()
    ) -> None:
        with self.guard:
            super().limit(parallel, rpm, tpm, budgets)

    def forget(self) -> None:
        with self.guard:
            super().forget()

    def rests_elsewhere(self, now: float, seconds: float) -> None:
        with self.guard:
            super().rests_elsewhere(now, seconds)


class SharedAffinity(Affinity):
    def __init__(self, most: int = MOST) -> None:
        super().__init__(most)
        self._lock = Lock()

    def served(self, group: str, key: Key, deployment: str, until: float) -> None:
        with self._lock:
            super().served(group, key, deployment, until)
