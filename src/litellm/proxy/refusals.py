"""What the server refuses by itself, before any app: the answers, and the rules on a request's head."""

import logging
from functools import lru_cache
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import unquote

import httptools
import orjson

_log = logging.getLogger("litellm.proxy.server")

STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class Refusal(NamedTuple):
    """An answer of the server's own, after which the connection closes."""

    status: int
    type: str
    message: str
    retry_after: int | None = None


BAD_REQUEST: Final = Refusal(400, "invalid_request_error", "Invalid HTTP request.")
BAD_HOST: Final = Refusal(400, "invalid_request_error", "A request needs exactly one Host header.")
BAD_CONNECT: Final = Refusal(400, "invalid_request_error", "CONNECT is not supported.")
SLOW_HEAD: Final = Refusal(408, "timeout_error", "The request's head did not arrive in time.")
SLOW_BODY: Final = Refusal(408, "timeout_error", "The request's body stopped arriving.")
LARGE_HEAD: Final = Refusal(431, "invalid_request_error", "The request's headers are too large.")
MANY_HEADERS: Final = Refusal(431, "invalid_request_error", "The request has too many headers.")
BAD_CODING: Final = Refusal(501, "invalid_request_error", "The only supported transfer coding is chunked.")
BAD_VERSION: Final = Refusal(505, "invalid_request_error", "The only supported versions are HTTP/1.1 and HTTP/1.0.")
CRASHED: Final = Refusal(500, "internal_server_error", "Internal server error.")
TOO_MANY: Final = Refusal(503, "service_unavailable_error", "Too many connections, try again later.", 1)
PIPELINED: Final = Refusal(503, "service_unavailable_error", "Too many requests in one pipeline.", 1)


def refusal_wire(refusal: Refusal, date: bytes) -> bytes:
    """The whole answer: head, and OpenAI's error object with the status as a string in `code`."""
    error = {"message": refusal.message, "type": refusal.type, "param": None, "code": str(refusal.status)}
    body = orjson.dumps({"error": error})
    retry = b"" if refusal.retry_after is None else b"retry-after: %d\r\n" % refusal.retry_after
    return b"%bcontent-type: application/json\r\ncontent-length: %d\r\n%b%bconnection: close\r\n\r\n%b" % (
        STATUS_LINES[refusal.status], len(body), retry, date, body
    )  # fmt: skip


class Refused(Exception):
    """Carries a refusal out of the parser's callbacks, which stops the parser where it is."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal


def check_head(version: str, headers: list[tuple[bytes, bytes]], fields: dict[bytes, bytes], limit: int) -> None:
    """What llhttp leaves open: RFC 9112, 3.2 (one Host) and 6.1 (codings nobody here knows; none in HTTP/1.0).

    `fields` is `headers` without repetitions.
    """
    if len(headers) > limit:
        raise Refused(MANY_HEADERS)
    if version != "1.1" and version != "1.0":
        raise Refused(BAD_VERSION)
    if b"host" not in fields and version == "1.1":
        raise Refused(BAD_HOST)
    if len(fields) != len(headers):
        names = [name for name, _ in headers]
        if names.count(b"host") > 1:
            raise Refused(BAD_HOST)
        if names.count(b"transfer-encoding") > 1:
            raise Refused(BAD_CODING)
    coding = fields.get(b"transfer-encoding")
    if coding is not None:
        if version == "1.0":
            raise Refused(BAD_REQUEST)
        if coding.lower() != b"chunked":
            raise Refused(BAD_CODING)


def split_target(url: bytes) -> tuple[str, bytes, bytes]:
    """A request target as (path, raw path, query): origin form, absolute form, or `*`."""
    return _usual(url) if len(url) <= _USUAL and b"?" not in url else _split(url)


_USUAL: Final = 128
"""Bytes of a target that is remembered, if it has no query: callers make up the rest, and may put a key there."""


@lru_cache(maxsize=1024)
def _usual(url: bytes) -> tuple[str, bytes, bytes]:
    return _split(url)


def _split(url: bytes) -> tuple[str, bytes, bytes]:
    raw_path, _, query = url.partition(b"?")
    if raw_path[:1] != b"/" and raw_path != b"*":
        try:
            parts = httptools.parse_url(url)
        except httptools.HttpParserInvalidURLError:
            raise Refused(BAD_REQUEST) from None
        raw_path, query = parts.path or b"/", parts.query or b""
    if b"#" in url or not raw_path.isascii():
        raise Refused(BAD_REQUEST)
    path = raw_path.decode()
    return unquote(path) if "%" in path else path, raw_path, query


def reason_of(error: httptools.HttpParserError) -> Refusal:
    """Why the parser stopped: a rule of ours, a fault of ours, or the grammar."""
    if not isinstance(error, httptools.HttpParserCallbackError):
        return BAD_REQUEST
    cause = error.__context__
    if isinstance(cause, Refused):
        return cause.refusal
    _log.error("a parser callback failed", exc_info=cause)
    return CRASHED
