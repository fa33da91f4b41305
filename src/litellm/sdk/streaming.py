"""`CustomStreamWrapper`: what `stream=True` returns, iterated with `for` or `async for`."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from litellm import exceptions as e
from litellm.engine.streams import EventStream
from litellm.sdk import callbacks, portal
from litellm.sdk.hidden import HiddenParams
from litellm.types import utils as types
from litellm.types.calls import Json, Op
from litellm.types.usage import usage_of

if TYPE_CHECKING:
    from litellm.engine.events import Record

Chunk = types.ModelResponseStream | types.TextCompletionResponse


class CustomStreamWrapper:
    """The chunks of one answer. Ending, failing, `close()` and being dropped all end the provider's work.

    `chunks` are those yielded so far. The usage chunk is yielded only if it was asked for, with one choice whose delta
    is empty (users read `chunk.choices[0]`); the usage is in `_hidden_params["usage"]` in any case. The chunks share
    these `_hidden_params`.

    It works in the event loop in which it was made, the portal's for synchronous callers, and may be iterated from
    elsewhere; only a loop cannot wait for itself, so there `for` raises RuntimeError and `async for` is the way.
    """

    def __init__(
        self,
        stream: EventStream,
        *,
        op: Op,
        model: str,
        provider: str,
        usage_asked: bool,
        hidden_params: HiddenParams,
        record: "Record | None" = None,
    ) -> None:
        self.model = model
        self.custom_llm_provider = provider
        self.chunks: list[Chunk] = []
        self._hidden_params = hidden_params
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._op: Op = op
        self._usage_asked = usage_asked
        self._waiting: deque[Json] = deque()
        self._closed = False
        self._record = record

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        while True:
            chunk = self._pop()
            if chunk is not None:
                return chunk
            if not self._closed:
                self._waiting.extend(portal.run_on(self._loop, self._batch))
            if not self._waiting:
                raise StopIteration

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while True:
            chunk = self._pop()
            if chunk is not None:
                return chunk
            if not self._closed:
                self._waiting.extend(await self._from_here())
            if not self._waiting:
                raise StopAsyncIteration

    async def _from_here(self) -> list[Json]:
        if asyncio.get_running_loop() is self._loop:
            return await self._batch()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._batch(), self._loop))

    async def _batch(self) -> list[Json]:
        """The next chunks; whatever ends the stream also closes it."""
        try:
            chunks = await self._stream.batch()
        except BaseException as error:
            self._end()
            if self._record is not None:
                self._record.failed(error, self._hidden_params)
            raise
        if not chunks:
            self._end()
            self._tell()
        return chunks

    def _tell(self) -> None:
        """What was read is the answer that callbacks are told of, also if the caller did not want the rest."""
        if self._record is not None:
            chunks = list(self.chunks)
            self._record.succeeded(lambda: callbacks.assembled(chunks, self._hidden_params), self._hidden_params)

    def _pop(self) -> Chunk | None:
        while self._waiting:
            wire = self._waiting.popleft()
            usage = wire.get("usage")
            if usage:
                self._hidden_params["usage"] = usage_of(usage)
                self._hidden_params.tier = wire.get("service_tier")
            if not wire.get("choices"):
                if usage and not self._usage_asked:
                    continue
                wire["choices"] = [{"index": 0, "delta": {}}] if self._op == "chat" else [{"index": 0, "text": ""}]
            made = types.stream_chunk(wire) if self._op == "chat" else types.text_completion_response(wire)
            made.__pydantic_private__["_hidden_params"] = self._hidden_params  # pyright: ignore[reportOptionalSubscript]
            self.chunks.append(made)
            if self._record is not None:
                self._record.chunk(made)
            return made
        return None

    @property
    def on_close(self) -> Callable[[], None] | None:
        """Called once, in the stream's own loop, when whoever reads it is done with it."""
        return self._stream.on_close

    @on_close.setter
    def on_close(self, called: Callable[[], None] | None) -> None:
        self._stream.on_close = called

    @property
    def on_broke(self) -> Callable[[e.LiteLLMError], None] | None:
        """Called once, in the stream's own loop, with what broke the stream."""
        return self._stream.on_broke

    @on_broke.setter
    def on_broke(self, called: Callable[[e.LiteLLMError], None] | None) -> None:
        self._stream.on_broke = called

    def _end(self) -> None:
        self._closed = True
        self._stream.close()

    def close(self) -> None:
        """Stop: what has not been read is dropped, and the provider's work ends."""
        if self._closed:
            return
        self._closed = True
        self._waiting.clear()
        with suppress(RuntimeError):  # the loop is closed, and its connections with it
            self._loop.call_soon_threadsafe(self._stream.close)
        self._tell()

    async def aclose(self) -> None:
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            self.close()
