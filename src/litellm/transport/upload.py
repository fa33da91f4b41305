"""Sending a body that comes from an iterator, while the connection may already be answering."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from litellm.transport.connection import Connection
from litellm.types.http import InvalidRequest, Upload

_PIECE: Final = 1 << 16


async def pump(connection: Connection, upload: Upload) -> None:
    """Write the upload to the connection. The iterator's own failure, or a wrong length, fails the exchange.

    An early answer cancels this task; the iterator is closed in any case.
    """
    try:
        await _write_all(connection, upload)
    except asyncio.CancelledError:
        raise
    except Exception as error:  # a caller's iterator may raise anything; the caller gets it back
        await _close(upload.chunks)
        connection.fail(error)
    else:
        connection.uploaded()
    finally:
        await _close(upload.chunks)


async def _write_all(connection: Connection, upload: Upload) -> None:
    left = upload.length
    async for chunk in upload.chunks:
        left -= len(chunk)
        if left < 0:
            break
        for at in range(0, len(chunk), _PIECE):
            await connection.write(chunk[at : at + _PIECE])
            await _let_answers_in()
    if left:
        raise InvalidRequest(f"an upload of {upload.length} bytes has {'more' if left < 0 else 'fewer'}")


async def _let_answers_in() -> None:
    """Let the loop read before the next write: an answer followed by a reset is lost if the write comes first."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def _close(chunks: AsyncIterator[bytes]) -> None:
    aclose = getattr(chunks, "aclose", None)
    if aclose is not None:
        await aclose()
