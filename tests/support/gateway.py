"""The gateway as a process of its own, on a free loopback port, and what /proc says about it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from support.ports import free_port
from support.upstream import PATIENCE, wait_until

MASTER_KEY: Final = "sk-1234"
ROOT: Final = Path(__file__).parent.parent.parent
_KEEP: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT")


@dataclass(frozen=True)
class Usage:
    """One reading of /proc: open file descriptors, resident KiB, threads."""

    fds: int
    rss_kib: int
    threads: int


@dataclass
class Gateway:
    """`with Gateway(config_text, folder) as gateway:` starts it, waits until it lives, and stops it by SIGTERM.

    Leaving the block asserts exit code 0, unless the test ended the process itself (`stop()` or `kill()`).
    """

    config: str
    folder: Path
    options: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    key: str = MASTER_KEY
    start_seconds: float = 60.0
    stop_seconds: float = 60.0
    port: int = 0
    process: subprocess.Popen[bytes] = field(init=False, repr=False)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config_file(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def log_file(self) -> Path:
        return self.folder / "gateway.log"

    @property
    def log(self) -> str:
        """Everything the process has written to stdout and stderr."""
        return self.log_file.read_text(errors="replace")

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def start(self) -> Self:
        """Start the process and wait for /health/liveliness. Raises RuntimeError with the log if it does not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(self.config)
        self.port = self.port or free_port()
        command = [sys.executable, "-m", "litellm", "--config", str(self.config_file), "--port", str(self.port)]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.options],
                cwd=self.folder,
                env=clean_environment(self.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if not wait_until(lambda: self.process.poll() is not None or self.alive(), self.start_seconds, every=0.05):
            self.kill()
        if self.process.poll() is not None:
            raise RuntimeError(f"the gateway ended with {self.process.returncode}:\n{self.log[-4000:]}")
        return self

    def alive(self) -> bool:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            return self.get("/health/liveliness")[0] == 200
        return False

    def get(self, path: str, *, key: str | None = None, timeout: float = 30) -> tuple[int, bytes]:
        """Status and body, whatever the status."""
        return self.request("GET", path, None, key=key, timeout=timeout)

    def post(self, path: str, body: Any, *, key: str | None = None, timeout: float = 60) -> tuple[int, bytes]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", path, data, key=key, timeout=timeout)

    def request(
        self, method: str, path: str, data: bytes | None, *, key: str | None = None, timeout: float = 60
    ) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self.key if key is None else key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.origin + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float | None = None) -> int:
        """Wait for the end; the exit code."""
        return self.process.wait(self.stop_seconds if seconds is None else seconds)

    def stop(self) -> int:
        """SIGTERM, then wait; the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def usage(self) -> Usage:
        """What the process holds now, its worker processes not included."""
        return read_usage(self.process.pid)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.process.poll() is not None:
            return
        try:
            code = self.stop()
        except subprocess.TimeoutExpired:
            self.kill()
            code = None
        if kind is None:
            assert code == 0, f"the gateway ended with {code} after SIGTERM:\n{self.log[-4000:]}"


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Only what a process needs to run, so that no key or proxy of this machine changes a test."""
    base = {name: os.environ[name] for name in _KEEP if name in os.environ}
    return base | {"PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "default"} | dict(extra)


def read_usage(pid: int) -> Usage:
    status = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    fds = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  # a count is all that is wanted
    return Usage(fds, int(fields["VmRSS"].split()[0]), int(fields["Threads"]))


def settled(gateway: Gateway, fds: int, seconds: float = PATIENCE) -> bool:
    """Wait until the gateway holds no more descriptors than `fds`; whether it got there."""
    return wait_until(lambda: gateway.usage().fds <= fds, seconds, every=0.1)


def upstream_config(base_url: str, *models: str, settings: str = "") -> str:
    """A config whose models are the upstream's behaviours under their own names, or `*` for all of them."""
    rows = "".join(
        f"  - model_name: {model!r}\n    litellm_params: {{model: {'openai/' + model!r}, api_base: {base_url!r}, "
        f"api_key: sk-upstream}}\n"
        for model in (models or ("*",))
    )
    return f"model_list:\n{rows}general_settings:\n  master_key: {MASTER_KEY}\n{settings}"


@contextlib.contextmanager
def running(config: str, folder: Path, *options: str, **env: str) -> Iterator[Gateway]:
    """Short for a `Gateway` with options and environment."""
    with Gateway(config, folder, options, env) as gateway:
        yield gateway


def wait_for_log(gateway: Gateway, text: str, seconds: float = PATIENCE) -> bool:
    """Wait until the log contains the text; whether it came."""
    end = time.monotonic() + seconds
    while text not in gateway.log:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
