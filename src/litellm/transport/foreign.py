"""Other people's HTTP clients: a caller's own `httpx` or `httpx2` client, or `openai` client, as a transport.

So what the client was given holds (proxies, certificates, hooks), and recorders and test doubles see the traffic. The
client's library is never imported here, except for `own_client`; its classes are known by their names.
"""

import asyncio
import inspect
import sys
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from typing import Any, Final

import orjson

from litellm.transport.base import ClosedEarly, ConnectFailed, NotHTTP, Phase, ResponseStream, TimedOut, TransportError
from litellm.transport.mock import Chunks, MockAnswer, MockTransport
from litellm.transport.threads import in_thread, iterate_in_thread
from litellm.transport.tls import Contexts
from litellm.types.http import HttpRequest, HttpResponse, InvalidRequest, RawHeaders, Timeouts, Tls, Upload

# Set by an `openai` client itself, as it was told to.
_CLIENTS_OWN: Final = frozenset(
    {"authorization", "content-type", "accept", "user-agent", "openai-organization", "api-key"}
)
# The body is handed on decoded, and in other pieces than it came.
_CODING: Final = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})

# The libraries' exceptions, nearest class first; ReadTimeout and the like stand before their base.
_FAILURES: Final[dict[str, type[TransportError]]] = {
    "ConnectError": ConnectFailed,
    "ProxyError": ConnectFailed,
    "DecodingError": NotHTTP,
    "NetworkError": ClosedEarly,
    "RemoteProtocolError": ClosedEarly,
    "TransportError": ClosedEarly,
    "APIConnectionError": ClosedEarly,
}
_TIMEOUTS: Final[dict[str, Phase]] = {
    "ConnectTimeout": "connect",
    "PoolTimeout": "connect",
    "TimeoutException": "between_bytes",
    "APITimeoutError": "between_bytes",
}
_INVALID: Final = frozenset({"InvalidURL", "UnsupportedProtocol", "LocalProtocolError"})


class ForeignTransport(MockTransport):
    """base.Transport over a caller's client, which it does not close. Streams are played as MockTransport's are."""

    def __init__(self, client: Any) -> None:
        """Raises TypeError for an object that is no client known here."""
        super().__init__(_never)
        self._open = _opener(client)

    async def send(self, request: HttpRequest, /) -> HttpResponse:
        return await _bounded(super().send(request), request.timeouts.total)

    async def stream(self, request: HttpRequest, /) -> ResponseStream:
        return await _bounded(super().stream(request), request.timeouts.total)

    async def _answer(self, request: HttpRequest) -> tuple[int, RawHeaders, Chunks]:
        try:
            response, is_async = await self._open(request)
        except Exception as error:  # what is no failure of carrying goes on as it is
            raise _failure(error) from error
        return response.status_code, _headers(response), _body(response, is_async)


class OwnClients:
    """base.Transport over httpx clients that are ours, one per TLS setting: `LITELLM_HTTP_CLIENT=httpx`."""

    def __init__(self, library: str) -> None:
        self._library = import_module(library)
        self._contexts = Contexts()
        self._clients: dict[Tls, tuple[Any, ForeignTransport]] = {}

    async def send(self, request: HttpRequest, /) -> HttpResponse:
        return await self._for(request.tls).send(request)

    async def stream(self, request: HttpRequest, /) -> ResponseStream:
        return await self._for(request.tls).stream(request)

    async def aclose(self) -> None:
        clients, self._clients = self._clients, {}
        for client, transport in clients.values():
            await transport.aclose()
            await client.aclose()

    def _for(self, tls: Tls) -> ForeignTransport:
        known = self._clients.get(tls)
        if known is None:
            limits = self._library.Limits(max_connections=None, max_keepalive_connections=None)
            client = self._library.AsyncClient(verify=self._contexts.get(tls), limits=limits, timeout=None)
            known = self._clients[tls] = (client, ForeignTransport(client))
        return known[1]


def is_openai(client: Any) -> bool:
    """An `openai` client of any kind."""
    return hasattr(client, "chat") and hasattr(client, "post") and hasattr(client, "base_url")


