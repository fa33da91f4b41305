"""A streamed answer on its way into the cache: kept, as one answer, if it was complete."""

from collections.abc import Callable

import orjson

from litellm.engine.builder import stream_chunk_builder
from litellm.engine.streams import EventStream
from litellm.engine.tapped import Tapped, chunks_of
from litellm.proxy.hooks import written


class KeptStream(Tapped):
    """`keep` is given its bytes when it is closed, unless something broke it or it has more than `most`."""

    __slots__ = ("_keep", "_most", "_pieces", "_size")

    def __init__(self, inner: EventStream, most: int, keep: Callable[[list[bytes]], None]) -> None:
        super().__init__(inner)
        self._most = most
        self._keep = keep
        self._pieces: list[bytes] = []
        self._size = 0

    def heard(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._most:
            self._pieces.append(data)
        else:
            self._pieces.clear()

    def close(self) -> None:
        super().close()
        pieces, self._pieces = self._pieces, []
        if pieces and self.wrong is None:
            self._keep(pieces)


def answer_of(pieces: list[bytes]) -> bytes | None:
    """The answer that a stream was; None for one that was not complete, or told no usage: a whole answer would."""
    chunks, whole = chunks_of(pieces)
    made = stream_chunk_builder(chunks) if whole else None
    return None if made is None or made.usage is None else orjson.dumps(written(made))
