"""One call, start to finish: translate, send, translate back. The only code that joins a provider to the transport.

Both faces of the house and the router call models through these two methods.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from litellm import exceptions as e
from litellm.engine import local
from litellm.engine.streams import EventStream
from litellm.providers import compatible, errors, openai
from litellm.providers.base import Operation, Provider
from litellm.transport.base import TimedOut, Transport, TransportError
from litellm.types.calls import Call, Json, Target
from litellm.types.http import HttpResponse, InvalidRequest, RawHeaders


@dataclass(slots=True)
class Reply:
    """A complete answer: OpenAI wire JSON, the vendor's response headers, and the seconds spent waiting for it."""

    wire: Json
    headers: RawHeaders
    seconds: float


class Engine:
    """`transport` carries the calls; `clock` gives seconds (monotonic)."""

    __slots__ = ("_clock", "_transport")

    def __init__(self, transport: Transport, clock: Callable[[], float]) -> None:
        self._transport = transport
        self._clock = clock

    async def send(self, call: Call) -> Reply:
        """Raises APIError and its subclasses for whatever went wrong, and nothing else."""
        provider, operation = _operation(call)
        started = self._clock()
        try:
            response = await self._carrier(call).send(operation.request(provider, call))
        except (TransportError, InvalidRequest) as error:
            raise failure_of(provider, call, error) from None
        seconds = self._clock() - started
        return Reply(operation.response(provider, call, response), response.headers, seconds)

    async def models(self, target: Target) -> list[str]:
        """The names of the models that an endpoint says it has. Raises APIConnectionError."""
        provider = compatible.provider_of(target.provider)
        try:
            return openai.listed(await self._transport.send(openai.listing(provider, target)))
        except (TransportError, InvalidRequest, ValueError) as error:
            raise e.APIConnectionError(
                message=f"{provider.name} does not tell its models: {error}", llm_provider=provider.name, model=""
            ) from None

    async def stream(self, call: Call, commit_seconds: float | None = None) -> EventStream:
        """Returns once the first event is there, or `commit_seconds` after a 2xx head if its target does not bound the
        first event. Raises as `send`."""
        provider, operation = _operation(call)
        if operation.stream is None:
            raise e.BadRequestError(
                message=f"{call.op} cannot be streamed", llm_provider=provider.name, model=call.target.model
            )
        started = self._clock()
        try:
            response = await self._carrier(call).stream(operation.request(provider, call))
            if not 200 <= response.status < 300:
                body = await response.read()
                raise errors.error_of(provider, call, HttpResponse(response.status, response.headers, body))
            decoder = operation.stream(provider, call)
            bounds = call.target.timeouts
            stream = EventStream(response, decoder, lambda failure: failure_of(provider, call, failure), bounds)
            if bounds.first_event is None:
                await stream.first(commit_seconds)
            else:
                await stream.first(spent=self._clock() - started)
        except (TransportError, InvalidRequest) as error:
            raise failure_of(provider, call, error) from None
        stream.seconds = self._clock() - started
        return stream

    async def aclose(self) -> None:
        await self._transport.aclose()

    def _carrier(self, call: Call) -> Transport:
        if call.mock is not None or call.target.provider == local.DEMO:
            return local.transport(call)
        if call.target.handler is not None:
            from litellm.engine import custom

            return custom.transport(call)
        return self._transport


def _operation(call: Call) -> tuple[Provider, Operation]:
    provider = _provider(call.target)
    operation = provider.operations.get(call.op)
    if operation is None:
        raise e.BadRequestError(
            message=f"{provider.name} has no {call.op} endpoint (known are: {', '.join(provider.operations)})",
            llm_provider=provider.name,
            model=call.target.model,
        )
    return provider, operation


def _provider(target: Target) -> Provider:
    if target.handler is not None:
        from litellm.engine import custom  # most processes have no custom provider

        return custom.provider(target.provider)
    return compatible.provider_of(target.provider)


# Whose fault a failure to carry is: the exception, and the words before the transport's own.
_FAILURES: Final[dict[type[BaseException], tuple[type[e.LiteLLMError], str]]] = {
    TransportError: (e.APIConnectionError, "Connection error"),
    TimedOut: (e.Timeout, "Request timed out"),
    InvalidRequest: (e.BadRequestError, "Invalid request"),
}


def failure_of(provider: Provider, call: Call, error: TransportError | InvalidRequest) -> e.LiteLLMError:
    cls, words = next(_FAILURES[kind] for kind in type(error).__mro__ if kind in _FAILURES)
    failure = cls(
        message=f"{errors.vendor_name(provider)} - {words}: {error}",
        llm_provider=provider.name,
        model=call.target.model,
    )
    failure.sent = isinstance(error, TransportError) and error.sent
    return failure
