"""Content codings we ask for, gzip and deflate, undone within bounds.

A few kilobytes can inflate to gigabytes, so output is bounded twice: by the reader (whole bodies have a limit) and here
by the ratio to the input, which ordinary text never reaches (deflate's own ceiling is about 1,030 : 1).
"""

import zlib
from typing import Final

from litellm.transport.base import NotHTTP

ACCEPTED: Final = b"gzip, deflate"
RATIO: Final = 200
FREE: Final = 1 << 20
"""Bytes of output that are allowed before the ratio counts: short, dull bodies do compress that well."""
_STEP: Final = 1 << 16

_GZIP: Final = 31  # zlib's window bits: the largest window, and the container
_ZLIB: Final = 15
_RAW: Final = -15


class Decoder:
    """One coded body. `feed` takes the bytes as they arrive and returns what they decode to, perhaps nothing.

    Raises NotHTTP if the data is damaged, passes the ratio, or (from `finish`) ends before its own end mark.
    """

    __slots__ = ("_bits", "_fed", "_inflate", "_made")

    def __init__(self, *, gzip: bool) -> None:
        self._bits = _GZIP if gzip else 0
        self._inflate: zlib._Decompress | None = None  # pyright: ignore[reportPrivateUsage] - zlib names no public type
        self._fed = 0
        self._made = 0

    def feed(self, data: bytes) -> bytes:
        self._fed += len(data)
        pieces: list[bytes] = []
        while data or (pieces and len(pieces[-1]) == _STEP):  # a full piece: zlib may hold back more
            if data and (self._inflate is None or self._inflate.eof):
                self._begin(data)
            piece, data = self._step(data)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def finish(self) -> None:
        if self._inflate is not None and not self._inflate.eof:
            raise NotHTTP("the compressed body of the response ends too early")

    def _begin(self, data: bytes) -> None:
        """Start on the body, or on the next member of a gzip body (RFC 1952, 2.2, allows several)."""
        if self._inflate is not None and self._bits != _GZIP:
            raise NotHTTP("bytes follow the end of the compressed body of the response")
        if not self._bits:  # "deflate" means zlib's container (RFC 9110, 8.4.1.2), but some send the bare stream
            self._bits = _ZLIB if data[0] & 0x0F == 8 else _RAW
        self._inflate = zlib.decompressobj(self._bits)

    def _step(self, data: bytes) -> tuple[bytes, bytes]:
        assert self._inflate is not None
        try:
            piece = self._inflate.decompress(data, _STEP)
        except zlib.error as error:
            raise NotHTTP(f"the compressed body of the response is damaged: {error}") from None
        self._made += len(piece)
        if self._made > FREE and self._made > RATIO * self._fed:
            raise NotHTTP(f"the compressed body of the response inflates more than {RATIO} times")
        return piece, self._inflate.unconsumed_tail or self._inflate.unused_data


_GZIP_BY_NAME: Final = {b"gzip": True, b"x-gzip": True, b"deflate": False}


def decoder_for(coding: bytes | None) -> Decoder | None:
    """A decoder for a Content-Encoding, or None for one that passes as it is (identity, or what we never ask for)."""
    gzip = _GZIP_BY_NAME.get(coding.strip().lower()) if coding is not None else None
    return None if gzip is None else Decoder(gzip=gzip)
