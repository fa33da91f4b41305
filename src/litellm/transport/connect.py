"""Opening a socket: every address of a name is tried, IPv6 first, 250 ms apart (happy eyeballs, RFC 8305).

asyncio has this built in, uvloop has not; this works on both.
"""

import asyncio
import socket
from itertools import chain, zip_longest
from typing import Any, Final

ATTEMPT_DELAY: Final = 0.25
"""Seconds after which the next address is tried beside the one that has not answered."""

Address = tuple[socket.AddressFamily, Any]


async def open_socket(host: str, port: int) -> socket.socket:
    """A connected, non-blocking TCP socket. Raises OSError: of the resolver, or of the first address that failed."""
    waiting = in_turn(await resolve(host, port))
    if len(waiting) == 1:
        return await _attempt(waiting[0])
    return await _race(waiting)


async def resolve(host: str, port: int) -> list[Address]:
    """Raises OSError (socket.gaierror is one)."""
    try:  # an address written as such needs neither a resolver nor a thread
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError as error:  # a label that cannot be encoded
            raise OSError(f"not a host name: {error}") from None
    return [(socket.AddressFamily(family), address) for family, _, _, _, address in found]


def in_turn(addresses: list[Address]) -> list[Address]:
    """The order of attempts: the families alternate, IPv6 first; within a family as the resolver sorted them."""
    six = [a for a in addresses if a[0] == socket.AF_INET6]
    other = [a for a in addresses if a[0] != socket.AF_INET6]
    return [a for a in chain.from_iterable(zip_longest(six, other)) if a is not None]


async def _race(waiting: list[Address]) -> socket.socket:
    running: set[asyncio.Task[socket.socket]] = set()
    first_error: BaseException | None = None
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(_attempt(waiting.pop(0))))
            done, _ = await asyncio.wait(
                running, timeout=ATTEMPT_DELAY if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for attempt in done:
                running.discard(attempt)
                error = attempt.exception()
                if error is None:
                    running |= done - {attempt}  # a second winner is closed with the losers
                    return attempt.result()
                first_error = first_error or error
    finally:
        _call_off(running)
    raise first_error or OSError("the name has no address")


def _call_off(attempts: set[asyncio.Task[socket.socket]]) -> None:
    """Nothing is waited for: a caller who is cancelled meanwhile would never get the winner, and nobody would close
    it, nor those that connect after all."""
    for attempt in attempts:
        attempt.cancel()
        attempt.add_done_callback(_close)


def _close(attempt: asyncio.Task[socket.socket]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


async def _attempt(address: Address) -> socket.socket:
    family, where = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # a model may think for minutes in silence
        await asyncio.get_running_loop().sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock
