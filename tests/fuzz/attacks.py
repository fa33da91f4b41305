"""Bytes that a caller might send to the gateway's port: nonsense, requests gone wrong, and requests with a second one
hidden inside.

Every hidden request asks for the model `smuggled`: it must never be answered, nor reach the upstream.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Final

SMUGGLED: Final = "smuggled"
_PATHS: Final = (
    "/v1/chat/completions", "/chat/completions", "/v1/completions", "/v1/embeddings", "/engines/ok/chat/completions",
    "/openai/deployments/ok/embeddings", "/v1/models", "/health/liveliness", "/model/info", "/openapi.json", "/",
    "/nope", "/v1/models/ok", "/metrics",
)  # fmt: skip
_TOKENS: Final = (
    b"\r\n", b"\n", b"\r", b"\0", b"\r\n\r\n", b": ", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", b"\xff", b"Connection: close\r\n", b"Expect: 100-continue\r\n",
    b"Upgrade: h2c\r\n", b"[", b"{", b'"', b",", b"\\u0000", b"99999999999999999999", b"Authorization: ",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\xe2\x80\xae", b"%00", b"../",
)  # fmt: skip


def body(random: Random, model: str = "ok", streams: bool = True) -> bytes:
    fields = {
        "model": model,
        "messages": [{"role": "user", "content": "x" * random.choice((1, 50, 5000))}],
        "prompt": "hi",
        "input": ["hi"],
        "stream": streams and random.random() < 0.3,
    }
    return json.dumps(fields).encode()


def request(random: Random, key: str, close: bool = False) -> bytes:
    """A whole, well-formed request; `close` asks that the connection be closed after it."""
    path = random.choice(_PATHS)
    posts = "completions" in path or "embeddings" in path
    head = f"{'POST' if posts else 'GET'} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
    head += "Connection: close\r\n" if close else ""
    if not posts:
        return head.encode() + b"\r\n"
    data = body(random, streams="completions" in path)
    if random.random() < 0.3:
        return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(random, data)
    return head.encode() + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data)


def chunks(random: Random, data: bytes) -> bytes:
    out = b""
    while data:
        size = min(len(data), random.choice((1, 7, 1000)))
        out += b"%x\r\n%b\r\n" % (size, data[:size])
        data = data[size:]
    return out + b"0\r\n\r\n"


def nonsense(random: Random, key: str) -> bytes:
    return random.randbytes(random.choice((1, 10, 100, 5000)))


def mutated(random: Random, key: str) -> bytes:
    """A request of which a few places were changed."""
    data = bytearray(request(random, key))
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        at = random.randrange(len(data) + 1)
        kind = random.randrange(5)
        if kind == 0 and at < len(data):
            data[at] = random.randrange(256)
        elif kind == 1:
            del data[at : at + random.choice((1, 5, 50))]
        elif kind == 2:
            data[at:at] = random.choice(_TOKENS)
        elif kind == 3:
            data[at:at] = data[at : at + random.choice((1, 10, 100))]
        else:
            data[at:at] = random.randbytes(random.choice((1, 4)))
    return bytes(data)


def truncated(random: Random, key: str) -> bytes:
    data = request(random, key)
    return data[: random.randrange(len(data))]


def pipelined(random: Random, key: str) -> bytes:
    """Several requests at once, the last perhaps in part."""
    return b"".join(request(random, key) for _ in range(random.choice((2, 3, 8)))) + truncated(random, key)


def spoilt_json(random: Random, key: str) -> bytes:
    """A well-framed request whose JSON is not what it should be."""
    data = bytearray(body(random))
    for _ in range(random.choice((1, 3))):
        at = random.randrange(len(data) + 1)
        data[at : at + random.choice((0, 1, 10))] = random.choice((b"", b"null", b"{}", b"[" * 2000, *_TOKENS))
    path = random.choice(_PATHS[:6])
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + bytes(data)


def oversized(random: Random, key: str) -> bytes:
    """More head than there may be."""
    lines = random.choice((b"X-A: b\r\n" * 500, b"X-A: " + b"b" * 100_000 + b"\r\n", b"X" * 100_000 + b": b\r\n"))
    target = b"/" + b"a" * random.choice((1, 100_000))
    return b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (target, lines)


# Framing about which two readers might disagree. Each is a head's fields and how the hidden request is wrapped.
_FRAMINGS: Final[tuple[Callable[[bytes], tuple[bytes, bytes]], ...]] = (
    lambda hidden: (b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % (5 + len(hidden)), b"0\r\n\r\n" + hidden),
    lambda hidden: (b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"0\r\n\r\n" + hidden),
    lambda hidden: (b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(hidden), hidden),
    lambda hidden: (b"Content-Length: %d, 0\r\n" % len(hidden), hidden),
    lambda hidden: (b"Content-Length: +0\r\n", hidden),
    lambda hidden: (b"Content-Length: -1\r\n", hidden),
    lambda hidden: (b"Content-Length: 0x0\r\n", hidden),
    lambda hidden: (b"Content-Length:\r\n", hidden),
    lambda hidden: (b"Content-Length : 0\r\n", hidden),
    lambda hidden: (b"Content-Length: 99999999999999999999999\r\n", hidden),
    lambda hidden: (b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + hidden),
    lambda hidden: (b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + hidden),
    lambda hidden: (b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + hidden),
    lambda hidden: (b"Transfer-Encoding: identity, chunked\r\n", b"z\r\n\r\n" + hidden),
    lambda hidden: (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", b"0\r\n\r\n" + hidden),
    lambda hidden: (b"Transfer-Encoding:\x0bchunked\r\n", b"0\r\n\r\n" + hidden),
    lambda hidden: (b"Transfer-Encoding: chunked\r\n", b"0x0\r\n\r\n" + hidden),
    lambda hidden: (b"Transfer-Encoding: chunked\r\n", b"-0\r\n\r\n" + hidden),
    lambda hidden: (b"Transfer-Encoding: chunked\r\n", b"0\n\n" + hidden),
    lambda hidden: (b"Transfer-Encoding: chunked\r\n", b"1\r\nAB\r\n0\r\n\r\n" + hidden),
    lambda hidden: (b"Transfer-Encoding: chunked\r\n", b"fffffffffffffffff\r\n" + hidden),
    lambda hidden: (b"X: y\r\n Content-Length: 0\r\nContent-Length: 0, 0\r\n", hidden),
    lambda hidden: (b"X: y\nContent-Length: 7\r\n", hidden),
    lambda hidden: (b"X: y\rTransfer-Encoding: chunked\r\nContent-Length: 1x\r\n", hidden),
    lambda hidden: (b"X: \0\r\n", hidden),
    lambda hidden: (b"X: y\r\n\x00: z\r\n", hidden),
)


def smuggling(random: Random, key: str) -> bytes:
    """A request whose end is doubtful, with a whole one behind it that must not be taken for a second request."""
    data = body(random, SMUGGLED)
    hidden = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    ).encode() + data
    fields, wrapped = random.choice(_FRAMINGS)(hidden)
    head = f"POST {random.choice(_PATHS[:6])} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
    return head.encode() + fields + b"\r\n" + wrapped


ATTACKS: Final = (
    nonsense,
    mutated,
    mutated,
    mutated,
    truncated,
    pipelined,
    spoilt_json,
    oversized,
    smuggling,
    smuggling,
)
