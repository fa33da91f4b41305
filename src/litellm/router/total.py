"""A call's total time: with all its attempts, pauses and fallbacks."""

import asyncio
from collections.abc import Awaitable
from typing import NamedTuple, TypeVar

from litellm import exceptions as e
from litellm.transport.base import is_unsent
from litellm.types.calls import Target

T = TypeVar("T")


class Total(NamedTuple):
    """How many seconds it is, and when it is over."""

    seconds: float
    until: float


class OutOfTime(e.Timeout):
    """It is over. `late`: so was most of it when the attempt began, which is no fault of the deployment's."""

    def __init__(self, target: Target, late: bool) -> None:
        super().__init__("The call's total time is over", target.model, target.provider)
        self.late = late


async def in_time(attempt: Awaitable[T], total: Total, left: float, target: Target) -> T:
    """Raises OutOfTime when the seconds that are left are over: one with `sent` False if nothing had been sent."""
    try:
        async with asyncio.timeout(left):
            return await attempt
    except TimeoutError as over:
        error = OutOfTime(target, left < total.seconds / 2)
        if is_unsent(over.__cause__):
            error.sent = False
        raise error from None
