"""Processes, cores and /proc."""

import contextlib
import os
import re
import resource
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

SERVER_CPU: Final = "0"
LOAD_CPU: Final = "1"
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PATIENCE: Final = 120.0
_TOOLS: Final = {"wrk": "wrk", "nginx": "nginx-light", "taskset": "util-linux"}


def require_tools() -> None:
    """wrk, nginx, taskset: installed when root on Debian, else named. Raises SystemExit."""
    missing = sorted(package for tool, package in _TOOLS.items() if which(tool) is None)
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True)
        missing = sorted(package for tool, package in _TOOLS.items() if which(tool) is None)
    if missing:
        raise SystemExit(f"the bench needs {', '.join(missing)}; on Debian: apt-get install {' '.join(missing)}")
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("the bench needs two cores: one for the server, one for load and upstream")


def which(tool: str) -> str | None:
    """Daemons live in sbin, which is not on every user's path."""
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def pinned(cpu: str, command: Iterable[str]) -> list[str]:
    return ["taskset", "-c", cpu, *command]


def start(cpu: str, command: Iterable[str], log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(pinned(cpu, command), stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def family(pid: int) -> set[int]:
    """The process and all its descendants."""
    found = {pid}
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found |= family(int(child))
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of all threads so far."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def raise_file_limit() -> None:
    """As many sockets as the system lets a process have: 1,024 files are the usual soft limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def rss_mb(pids: Iterable[int]) -> float:
    kib = 0
    for pid in pids:
        resident = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        kib += int(resident[1]) if resident else 0
    return kib / 1024


def wait_for(process: subprocess.Popen[bytes], request: urllib.request.Request, log: Path) -> float:
    """Seconds from now until the request is answered with a 2xx. Raises SystemExit with the end of the log."""
    begin = time.perf_counter()
    while time.perf_counter() - begin < _PATIENCE and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(request, timeout=30).close()
            return time.perf_counter() - begin
        time.sleep(0.01)
    raise SystemExit(f"{process.args!r} did not answer:\n{log.read_text(errors='replace')[-3000:]}")
