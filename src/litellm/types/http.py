"""HTTP as values: what a provider asks the transport to send, and what comes back.

Nothing here does I/O. `Url` and `Headers` are made once per deployment and carry their wire form with them, so that
the hot path validates and encodes nothing a second time.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit

RawHeaders = list[tuple[bytes, bytes]]
"""A response's header fields in the order received; names in lower case."""

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
_FIELD_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110, 5.5: no CR, LF, NUL, other controls
_FRAMING: Final = frozenset(
    {"content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect", "host",
     "proxy-connection", "proxy-authorization", "proxy-authenticate"}
)  # fmt: skip
_PATH_SAFE: Final = "/%:@!$&'()*+,;=-._~?[]"


class InvalidRequest(ValueError):
    """A request that may not be put on the wire: the message names the field."""


class Headers:
    """An immutable list of request header fields, checked and encoded once.

    Framing and hop-by-hop fields are the transport's own and are refused here, as are names that are not tokens and
    values with control characters (request smuggling). Raises InvalidRequest.
    """

    __slots__ = ("items", "wire")

    items: tuple[tuple[str, str], ...]
    wire: bytes

    def __init__(self, items: tuple[tuple[str, str], ...] = ()) -> None:
        lines: list[bytes] = []
        for name, value in items:
            if not _TOKEN.fullmatch(name):
                raise InvalidRequest(f"invalid header name {name!r}")
            if name.lower() in _FRAMING:
                raise InvalidRequest(f"header {name!r} is set by the transport alone")
            if not _FIELD_VALUE.fullmatch(value):
                raise InvalidRequest(f"invalid character in the value of header {name!r}")
            lines.append(f"{name}: {value.strip()}\r\n".encode("latin-1"))
        self.items = items
        self.wire = b"".join(lines)

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.items if key.lower() == name), None)


class Url:
    """An absolute http(s) URL, parsed and checked once.

    `origin` is (scheme, host, port), the host in lower case and IDNA form, without brackets. `target` is the request
    target in origin form. Raises InvalidRequest for anything else, user info included.
    """

    __slots__ = ("host", "origin", "port", "scheme", "target", "text")

    def __init__(self, text: str) -> None:
        if any(ord(c) < 0x21 or ord(c) == 0x7F for c in text):
            raise InvalidRequest(f"invalid character in URL {text!r}")
        try:
            parts = urlsplit(text)
            port = parts.port
            host = (parts.hostname or "").encode("idna" if not (parts.hostname or "").isascii() else "ascii").decode()
        except (ValueError, UnicodeError) as error:
            raise InvalidRequest(f"invalid URL {text!r}: {error}") from None
        if parts.scheme not in ("http", "https"):
            raise InvalidRequest(f"invalid URL {text!r}: expected http:// or https://")
        if not host:
            raise InvalidRequest(f"invalid URL {text!r}: no host")
        if parts.username is not None or parts.password is not None:
            raise InvalidRequest("a URL may not carry user name or password")
        self.text = text
        self.scheme = parts.scheme
        self.host = host
        self.port = port or (443 if parts.scheme == "https" else 80)
        self.origin: tuple[str, str, int] = (self.scheme, self.host, self.port)
        target = quote(parts.path, safe=_PATH_SAFE) or "/"
        self.target = f"{target}?{quote(parts.query, safe=_PATH_SAFE)}" if parts.query else target

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; None means unbounded. `total` bounds the call from the start to the last byte.

    `first_event` bounds a stream from the start to its first event, which is waited for before anything is said to the
    caller; `between_events` the waits for the next ones (None: as `between_bytes`).
    """

    connect: float | None = 10.0
    first_byte: float | None = 600.0
    between_bytes: float | None = 600.0
    total: float | None = None
    first_event: float | None = None
    between_events: float | None = None


@dataclass(frozen=True, slots=True)
class Tls:
    """How a server's certificate is checked: `verify` with the default or given CA file; an optional client's own."""

    verify: bool = True
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


@dataclass(slots=True)
class Upload:
    """A request body that is streamed, with its length in bytes known beforehand. It can be sent once."""

    chunks: AsyncIterator[bytes]
    length: int


DEFAULT_TIMEOUTS: Final = Timeouts()
DEFAULT_TLS: Final = Tls()


@dataclass(slots=True)
class HttpRequest:
    """One request. Not frozen: a frozen dataclass costs a microsecond more to make, and one is made per call."""

    method: str
    url: Url
    headers: Headers
    body: bytes | Upload = b""
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    tls: Tls = DEFAULT_TLS


@dataclass(slots=True)
class HttpResponse:
    status: int
    headers: RawHeaders = field(default_factory=list[tuple[bytes, bytes]])
    body: bytes = b""
