"""Several worker processes on one port.

The parent binds one SO_REUSEPORT socket per worker, so that the kernel spreads connections evenly (workers sharing one
socket leave nearly all of them to the one that wakes first), and keeps it: a worker that replaces another inherits the
socket, and with it the connections that wait in its queue.

Workers are fresh interpreters (`python -m litellm.proxy.worker`), not forks: what the parent has imported, opened or
started (threads, locks, an event loop, a database's sockets) does not leak into them, a replacement starts exactly as
the first one did, and it works the same on every system. The price, 0.3 s of imports per worker, is paid out of sight:
a new worker serves before an old one is told to go. They are in process groups of their own, so that Ctrl-C reaches
them through the parent only, once.

The parent only ever waits in `select`: for signals, for news from the workers (`worker.Line`), for the next date in its
diary. It serves no request, so it can always answer a signal.
"""

import logging
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any, Final

from litellm.proxy.server import ServerOptions, Settings, addresses, listen, tls_context
from litellm.proxy.worker import Line

log = logging.getLogger("litellm.proxy.supervisor")

SETTLED_SECONDS: Final = 60.0
"""A worker that lived so long did not fail at its start: the next one starts at once."""
BACKOFF_SECONDS: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
RELOAD_SECONDS: Final = 60.0
"""A worker that has not reloaded by then is replaced."""
KILL_SECONDS: Final = 5.0
"""What a worker gets beyond the drain time before it is killed."""


@dataclass(slots=True, eq=False)
class Member:
    """One worker process, from its start to its end."""

    process: subprocess.Popen[bytes]
    sock: socket.socket
    line: Line
    started: float
    generation: int  # of the configuration it was last told to load
    state: str = "starting"
    version: str = ""
    kill_at: float = float("inf")


@dataclass(slots=True, eq=False)
class Seat:
    """A worker's place: its sockets, who serves on them, who is about to."""

    index: int
    sockets: list[socket.socket]
    serving: Member | None = None
    coming: Member | None = None
    failures: int = 0
    start_at: float = 0.0
    served: bool = False
    former: set[Member] = field(default_factory=set[Member])

    def members(self) -> Iterator[Member]:
        yield from self.former
        yield from (each for each in (self.serving, self.coming) if each is not None)


def supervise(
    factory: str,
    settings: Settings,
    options: ServerOptions,
    check: Callable[[], Sequence[str]],
    on_ready: Callable[[Sequence[str]], None] | None,
) -> int:
    """Run `options.num_workers` workers until told to stop; the exit code, as in `server.serve`. Raises StartError."""
    tls_context(options)  # a bad certificate is told once, not by every worker
    probe = listen(options)  # without SO_REUSEPORT: a port that somebody serves is refused, even if he would share it
    options = replace(options, port=probe[0].getsockname()[1])
    for each in probe:
        each.close()
    seats = [Seat(index, listen(options, shared=True)) for index in range(options.num_workers)]
    return _Supervisor(factory, settings, options, check, on_ready, seats).run()


