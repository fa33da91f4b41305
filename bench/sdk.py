"""What the SDK costs before the first answer: importing it, and a process that makes one call."""

import os
import subprocess
import sys
import time
from statistics import median
from typing import Final

from bench import machine

_CALL: Final = """
import litellm
litellm.completion(model="openai/gpt-4o-mini", api_base={base!r}, api_key="sk-1",
                   messages=[{{"role": "user", "content": "hi"}}])
"""


def _milliseconds(python: str, code: str) -> float:
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    begin = time.perf_counter()
    subprocess.run(machine.pinned(machine.SERVER_CPU, [python, "-c", code]), check=True, env=env, capture_output=True)
    return 1000 * (time.perf_counter() - begin)


def measure(base_url: str, rounds: int, python: str = sys.executable) -> dict[str, float]:
    """Milliseconds, medians: `import` over a bare interpreter, and process start to end with one completion."""
    codes = {"bare": "pass", "import": "import litellm", "call": _CALL.format(base=base_url)}
    _milliseconds(python, codes["call"])  # once for the byte code
    taken = [{name: _milliseconds(python, code) for name, code in codes.items()} for _ in range(rounds)]
    times = {name: median(times[name] for times in taken) for name in codes}
    return {"import litellm": times["import"] - times["bare"], "start to first completion": times["call"]}
