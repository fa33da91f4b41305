"""Sending a large body piece by piece, while the connection may already be answering."""

import asyncio
from typing import Final

from litellm.transport.connection import Connection
from litellm.types.http import InvalidRequest, Upload

_PIECE: Final = 1 << 16
_TURNS: Final = 2
"""Turns of the loop before a write, so that it reads first: if an answer and a reset have come, the write would fail
and the answer be lost."""


async def pump(connection: Connection, body: bytes | Upload) -> None:
    """Write the body to the connection. An iterator's own failure, or a wrong length, fails the exchange.

    The end of the exchange, by an early answer for instance, cancels this task; an iterator is closed in any case.
    """
    try:
        if isinstance(body, Upload):
            await _write_upload(connection, body)
        else:
            await _write(connection, body)
    except Exception as error:  # a caller's iterator may raise anything; the caller gets it back
        connection.fail(error)
    else:
        connection.uploaded()


async def _write_upload(connection: Connection, upload: Upload) -> None:
    left = upload.length
    try:
        async for chunk in upload.chunks:
            left -= len(chunk)
            if left < 0:
                break
            await _write(connection, chunk)
    finally:
        aclose = getattr(upload.chunks, "aclose", None)
        if aclose is not None:
            await aclose()
    if left:
        raise InvalidRequest(f"an upload of {upload.length} bytes has {'more' if left < 0 else 'fewer'}")


async def _write(connection: Connection, data: bytes) -> None:
    for at in range(0, len(data), _PIECE):
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        await connection.write(data[at : at + _PIECE])
