"""Workers that share a file of limits and are killed.

python -m support.limit_workers hammer FOLDER NAME     reserves and settles, and writes down what, until it is killed
python -m support.limit_workers crash FOLDER           kills a worker at each line in turn; tells what was left
"""

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from litellm.proxy.limits import hostfile, shared
from litellm.proxy.limits.base import Refused, Scope, Ticket
from litellm.proxy.limits.hostfile import Sizes
from litellm.proxy.limits.shared import SharedLimiter

SIZES = Sizes(accounts=8192, counters=4096, holds=4096)
AT_ONCE = 20
"""Calls in flight of one hammering worker, at most."""
LIMIT = 1 << 40
BOTH = (Scope("user:u", budget=LIMIT), Scope("key:k", rpm=LIMIT, tpm=LIMIT, parallel=LIMIT, budget=LIMIT))
"""Whom every hammering call is counted against; and its worker's own scope in between."""


def now() -> float:
    """It is always the same second, so that nothing leaves the windows."""
    return 1000.0


def opened(folder: Path) -> SharedLimiter:
    return SharedLimiter(folder / "limits", now, SIZES)


def own(name: str) -> Scope:
    return Scope(f"tag:{name}", rpm=LIMIT, tpm=LIMIT, parallel=LIMIT)


def counted(limiter: SharedLimiter, scope: Scope) -> dict[str, int]:
    """How a scope stands, from the refusals of limits that let nobody in."""
    limiter.load({(scope.id, scope.period): 0})  # for a worker that was killed before it did
    found = {"spent": limiter.spent(scope.id, scope.period) or 0}
    for kind, narrow in (
        ("requests", Scope(scope.id, rpm=0)),
        ("tokens", Scope(scope.id, tpm=0)),
        ("parallel", Scope(scope.id, parallel=0)),
    ):
        try:
            limiter.reserve("look", [narrow], 1, 0)
        except Refused as refused:
            found[kind] = refused.current
    return found


def hammer(folder: Path, name: str) -> None:
    """Lines in the file NAME: `i` before a reservation, `g` when it is granted, `s` before it is settled, `d` after."""
    limiter = opened(folder)
    scopes = (BOTH[0], own(name), BOTH[1])
    limiter.load({(scope.id, scope.period): 0 for scope in scopes})
    dice = random.Random(name)
    said = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    tickets: list[tuple[int, Ticket]] = []

    def say(what: str, call: int, tokens: int = 0, nano: int = 0) -> None:
        os.write(said, b"%b %d %d %d\n" % (what.encode(), call, tokens, nano))

    for call in count():
        tokens, nano = dice.randrange(1, 100), dice.randrange(1, 10**6)
        say("i", call, tokens, nano)
        tickets.append((call, limiter.reserve("c", scopes, tokens, nano)))
        say("g", call, tokens, nano)
        while len(tickets) > dice.randrange(AT_ONCE):
            which, ticket = tickets.pop(dice.randrange(len(tickets)))
            tokens, nano = dice.randrange(1, 100), dice.randrange(1, 10**6)
            say("s", which, tokens, nano)
            limiter.settle(ticket, tokens, nano)
            say("d", which)


def crash(folder: Path) -> None:
    """A list of what was left of each worker: the line it was killed in, and how its three scopes stand."""
    observer = opened(folder)
    left: list[dict[str, Any]] = []
    for line in count(1):
        scopes = [Scope(f"key:{line}", rpm=9, tpm=999), Scope(f"user:{line}"), Scope(f"team:{line}", parallel=9)]
        child = os.fork()
        if not child:
            _die_at(line, folder, scopes)
        _, status = os.waitpid(child, 0)
        if line % 2:
            observer.release_dead()
        else:
            opened(folder).close()  # which takes the dead one's slot
        left.append({"killed": os.WIFSIGNALED(status), "scopes": [counted(observer, scope) for scope in scopes]})
        if not left[-1]["killed"]:
            break
    print(json.dumps(left))


def _die_at(line: int, folder: Path, scopes: list[Scope]) -> None:
    limiter = opened(folder)
    limiter.load({(scope.id, scope.period): 0 for scope in scopes})
    first = limiter.reserve("a", scopes, 10, 100)
    sys.settrace(_killer(line))
    limiter.reserve("b", scopes, 20, 1000)
    limiter.settle(first, 5, 60)
    sys.settrace(None)
    os._exit(0)


def _killer(line: int) -> Callable[[FrameType, str, Any], Any]:
    lines = count(1)

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename in (shared.__file__, hostfile.__file__):
            if event == "line" and next(lines) == line:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace
        return None

    return trace


if __name__ == "__main__":
    {"hammer": hammer, "crash": crash}[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
