"""One measurement: load on one subject for some seconds, and what it cost the subject."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from typing import Final, Self

from bench import machine
from bench.servers import ROOT, Subject

_UNITS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Figures:
    """CPU in microseconds per request (or event), rate per second, latency in ms, memory in MB."""

    cpu_us: float
    rate: float
    p50_ms: float
    p99_ms: float
    rss_mb: float
    failed: float = 0

    @classmethod
    def median(cls, rounds: list[Self]) -> Self:
        return cls(**{f.name: median(getattr(r, f.name) for r in rounds) for f in fields(cls)})


def requests(subject: Subject, model: str, *, connections: int, seconds: int, stream: bool = False) -> Figures:
    """wrk, one thread, on the load's core."""
    pids = machine.family(subject.process.pid)
    env = dict(os.environ, MODEL=model, KEY=subject.key, STREAM="1" if stream else "0")
    script = str(Path(__file__).parent / "chat.lua")
    url = f"http://127.0.0.1:{subject.port}{subject.path(model)}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script, "--latency", "--timeout", "30s", url]
    before = machine.cpu_seconds(pids)
    out = subprocess.run(
        machine.pinned(machine.LOAD_CPU, command), env=env, capture_output=True, text=True, check=True
    ).stdout
    used = machine.cpu_seconds(pids) - before
    done = int(_find(r"(\d+) requests in", out))
    return Figures(
        cpu_us=1e6 * used / max(done, 1),
        rate=float(_find(r"Requests/sec:\s+([\d.]+)", out)),
        p50_ms=_milliseconds(_find(r"\n\s+50%\s+(\S+)", out)),
        p99_ms=_milliseconds(_find(r"\n\s+99%\s+(\S+)", out)),
        rss_mb=machine.rss_mb(pids),
        failed=int(_find(r"Non-2xx or 3xx responses: (\d+)", out, "0")) + _socket_errors(out),
    )


def events(subject: Subject, *, streams: int, seconds: float) -> Figures:
    """Streams of separate events, read by bench.events; CPU per event, latency as the delay of an event."""
    pids = machine.family(subject.process.pid)
    address = f"127.0.0.1:{subject.port}"
    command = [sys.executable, "-m", "bench.events", address, subject.path("events"), "events", subject.key]
    reader = subprocess.Popen(
        machine.pinned(machine.LOAD_CPU, [*command, str(streams), str(seconds)]),
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        text=True,
    )
    with reader:
        assert reader.stdout is not None
        reader.stdout.readline()  # all streams are open
        before = machine.cpu_seconds(pids)
        reader.stdout.readline()  # the last event was counted
        used = machine.cpu_seconds(pids) - before
        rss = machine.rss_mb(pids)
        read = json.loads(reader.stdout.read())
    return Figures(
        cpu_us=1e6 * used / max(read["events"], 1),
        rate=read["events"] / seconds,
        p50_ms=read["p50_ms"],
        p99_ms=read["p99_ms"],
        rss_mb=rss,
        failed=read["failed"],
    )


def _find(pattern: str, text: str, default: str | None = None) -> str:
    match = re.search(pattern, text)
    if match is None and default is None:
        raise SystemExit(f"wrk said nothing like {pattern!r}:\n{text}")
    return match[1] if match else str(default)


def _socket_errors(text: str) -> int:
    match = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    return sum(map(int, match.groups())) if match else 0


def _milliseconds(text: str) -> float:
    match = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    assert match is not None, text
    return float(match[1]) * _UNITS[match[2]]
