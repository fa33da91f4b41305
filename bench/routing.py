"""`python -m bench.routing`: CPU per request of a model with several deployments, beside that of one with a single one.

Two starts of one gateway differ by more than routing costs, and so do two seconds of a shared machine. So both models
are asked of the same gateway, a few hundred requests of one and then of the other, and what counts is the median ratio
of neighbours, over several starts. A second model with a single deployment says how far that can be trusted: it is to
come to 1.
"""

import argparse
import asyncio
import os
import tempfile
from pathlib import Path
from statistics import median
from typing import Final, cast

import uvloop

from bench import machine, servers
from bench.servers import Subject

CONNECTIONS: Final = 64
REQUESTS: Final = 600
"""Of a model at a time: about a twentieth of a second."""
ONE: Final = "one"
ANOTHER: Final = "another"
DEPLOYMENTS: Final = {**servers.TEN_IN_THREE, ONE: 1, ANOTHER: 1}


class _Caller(asyncio.Protocol):
    """One connection, which asks again as soon as it has been answered. Its answers come in one piece."""

    def __init__(self, load: "_Load") -> None:
        self._load = load

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own class, with the same methods

    def data_received(self, data: bytes) -> None:
        self._load.answered(self, data)


class _Load:
    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._callers: list[_Caller] = []
        self._left = self._missing = 0
        self._request = b""
        self._done: asyncio.Future[None]

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            _, caller = await loop.create_connection(lambda: _Caller(self), "127.0.0.1", self._subject.port)
            self._callers.append(caller)

    def answered(self, caller: _Caller, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 200"):
            self._done.set_exception(RuntimeError(data.decode(errors="replace")))
            return
        self._missing -= 1
        if self._left:
            self._left -= 1
            caller.transport.write(self._request)
        elif not self._missing:
            self._done.set_result(None)

    async def run(self, model: str) -> float:
        """CPU microseconds of the server for each of `REQUESTS`. Raises RuntimeError for an answer that is not 200."""
        asked = self._subject.request(model)
        body = asked.data
        assert isinstance(body, bytes)
        fields = "".join(f"{name}: {value}\r\n" for name, value in asked.header_items())
        head = f"POST {self._subject.path(model)} HTTP/1.1\r\nHost: {asked.host}\r\nContent-Length: {len(body)}\r\n"
        self._request = f"{head}{fields}\r\n".encode() + body
        self._done = asyncio.get_running_loop().create_future()
        self._missing, self._left = REQUESTS, REQUESTS - CONNECTIONS
        before = _on_cpu(self._subject)
        for caller in self._callers:
            caller.transport.write(self._request)
        await self._done
        return (_on_cpu(self._subject) - before) / REQUESTS / 1000


def _on_cpu(subject: Subject) -> int:
    """Nanoseconds, of all its threads: the ticks of /proc/PID/stat are too coarse for a few hundred requests."""
    tasks = (task for pid in machine.family(subject.process.pid) for task in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


async def ratios(subject: Subject, model: str, pairs: int) -> list[float]:
    """How many times a request of ONE each request of `model` costs."""
    load = _Load(subject)
    await load.open()
    for name in (ONE, model) * 5:
        await load.run(name)
    taken: list[float] = []
    for number in range(pairs):
        turn = (ONE, model) if number % 2 else (model, ONE)
        cost = {name: await load.run(name) for name in turn}
        taken.append(cost[model] / cost[ONE])
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.routing", description=__doc__)
    parser.add_argument("--starts", type=int, default=6)
    parser.add_argument("--pairs", type=int, default=200, help="of a few hundred requests each, in every start")
    args = parser.parse_args()
    machine.require_tools()
    os.sched_setaffinity(0, {int(machine.LOAD_CPU)})
    taken: dict[str, list[float]] = {"chat": [], ANOTHER: []}
    with tempfile.TemporaryDirectory() as folder, servers.upstreams(Path(folder), 1.0) as ports:
        for start in range(args.starts):
            where = Path(folder) / str(start)
            with servers.gateway("ours", where, ports, key=True, deployments=DEPLOYMENTS) as subject:
                for model, medians in taken.items():
                    medians.append(median(uvloop.run(ratios(subject, model, args.pairs))))
    print("| CPU beside a single deployment's | median | each start |\n|---|--:|---|")
    for title, model in (("4 deployments, of 10 in 3 groups", "chat"), ("another single one", ANOTHER)):
        each = " ".join(f"{ratio:.3f}" for ratio in taken[model])
        print(f"| {title} | {median(taken[model]):.3f} | {each} |")


if __name__ == "__main__":
    main()
