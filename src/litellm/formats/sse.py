"""Server-sent events: bytes in, events out, whatever the packets' borders (WHATWG HTML, 9.2.6).

Lines may end in LF, CR or CRLF. Comments are dropped, several `data:` lines of one event are joined by LF. An event
is held until its blank line has come; what is left at the end counts as an event too if it has data, because servers
exist that close right after their last line.
"""

from typing import Final, NamedTuple

MAX_EVENT_BYTES: Final = 32 * 1024 * 1024


class Event(NamedTuple):
    data: bytes
    event: str | None = None


class EventTooLarge(ValueError):
    """An event passes MAX_EVENT_BYTES."""


class SSEDecoder:
    """Cuts a byte stream into events. Raises EventTooLarge."""

    __slots__ = ("_rest", "_seen")

    def __init__(self) -> None:
        self._rest = b""
        self._seen = 0  # bytes of _rest known to hold no blank line

    def feed(self, data: bytes) -> list[Event]:
        data = self._rest + data if self._rest else data
        if b"\r" in data:
            data = self._unify(data)
        cut = data.rfind(b"\n\n", self._seen)
        if cut < 0:
            self._hold(data)
            return []
        self._seen = 0
        self._hold(data[cut + 2 :])
        return [event for block in data[:cut].split(b"\n\n") if (event := parse_block(block)) is not None]

    def end(self) -> list[Event]:
        rest, self._rest, self._seen = self._rest.replace(b"\r", b"\n"), b"", 0
        event = parse_block(rest)
        return [event] if event is not None else []

    def _hold(self, rest: bytes) -> None:
        if len(rest) > MAX_EVENT_BYTES:
            raise EventTooLarge(f"an event of more than {MAX_EVENT_BYTES} bytes")
        self._rest = rest
        self._seen = max(0, len(rest) - 2)

    def _unify(self, data: bytes) -> bytes:
        """Every line end as LF. A CR at the very end is kept: its LF may be on the way."""
        self._seen = 0
        held = b""
        if data.endswith(b"\r"):
            data, held = data[:-1], b"\r"
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held


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
