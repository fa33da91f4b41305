"""How many retries a group may make on deployments that failed already, so that an outage is not multiplied.

Each call earns a share of a retry, and each second some more; a retry on a deployment that has not failed the call is
free. (Finagle's retry budget.)
"""

from typing import Final

SHARE: Final = 0.2
"""Retries that a call earns."""
PER_SECOND: Final = 10.0
"""Retries that a second earns: what is left to a group with little traffic."""
MOST: Final = 100.0
"""Retries that can be saved up."""


class RetryBudget:
    __slots__ = ("_at", "_saved")

    def __init__(self, now: float) -> None:
        self._saved = PER_SECOND
        self._at = now

    def earn(self) -> None:
        self._saved = min(MOST, self._saved + SHARE)

    def spend(self, now: float) -> bool:
        """Takes one retry, if there is one."""
        self._saved = min(MOST, self._saved + max(0.0, now - self._at) * PER_SECOND)
        self._at = now
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
