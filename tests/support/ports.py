"""Loopback ports for servers that have to be told one."""

import socket


def free_port() -> int:
    """A port that the system gives to nobody else while this process lives, as it stays bound (and silent).

    Whoever is told it can listen there, by SO_REUSEADDR or SO_REUSEPORT, which every server here sets. Until then a
    connection is refused.
    """
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    keeper.bind(("127.0.0.1", 0))
    port: int = keeper.getsockname()[1]
    keeper.detach()
    return port
