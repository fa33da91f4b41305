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
    __slots__ = ("_at", "_reckoned", "_saved", "calls")

    def __init__(self, now: float) -> None:
        self.calls = 0
        """Whoever makes one counts it here. What they have earned is reckoned when it is spent."""
        self._reckoned = 0  # of the calls
        self._saved = PER_SECOND
        self._at = now

    def spend(self, now: float) -> bool:
        """Takes one retry, if there is one."""
        earned = (self.calls - self._reckoned) * SHARE + max(0.0, now - self._at) * PER_SECOND
        self._saved = min(MOST, self._saved + earned)
        self._reckoned, self._at = self.calls, now
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