def _never(_: HttpRequest) -> MockAnswer:
    raise AssertionError("requests go to the client")


Opened = tuple[Any, bool]
"""A response of the client's library, its head arrived, and whether it is read asynchronously."""


def _opener(client: Any) -> Callable[[HttpRequest], Any]:
    if is_openai(client):
        is_async = inspect.iscoroutinefunction(client.post)
        return lambda request: _by_openai(client, is_async, request)
    inner = getattr(client, "client", client)  # LiteLLM's HTTPHandler holds an httpx client
    if hasattr(inner, "build_request") and hasattr(inner, "send"):
        is_async = inspect.iscoroutinefunction(inner.send)
        return lambda request: _by_httpx(inner, is_async, request)
    raise TypeError(f"`client` is a {type(client).__name__}: an openai, httpx or httpx2 client is needed")


async def _by_httpx(client: Any, is_async: bool, request: HttpRequest) -> Opened:
    def build() -> Any:
        return client.build_request(
            request.method,
            str(request.url),
            headers=list(request.headers.items),
            content=_content(request),
            timeout=_seconds(request.timeouts),
        )

    if is_async:
        return await client.send(build(), stream=True), True
    return await in_thread(lambda: client.send(build(), stream=True)), False


async def _by_openai(client: Any, is_async: bool, request: HttpRequest) -> Opened:
    """By the client's own `post`, which adds its key and headers and, for Azure, finds the deployment's path."""
    openai = sys.modules["openai"]
    base = str(client.base_url).rstrip("/")
    given = {
        "path": str(request.url).removeprefix(base),
        "cast_to": object,
        "body": orjson.loads(_content(request)),
        "options": {
            "max_retries": 0,
            "timeout": request.timeouts.first_byte,
            "headers": {name: value for name, value in request.headers.items if name not in _CLIENTS_OWN},
        },
        "stream": True,
    }
    try:
        if is_async:
            return (await client.post(**given, stream_cls=openai.AsyncStream[object])).response, True
        return (await in_thread(lambda: client.post(**given, stream_cls=openai.Stream[object]))).response, False
    except openai.APIStatusError as error:  # an answer like any other: what it means is the provider's to say
        return error.response, is_async


def _content(request: HttpRequest) -> bytes:
    if isinstance(request.body, Upload):
        raise InvalidRequest("an upload cannot be sent by a client of the caller's own")
    return request.body


def _seconds(timeouts: Timeouts) -> tuple[float | None, float | None, float | None, float | None]:
    """connect, read, write, pool."""
    return timeouts.connect, timeouts.first_byte, timeouts.between_bytes, timeouts.connect


def _headers(response: Any) -> RawHeaders:
    raw = [(name.lower(), value) for name, value in response.headers.raw]
    return [(name, value) for name, value in raw if name not in _CODING]


async def _body(response: Any, is_async: bool) -> AsyncIterator[bytes]:
    try:
        if is_async:
            async for data in response.aiter_bytes():
                yield data
        else:
            async for data in iterate_in_thread(response.iter_bytes):
                yield data
    except Exception as error:
        raise _failure(error) from error
    finally:
        await (response.aclose() if is_async else in_thread(response.close))


def _failure(error: Exception) -> Exception:
    """A library's exception as one of the transport's; anything else as it is."""
    cause = error.__cause__
    if isinstance(cause, Exception) and type(error).__module__.startswith("openai"):
        return _failure(cause)
    if isinstance(error, TransportError):
        return error
    text = str(error) or type(error).__name__
    for name in (kind.__name__ for kind in type(error).__mro__):
        if name in _TIMEOUTS:
            return TimedOut(text, _TIMEOUTS[name])
        if name in _FAILURES:
            return _FAILURES[name](text)
        if name in _INVALID:
            return InvalidRequest(text)
    return error


async def _bounded(waited: Any, seconds: float | None) -> Any:
    scope = asyncio.timeout(seconds)
    try:
        async with scope:
            return await waited
    except TimeoutError:
        if not scope.expired():
            raise
        raise TimedOut(f"the call took longer than {seconds} s", "total") from None
