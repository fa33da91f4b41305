"""The state of a deployment that several threads use: `litellm.Router` serves any thread and any event loop."""

from threading import RLock

from litellm import exceptions as e
from litellm.router.health import State


class SharedState(State):
    """Changes one at a time. A call takes its slot (`reserve`) before it begins, so that two threads that chose the
    same deployment at once are never one too many for it."""

    __slots__ = ("reserved",)

    def __init__(self) -> None:
        super().__init__()
        self.guard = RLock()
        self.reserved = 0

    def reserve(self) -> None:
        """Raises RateLimitError if all its parallel calls are taken. `begin` follows."""
        with self.guard:
            if self.parallel is not None and self.inflight + self.reserved >= self.parallel:
                raise e.RateLimitError(
                    message="max_parallel_requests of the deployment are in flight", llm_provider="", model=""
                )
            self.reserved += 1

    def begin(self, now: float) -> None:
        with self.guard:
            self.reserved -= 1
            super().begin(now)

    def ended(self) -> None:
        with self.guard:
            super().ended()

    def used(self, tokens: int) -> None:
        with self.guard:
            super().used(tokens)

    def answered(self, now: float, seconds: float) -> None:
        with self.guard:
            super().answered(now, seconds)

    def limit(self, parallel: int | None, rpm: float | None, tpm: float | None) -> None:
        with self.guard:
            super().limit(parallel, rpm, tpm)

    def forget(self) -> None:
        with self.guard:
            super().forget()
