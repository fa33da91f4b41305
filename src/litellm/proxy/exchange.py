"""One request and its answer: what the handlers of the fast lane are given.

It is the server's own exchange (`connection.py`): plain functions instead of ASGI messages, and header lines that are
encoded once. The management app behind the fast lane is plain ASGI.
"""

import asyncio
from collections.abc import MutableMapping
from itertools import count
from random import getrandbits
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs
from uuid import uuid4

from litellm.proxy.asgi import Exchange as ServerExchange
from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.identity import MASTER, Identity

if TYPE_CHECKING:  # there is a charge only if there is a store, or a budget, a passage only if callbacks have hooks
    from litellm.proxy.charge import Charge
    from litellm.proxy.hooks import Passage
    from litellm.proxy.idempotency import Recording
    from litellm.proxy.regions import Bound
    from litellm.proxy.spend.prompts import Kept
    from litellm.router.explain import Trace

Message = MutableMapping[str, Any]

_PROCESS: Final = str(uuid4())[:24]
_count: Final = count(getrandbits(47))


def new_call_id() -> str:
    """Of a random UUID's form: its first part is this process's, its last one counts. (All of it random: 1.5 us.)"""
    return f"{_PROCESS}{next(_count):012x}"


def _usable(given: bytes) -> str:
    """A caller's own id, if it can stand in a header and a log line."""
    text = given.decode("latin-1")
    return text if len(given) <= 128 and given.isascii() and text.isprintable() else new_call_id()


class Exchange(ServerExchange):
    """`started` is when the gateway was called (seconds, monotonic); `call_id` names the exchange everywhere."""

    started = 0.0
    call_id = ""
    model = ""  # the group asked for, once it is known to exist
    upstream_seconds = 0.0  # up to its answer, or a stream's first event; 0 until then
    broke = 0  # the status of what the answer failed with after its status line; 499: its caller hung up
    overhead_seconds = 0.0  # ours, up to the status line
    identity: Identity = MASTER
    charge: "Charge | None" = None  # what the call costs whom, if there are books or budgets
    passage: "Passage | None" = None
    kept: "Kept | None" = None  # what it says, if that is to be kept
    bound: "Bound | None" = None  # where it has to stay, if anywhere
    trace: "Trace | None" = None  # where it goes and why, if that is to be told
    cache_hit = False
    recording: "Recording | None" = None  # of what is sent, for a call with an Idempotency-Key

    def named(self) -> str:
        """Gives the exchange its id: the caller's own, or a new one."""
        given = self.fields.get(b"x-litellm-call-id")
        self.call_id = new_call_id() if given is None else _usable(given)
        return self.call_id

    def header(self, name: bytes) -> str | None:
        value = self.fields.get(name)
        return None if value is None else value.decode("latin-1")

    def query(self, name: str) -> str | None:
        """The first value of a query parameter."""
        query = self.query_string
        return parse_qs(query.decode("latin-1")).get(name, [None])[0] if query else None

    def whole_body(self, limit: int) -> bytes | None:
        """The request's body if it is all there: nearly always it came with the head. Raises ProxyError 413."""
        if self.more_body:
            return None
        parts, self.parts = self.parts, []
        self.delivered = True
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        if len(body) > limit:
            raise _too_large(limit)
        self.connection.room(self)
        return body

    async def body(self, limit: int) -> bytes:
        """The request's body. Raises ProxyError 413 for more than `limit` bytes."""
        length = self.fields.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > limit:
            raise _too_large(limit)
        parts: list[bytes] = []
        left, more = limit, True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise asyncio.CancelledError
            parts.append(message["body"])
            left -= len(parts[-1])
            if left < 0:
                raise _too_large(limit)
            more = message["more_body"]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def room(self) -> None:
        """`write` returned False, the caller does not keep up: returns when it does again."""
        await self.send({"type": "http.response.body", "body": b"", "more_body": True})

    def end(self) -> None:
        self.write(b"", False)


def _too_large(limit: int) -> ProxyError:
    return ProxyError(413, f"Request body is larger than {limit} bytes (general_settings.max_request_size_mb)")
