"""What the SDK costs: importing it, a process's first answer, and each call, beside the `openai` package."""

import os
import subprocess
import sys
import time
from statistics import median
from typing import Final

from bench import machine
from bench.servers import ROOT, Upstreams

_CALL: Final = """
import litellm
litellm.completion(model="openai/gpt-4o-mini", api_base={base!r}, api_key="sk-1",
                   messages=[{{"role": "user", "content": "hi"}}])
"""
GOALS: Final = {"async": 0.5, "sync": 1.0, "async stream": 0.5, "sync stream": 0.5}
"""What is called how (bench/caller.py) -> the multiple of openai's CPU per call, or per chunk, to stay within."""
_CALLS: Final = {"async": 2000, "sync": 1000, "async stream": 60, "sync stream": 60}


def _milliseconds(python: str, code: str) -> float:
    begin = time.perf_counter()
    _run([python, "-c", code])
    return 1000 * (time.perf_counter() - begin)


def _run(command: list[str], **more: str) -> str:
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | more
    command = machine.pinned(machine.SERVER_CPU, command)
    return subprocess.run(command, check=True, env=env, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout


def starts(base_url: str, rounds: int, python: str = sys.executable) -> dict[str, float]:
    """Milliseconds, medians: `import` over a bare interpreter, and process start to end with one completion."""
    codes = {"bare": "pass", "import": "import litellm", "call": _CALL.format(base=base_url)}
    _milliseconds(python, codes["call"])  # once for the byte code
    taken = [{name: _milliseconds(python, code) for name, code in codes.items()} for _ in range(rounds)]
    times = {name: median(times[name] for times in taken) for name in codes}
    return {"import litellm": times["import"] - times["bare"], "start to first completion": times["call"]}


def calls(ports: Upstreams, rounds: int) -> dict[str, dict[str, float]]:
    """way -> package -> CPU microseconds per call, or per streamed chunk: medians, the packages taking turns."""
    return {way: {name: median(costs) for name, costs in _compare(way, ports, rounds).items()} for way in GOALS}


def _compare(way: str, ports: Upstreams, rounds: int) -> dict[str, list[float]]:
    base_url = ports.base("burst" if "stream" in way else "chat")
    taken: dict[str, list[float]] = {"litellm": [], "openai": []}
    for _ in range(rounds):
        for package, costs in taken.items():
            command = [sys.executable, "-m", "bench.caller", package, way, base_url, str(_CALLS[way])]
            costs.append(float(_run(command, PYTHONPATH=os.environ.get("PYTHONPATH", ""))))
    return taken
