"""A worker process: `python -m litellm.proxy.worker FD`, started by the supervisor and by nobody else.

FD is a socket to the supervisor. The first line on it says what to serve and on which inherited sockets; every later
line, in both directions, is news (JSON, one object a line). Its end means that the supervisor is gone: the worker
drains and ends, so no orphan keeps the port.
"""

import asyncio
import json
import logging
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from litellm.proxy.server import ServerOptions, StartError, Worker, run

log = logging.getLogger("litellm.proxy.server")


class Line:
    """One end of the conversation, on a socket that does not block once it is open."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._rest = b""

    def first(self) -> dict[str, Any]:
        """Wait for the first message. Raises EOFError if the supervisor ended before."""
        while not (lines := self.read()):
            pass
        return lines[0]

    def read(self) -> list[dict[str, Any]]:
        """The messages that have arrived. Raises EOFError at the end, BlockingIOError if there is nothing to read."""
        data = self._sock.recv(65536)
        if not data:
            raise EOFError("the other end has gone")
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def say(self, **news: Any) -> None:
        """Send one message. Lines are short and few; to an end that is gone, or does not read, nothing is said."""
        try:
            self._sock.sendall(json.dumps(news).encode() + b"\n")
        except OSError:
            pass

    def open(self, on_command: Callable[[dict[str, Any]], None], on_end: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._sock.setblocking(False)

        def readable() -> None:
            try:
                for command in self.read():
                    on_command(command)
            except BlockingIOError:
                pass
            except (EOFError, OSError):
                loop.remove_reader(self._sock)
                on_end()

        loop.add_reader(self._sock, readable)


def main(argv: list[str]) -> int:
    line = Line(socket.socket(fileno=int(argv[1])))
    start = line.first()
    logging.basicConfig(level=start["log_level"])
    sockets = [socket.socket(fileno=number) for number in start["sockets"]]
    worker = Worker(start["index"], start["count"], Path(start["folder"]), admin=False)
    options = ServerOptions(**start["options"])
    try:
        return run(start["factory"], start["settings"], options, sockets, worker, channel=line)
    except StartError as error:
        line.say(state="failed", message=str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
