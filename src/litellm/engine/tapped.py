"""A stream whose bytes are listened to on their way to its taker."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from litellm import exceptions as e
from litellm.engine.streams import EventStream, Sink
from litellm.formats.sse import SSEDecoder
from litellm.types.calls import Json, as_list, as_object


class Tapped(EventStream, ABC):
    """Hands another EventStream on. `wrong` is what broke it, if anything did; `heard` sees all that `relay` brings."""

    __slots__ = ("_inner", "_outer", "wrong")

    def __init__(self, inner: EventStream) -> None:
        # Not the parent's: this one has no response of its own, the stream within has it.
        self.headers = inner.headers
        self.seconds = inner.seconds
        self._inner = inner
        self._outer: Sink | None = None
        self.wrong: e.LiteLLMError | None = None

    @abstractmethod
    def heard(self, data: bytes) -> None: ...

    @property
    def on_close(self) -> Callable[[], None] | None:
        return self._inner.on_close

    @on_close.setter
    def on_close(  # pyright: ignore[reportIncompatibleVariableOverride]  # kept by the stream within
        self, called: Callable[[], None] | None
    ) -> None:
        self._inner.on_close = called

    @property
    def on_broke(self) -> Callable[[e.LiteLLMError], None] | None:
        return self._inner.on_broke

    @on_broke.setter
    def on_broke(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, called: Callable[[e.LiteLLMError], None] | None
    ) -> None:
        self._inner.on_broke = called

    def relay(self, sink: Sink) -> None:
        self._outer = sink
        self._inner.relay(self)

    def data(self, data: bytes, /) -> None:
        self.heard(data)
        if self._outer is not None:
            self._outer.data(data)

    def end(self, error: Any, /) -> None:
        self.wrong = self.wrong or error
        if self._outer is not None:
            self._outer.end(error)

    def broke(self, error: e.LiteLLMError) -> None:
        self.wrong = error
        self._inner.broke(error)

    @property
    def patience(self) -> float:
        return self._inner.patience

    def overdue(self, seconds: float) -> e.LiteLLMError | None:
        return self._inner.overdue(seconds)

    async def batch(self) -> list[Json]:
        return await self._inner.batch()

    def take(self) -> list[Json]:
        return self._inner.take()

    def decode(self, data: bytes) -> Json:
        return self._inner.decode(data)

    def pause(self) -> None:
        self._inner.pause()

    def resume(self) -> None:
        self._inner.resume()

    def close(self) -> None:
        self._inner.close()


class Heard(NamedTuple):
    """What a stream's bytes hold. `whole`: it said that it was complete, and nothing in it is an error."""

    chunks: list[Json]
    whole: bool


def chunks_of(pieces: Sequence[bytes]) -> Heard:
    """Events that are no JSON are left out: the caller has been told of them."""
    decoder = SSEDecoder()
    events = [*decoder.feed(b"".join(pieces)), *decoder.end()]
    said = [event.data for event in events if event.data]
    chunks = [chunk for data in said if data != b"[DONE]" and (chunk := _parsed(data)) is not None]
    done = b"[DONE]" in said
    sound = len(chunks) == len(said) - said.count(b"[DONE]") and not any("error" in chunk for chunk in chunks)
    return Heard([chunk for chunk in chunks if "error" not in chunk], sound and (done or _finished(chunks)))


def _parsed(data: bytes) -> Json | None:
    try:
        return as_object(orjson.loads(data))
    except orjson.JSONDecodeError:
        return None


def _finished(chunks: Sequence[Json]) -> bool:
    """Whether each choice has said why it ended."""
    choices = [as_object(choice) or {} for chunk in chunks for choice in as_list(chunk.get("choices")) or ()]
    seen = {choice.get("index", 0) for choice in choices}
    return bool(seen) and seen == {choice.get("index", 0) for choice in choices if choice.get("finish_reason")}
