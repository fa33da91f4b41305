"""Server-sent events: bytes in, events out, whatever the packets' borders (WHATWG HTML, 9.2.6).

Lines may end in LF, CR or CRLF. Comments are dropped, several `data:` lines of one event are joined by LF. An event
is held until its blank line has come; what is left at the end counts as an event too if it has data, because servers
exist that close right after their last line.
"""

from typing import Final, NamedTuple

MAX_EVENT_BYTES: Final = 32 * 1024 * 1024
_PIECE: Final = 1024  # smaller pieces are joined at once, so that many tiny ones do not take many times their bytes


class Event(NamedTuple):
    data: bytes
    event: str | None = None


class EventTooLarge(ValueError):
    """An event passes MAX_EVENT_BYTES."""


class SSEDecoder:
    """Cuts a byte stream into events. Raises EventTooLarge."""

    __slots__ = ("_held", "_size", "_skip_lf")

    def __init__(self) -> None:
        self._held: list[bytes] = []  # pieces of an event whose blank line has not come; joined once, when it has
        self._size = 0
        self._skip_lf = False  # the last byte was a CR, taken for a line end: a LF that follows belongs to it

    def feed(self, data: bytes) -> list[Event]:
        if self._skip_lf or b"\r" in data:
            data = self._unify(data)
        held = self._held
        if held:
            if b"\n\n" not in held[-1][-1:] + data:
                self._hold(data)
                return []
            held.append(data)
            data = b"".join(held)
            held.clear()
            self._size = 0
        cut = data.rfind(b"\n\n")
        if cut < 0:
            self._hold(data)
            return []
        self._hold(data[cut + 2 :])
        return [event for block in data[:cut].split(b"\n\n") if (event := parse_block(block)) is not None]

    def end(self) -> list[Event]:
        rest = b"".join(self._held)
        self._held.clear()
        event = parse_block(rest)
        return [event] if event is not None else []

    def _hold(self, rest: bytes) -> None:
        if not rest:
            return
        self._size += len(rest)
        if self._size > MAX_EVENT_BYTES:
            raise EventTooLarge(f"an event of more than {MAX_EVENT_BYTES} bytes")
        if self._held and len(self._held[-1]) < _PIECE:
            self._held[-1] += rest
        else:
            self._held.append(rest)

    def _unify(self, data: bytes) -> bytes:
        """Every line end as LF."""
        if self._skip_lf:
            data = data.removeprefix(b"\n")
        self._skip_lf = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def parse_block(block: bytes) -> Event | None:
    """One event's lines (ended by LF) as an event; None without a data line."""
    if block.startswith(b"data: ") and b"\n" not in block:  # nearly all there are
        return Event(block[6:])
    name: str | None = None
    data: list[bytes] = []
    for line in block.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return Event(b"\n".join(data), name) if data else None


def encode_event(data: bytes, event: str | None = None) -> bytes:
    """An event as bytes. `data` holds no line end (JSON as orjson writes it never does)."""
    return b"data: %b\n\n" % data if event is None else b"event: %b\ndata: %b\n\n" % (event.encode(), data)
