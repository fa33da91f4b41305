"""The transport's seam: three methods, and the four ways in which carrying a request can fail.

Every floor above sees only this page. `http.py` is the real thing, `mock.py` the one for tests.
"""

from asyncio import CancelledError
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final, Literal, Protocol

from litellm.types.http import HttpRequest, HttpResponse, RawHeaders


class TransportError(Exception):
    """Carrying a request failed. `sent`: bytes may have reached the provider, so the call may have been billed."""

    sent = True

    def __init__(self, message: str, *, sent: bool | None = None) -> None:
        super().__init__(message)
        if sent is not None:
            self.sent = sent


UNSENT: Final = "nothing was sent"
"""Among a CancelledError's arguments: it struck before the request's first byte."""


def is_unsent(error: BaseException | None) -> bool:
    """Was a call cancelled before anything of it was sent? Only who waits for it in the same task is told."""
    return isinstance(error, CancelledError) and UNSENT in error.args


class ConnectFailed(TransportError):
    """No connection: refused, unreachable, DNS, TLS, a proxy that said no."""

    sent = False


Phase = Literal["connect", "first_byte", "between_bytes", "total", "reader"]
"""What took too long: `reader` is our own caller, who did not read a response that had come."""


class TimedOut(TransportError):
    """A time bound passed; `phase` says which."""

    def __init__(self, message: str, phase: Phase) -> None:
        super().__init__(message, sent=phase != "connect")
        self.phase = phase


class ClosedEarly(TransportError):
    """The connection ended before the response was complete."""


class NotHTTP(TransportError):
    """What came back is not a well-formed HTTP/1.1 response, or passes a limit of ours."""


class Receiver(Protocol):
    """Takes a response body by callback, in the turn of the loop in which its bytes arrived."""

    def data(self, data: bytes, /) -> None: ...

    def end(self, error: TransportError | None, /) -> None:
        """Called once, last: None after a complete body."""
        ...


class ResponseStream(Protocol):
    """A response whose head has arrived. Exactly one of `relay`, `read`, iteration is used.

    Reading from the socket pauses when 64 KiB wait for a reader that is not a Receiver; a Receiver pauses it itself.
    """

    status: int
    headers: RawHeaders

    def relay(self, receiver: Receiver, /) -> None:
        """Push what has arrived and all that follows to the receiver: to another one from the next call on. After
        `close()` nothing is called any more."""
        ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    async def read(self) -> bytes:
        """The whole body, bounded as in `Transport.send`."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def close(self) -> None:
        """Done with it, at any time, twice if you like. An unfinished response's connection is closed at once."""
        ...


class Transport(Protocol):
    """Carries requests to providers. Safe for concurrent use within one event loop.

    Cancelling a call closes its connection at once: a caller who has gone must stop costing money. The CancelledError
    says whether anything had been sent (`is_unsent`).
    """

    def send(self, request: HttpRequest, /) -> Coroutine[Any, Any, HttpResponse]:
        """One request, one complete response of any status. Raises TransportError, InvalidRequest."""
        ...

    def stream(self, request: HttpRequest, /) -> Coroutine[Any, Any, ResponseStream]:
        """Returns when the response's head has arrived. Raises as `send`; the body's failures come with the body."""
        ...

    async def aclose(self) -> None:
        """Close every connection; calls in flight fail with ClosedEarly."""
        ...
