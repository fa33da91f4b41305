"""LiteLLM's HTTP clients: thin classes over an `httpx` client that is made when it is first used.

An error status of anything but `get` raises httpx.HTTPStatusError, with `message` (the body's text) and `status_code`
on it; a timeout raises our Timeout. `litellm.completion(client=HTTPHandler())` sends a call through one.
"""

from functools import cached_property
from importlib import import_module
from typing import Any, Final, Self

from litellm import exceptions as e

__all__ = ["AsyncHTTPHandler", "HTTPHandler", "get_async_httpx_client"]

DEFAULT_SECONDS: Final = 600.0
CONNECT_SECONDS: Final = 5.0


class HTTPHandler:
    """Synchronous. A `client` given is used as it is, and closed by `close` like one of ours."""

    def __init__(
        self,
        timeout: Any = None,
        concurrent_limit: int | None = None,
        client: Any = None,
        ssl_verify: Any = None,
        disable_default_headers: bool = False,
        **_: Any,
    ) -> None:
        self._options = _options(timeout, concurrent_limit, ssl_verify)
        self.timeout = timeout
        if client is not None:
            self.client = client

    @cached_property
    def client(self) -> Any:
        return _made("Client", self._options)

    def get(self, url: str, **given: Any) -> Any:
        """The answer, whatever its status."""
        return self._send("GET", url, **given)

    def post(self, url: str, data: Any = None, json: Any = None, **given: Any) -> Any:
        return self._checked("POST", url, data=data, json=json, **given)

    def put(self, url: str, data: Any = None, json: Any = None, **given: Any) -> Any:
        return self._checked("PUT", url, data=data, json=json, **given)

    def patch(self, url: str, data: Any = None, json: Any = None, **given: Any) -> Any:
        return self._checked("PATCH", url, data=data, json=json, **given)

    def delete(self, url: str, data: Any = None, json: Any = None, **given: Any) -> Any:
        return self._checked("DELETE", url, data=data, json=json, **given)

    def _checked(self, method: str, url: str, **given: Any) -> Any:
        answer = self._send(method, url, **given)
        if answer.is_error:
            answer.read()  # of a stream it has not come yet, and an error needs its text
            _raise_for(answer)
        return answer

    def _send(self, method: str, url: str, stream: bool = False, follow_redirects: bool = True, **given: Any) -> Any:
        request = self.client.build_request(method, url, **_arguments(given))
        try:
            return self.client.send(request, stream=stream, follow_redirects=follow_redirects)
        except _httpx().TimeoutException as error:
            raise _timeout(error) from error

    def close(self) -> None:
        if "client" in vars(self):
            self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncHTTPHandler:
    """As HTTPHandler, for coroutines. Its connections belong to the event loop that first used it."""

    def __init__(
        self,
        timeout: Any = None,
        event_hooks: Any = None,
        concurrent_limit: int | None = None,
        client_alias: str | None = None,
        ssl_verify: Any = None,
        client: Any = None,
        **_: Any,
    ) -> None:
        self._options = {**_options(timeout, concurrent_limit, ssl_verify), "event_hooks": event_hooks}
        self.timeout = timeout
        self.client_alias = client_alias
        if client is not None:
            self.client = client

    @cached_property
    def client(self) -> Any:
        return _made("AsyncClient", self._options)

    async def get(self, url: str, **given: Any) -> Any:
        """The answer, whatever its status."""
        return await self._send("GET", url, **given)

    async def post(self, url: str, data: Any = None, json: Any = None, **given: Any) -> Any:
        return await self._checked("POST", url, data=data, json=json, **given)

    async def put(self, url: str, data: Any = None, json: Any = None, **given: Any) -> Any:
        return await self._checked("PUT", url, data=data, json=json, **given)

    async def patch(self, url: str, data: Any = None, json: Any = None, **given: Any) -> Any:
        return await self._checked("PATCH", url, data=data, json=json, **given)

    async def delete(self, url: str, data: Any = None, json: Any = None, **given: Any) -> Any:
        return await self._checked("DELETE", url, data=data, json=json, **given)

    async def _checked(self, method: str, url: str, **given: Any) -> Any:
        answer = await self._send(method, url, **given)
        if answer.is_error:
            await answer.aread()
            _raise_for(answer)
        return answer

    async def _send(
        self, method: str, url: str, stream: bool = False, follow_redirects: bool = True, **given: Any
    ) -> Any:
        request = self.client.build_request(method, url, **_arguments(given))
        try:
            return await self.client.send(request, stream=stream, follow_redirects=follow_redirects)
        except _httpx().TimeoutException as error:
            raise _timeout(error) from error

    async def aclose(self) -> None:
        if "client" in vars(self):
            await self.client.aclose()

    close = aclose

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def get_async_httpx_client(llm_provider: Any, params: dict[str, Any] | None = None, **_: Any) -> AsyncHTTPHandler:
    """A new handler; `params` are its arguments. LiteLLM shares one per provider: here whoever asks owns what it gets,
    so that closing it, or another event loop, troubles nobody else."""
    return AsyncHTTPHandler(**(params or {}))


def _httpx() -> Any:
    try:
        return import_module("httpx")
    except ImportError as error:
        raise ImportError("HTTPHandler and AsyncHTTPHandler need httpx: pip install httpx") from error


def _made(kind: str, options: dict[str, Any]) -> Any:
    """A client of httpx, its options without those that nobody gave."""
    httpx = _httpx()
    given = {name: value for name, value in options.items() if value is not None}
    limit = given.pop("limit", None)
    if limit is not None:
        given["limits"] = httpx.Limits(max_connections=limit, max_keepalive_connections=limit)
    given.setdefault("timeout", httpx.Timeout(DEFAULT_SECONDS, connect=CONNECT_SECONDS))
    return getattr(httpx, kind)(**given)


def _options(timeout: Any, limit: int | None, verify: Any) -> dict[str, Any]:
    return {"timeout": timeout, "limit": limit, "verify": verify}


def _arguments(given: dict[str, Any]) -> dict[str, Any]:
    """As httpx takes them: text and bytes are `content`; a timeout that nobody gave is the client's own."""
    kept = {name: value for name, value in given.items() if value is not None and name != "logging_obj"}
    if isinstance(kept.get("data"), str | bytes):
        kept["content"] = kept.pop("data")
    return kept


def _raise_for(answer: Any) -> None:
    try:
        answer.raise_for_status()
    except _httpx().HTTPStatusError as error:
        error.message, error.status_code = answer.text, answer.status_code
        raise


def _timeout(error: Exception) -> e.Timeout:
    return e.Timeout(
        message=f"{type(error).__name__}: {error}", model="default-model-name", llm_provider="litellm-httpx-handler"
    )