class _Supervisor:
    def __init__(
        self,
        factory: str,
        settings: Settings,
        options: ServerOptions,
        check: Callable[[], Sequence[str]],
        on_ready: Callable[[Sequence[str]], None] | None,
        seats: list[Seat],
    ) -> None:
        self.order = {"factory": factory, "settings": dict(settings), "options": asdict(options)}
        self.options = options
        self.check = check
        self.on_ready = on_ready
        self.seats = seats
        self.folder = Path(tempfile.mkdtemp(prefix="litellm-"))
        self.selector = selectors.DefaultSelector()
        self.generation = 0
        self.admin: int | None = None
        self.reload_by = float("inf")
        self.stopping = False
        self.code = 0

    def run(self) -> int:
        woken, wake = socket.socketpair()
        woken.setblocking(False)
        wake.setblocking(False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, _noted)
        signal.set_wakeup_fd(wake.fileno())
        self.selector.register(woken, selectors.EVENT_READ)
        try:
            self._loop(woken)
        finally:
            signal.set_wakeup_fd(-1)
            self._kill_all()
            shutil.rmtree(self.folder, ignore_errors=True)
            for sock in (woken, wake):
                sock.close()
        return self.code

    def _loop(self, woken: socket.socket) -> None:
        while not self.stopping or any(True for seat in self.seats for _ in seat.members()):
            self._keep_diary(monotonic())
            for key, _ in self.selector.select(self._next_date() - monotonic()):
                if key.fileobj is woken:
                    if not self._signals(woken.recv(1024)):
                        return
                else:
                    self._read(*key.data)
            self._reap()

    # --- what happens by itself

    def _next_date(self) -> float:
        dates = [member.kill_at for seat in self.seats for member in seat.members()]
        dates += [seat.start_at for seat in self.seats if not self.stopping and seat.serving is seat.coming is None]
        return min(monotonic() + 60.0, self.reload_by, *dates)

    def _keep_diary(self, now: float) -> None:
        """Start who is due, kill who is overdue."""
        for seat in self.seats:
            for member in seat.members():
                if member.kill_at <= now:
                    member.kill_at = float("inf")
                    self.code = 1
                    log.error("worker %d did not end in time and is killed", member.process.pid)
                    member.process.kill()
            if not self.stopping and seat.serving is seat.coming is None and seat.start_at <= now:
                seat.coming = self._spawn(seat)
        if self.reload_by <= now:
            self.reload_by = float("inf")
            for seat in self.seats:
                if seat.serving is not None and seat.serving.generation != self.generation:
                    self._replace(seat, "has not reloaded in time")

    def _spawn(self, seat: Seat) -> Member:
        ours, theirs = socket.socketpair()
        numbers = [each.fileno() for each in seat.sockets]
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "litellm.proxy.worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), *numbers),
                process_group=0,
            )
        line = Line(ours)
        place = {"index": seat.index, "count": len(self.seats), "folder": str(self.folder), "sockets": numbers}
        line.say(**self.order, **place, log_level=logging.getLogger().getEffectiveLevel())
        ours.setblocking(False)
        member = Member(process, ours, line, monotonic(), self.generation)
        self.selector.register(ours, selectors.EVENT_READ, (seat, member))
        return member

    def _reap(self) -> None:
        """Take note of the workers that have ended. Only those: nothing here waits for one."""
        for seat in self.seats:
            for member in tuple(seat.members()):
                if member.process.poll() is not None:
                    self._read(seat, member)  # its last words
                    self._deafen(member)
                    member.sock.close()
                    self._ended(seat, member)

    def _ended(self, seat: Seat, member: Member) -> None:
        status = member.process.returncode
        if member in seat.former or self.stopping:
            seat.former.discard(member)
            self._forget(seat, member)
            return
        self._forget(seat, member)
        if not seat.served:
            log.error("worker %d did not start (exit status %d)", seat.index, status)
            self.code = 1
            self._stop()
        elif seat.serving is not None:
            log.error("the replacement of worker %d did not start, the old one goes on", seat.index)
        else:
            lived = monotonic() - member.started
            seat.failures = 0 if lived > SETTLED_SECONDS else seat.failures + 1
            pause = BACKOFF_SECONDS[min(max(seat.failures - 1, 0), len(BACKOFF_SECONDS) - 1)]
            seat.start_at = monotonic() + pause
            log.error("worker %d ended (exit status %d), another starts in %g s", seat.index, status, pause)
        self._tell()

    @staticmethod
    def _forget(seat: Seat, member: Member) -> None:
        seat.serving = None if member is seat.serving else seat.serving
        seat.coming = None if member is seat.coming else seat.coming

    # --- news from the workers

    def _read(self, seat: Seat, member: Member) -> None:
        try:
            for news in member.line.read():
                self._news(seat, member, news)
        except BlockingIOError:
            pass
        except (EOFError, OSError):
            self._deafen(member)  # its end follows

    def _deafen(self, member: Member) -> None:
        if member.sock in self.selector.get_map():
            self.selector.unregister(member.sock)

    def _news(self, seat: Seat, member: Member, news: dict[str, Any]) -> None:
        state = news["state"]
        if state == "serving":
            member.state, member.version = "serving", news["version"]
            member.generation = news.get("generation") or member.generation
            self._seated(seat, member)
        elif state == "failed":
            log.error("worker %d: %s", seat.index, news["message"])
        elif news.get("generation") is not None:
            self._replace(seat, f"could not reload: {news['message']}")
        self._tell()

    def _seated(self, seat: Seat, member: Member) -> None:
        """A worker serves, for the first time or a new version."""
        if member is seat.coming and not self.stopping:
            former, seat.serving, seat.coming = seat.serving, member, None
            if former is not None:
                self._retire(seat, former)
            was_ready = all(each.served for each in self.seats)
            seat.served = True
            if not was_ready and all(each.served for each in self.seats) and self.on_ready is not None:
                self.on_ready(addresses(self.seats[0].sockets, self.options))
        generations = {None if each.serving is None else each.serving.generation for each in self.seats}
        if self.reload_by < float("inf") and generations == {self.generation}:
            self.reload_by = float("inf")
            log.info("all workers serve version %s", member.version)

    def _tell(self) -> None:
        """Let every worker know who the workers are, and which of them runs the jobs there must be one of."""
        fleet = [
            {"index": seat.index, "pid": member.process.pid, "state": member.state, "version": member.version}
            for seat in self.seats
            for member in seat.members()
        ]
        serving = [seat.serving.process.pid for seat in self.seats if seat.serving is not None]
        if self.admin not in serving:  # it stays with whom has it, who may be in the middle of a job
            self.admin = serving[0] if serving else None
        for seat in self.seats:
            for member in seat.members():
                member.line.say(fleet=fleet, admin=self.admin)

    # --- what the operator wants

    def _signals(self, numbers: bytes) -> bool:
        """False: end at once."""
        for number in numbers:
            if number == signal.SIGHUP and not self.stopping:
                self._reload()
            elif number in (signal.SIGTERM, signal.SIGINT):
                if self.stopping:
                    self.code = 128 + number
                    return False
                self._stop()
        return True

    def _reload(self) -> None:
        """The file is looked at here first: a mistake is told once, and no worker hears of it."""
        try:
            problems = self.check()
        except Exception as error:  # the check is somebody else's code, and the workers must live on
            problems = [str(error)]
        if problems:
            for problem in problems:
                log.error("%s", problem)
            log.error("reload refused, the old configuration goes on")
            return
        self.generation += 1
        self.reload_by = monotonic() + RELOAD_SECONDS
        for seat in self.seats:
            if seat.serving is not None:
                seat.serving.line.say(reload=self.generation)

    def _replace(self, seat: Seat, reason: str) -> None:
        """Start a new worker; when it serves, the old one drains."""
        if seat.coming is None and not self.stopping:
            log.error("worker %d %s: it is replaced", seat.index, reason)
            seat.coming = self._spawn(seat)

    def _retire(self, seat: Seat, member: Member) -> None:
        seat.former.add(member)
        member.state = "draining"
        member.kill_at = monotonic() + self.options.drain_seconds + KILL_SECONDS
        member.process.terminate()

    def _stop(self) -> None:
        """No more connections, here or there; then every worker drains by itself."""
        if self.stopping:
            return
        self.stopping = True
        for seat in self.seats:
            for sock in seat.sockets:
                sock.close()
            for member in tuple(seat.members()):
                if member not in seat.former:
                    self._retire(seat, member)
            seat.serving = seat.coming = None

    def _kill_all(self) -> None:
        for seat in self.seats:
            for member in seat.members():
                member.process.kill()
                member.process.wait()
                member.sock.close()
            for sock in seat.sockets:
                sock.close()
        self.selector.close()


def _noted(number: int, frame: FrameType | None) -> None:
    """The number goes through the wakeup socket; a handler has to exist for that."""
