"""What a connection reports to: the exchange it works for at the moment. `response.py` has the two kinds there are."""

from collections.abc import Callable
from typing import Any, Protocol

from litellm.types.http import RawHeaders


class Exchange(Protocol):
    """What a connection reports to. Raising TransportError from the first two ends the exchange with that error.

    `source` is set to the connection when it starts.
    """

    source: Any

    @property
    def onward(self) -> Callable[[bytes], None] | None:
        """What takes parts of the body in place of `on_body`, if anything does."""
        ...

    def on_head(self, status: int, headers: RawHeaders, coding: bytes | None, length: int | None, /) -> None: ...

    def on_body(self, data: bytes, /) -> None:
        """All of the body that arrived in one read."""
        ...

    def on_end(self, error: Exception | None, /) -> None:
        """Last, once; the connection is no longer this exchange's."""
        ...
