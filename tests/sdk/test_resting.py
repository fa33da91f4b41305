"""Routers of several processes that know from each other who rests; a real Redis between them."""

import asyncio
import gc
import json
import os
import subprocess
import sys
import weakref
from time import monotonic
from typing import Any

import pytest

import litellm
from litellm import Router
from support.redis import RedisServer
from support.redis import redis as redis
from support.upstream import UpstreamThread, wait_until

HI = [{"role": "user", "content": "hi"}]


def rows(upstream: UpstreamThread) -> list[dict[str, Any]]:
    params = {"api_base": upstream.base_url, "api_key": "k"}
    made = [("status-401", 1), ("ok", 2)]
    return [
        {"model_name": "m", "litellm_params": {"model": f"openai/{model}", "order": order, **params}}
        for model, order in made
    ]


def resting(router: Router) -> int:
    return len(router._health.resting(monotonic()))  # pyright: ignore[reportPrivateUsage]


CHILD = """
import json, sys, litellm
rows, url = json.loads(sys.stdin.readline())
router = litellm.Router(rows, redis_url=url, num_retries=1, cooldown_time=60)
router.completion("m", [{"role": "user", "content": "hi"}])
print("called", flush=True)
sys.stdin.readline()
"""


def test_another_process_hears_of_a_rest(upstream: UpstreamThread, redis: RedisServer):
    given = rows(upstream)
    router = Router(given, redis_url=redis.url, num_retries=1, cooldown_time=60)
    router.get_available_deployment("m")
    asyncio.run(router.acompletion("m", HI, mock_response="begins to listen"))
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    try:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(json.dumps([given, redis.url]) + "\n")
        child.stdin.flush()
        assert child.stdout.readline() == "called\n"
        assert wait_until(lambda: resting(router) == 1, 20)
    finally:
        child.kill()
        child.wait(20)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
    assert len(upstream.asked("status-401")) == 1
    for _ in range(5):
        router.completion("m", HI)
    assert len(upstream.asked("status-401")) == 1, "nobody here had to find out"
    router.discard()


def test_who_is_dropped_or_discarded_closes_its_connection(upstream: UpstreamThread, redis: RedisServer):
    def connected() -> bool:
        return "connected_clients:1" not in info(redis)

    router = Router(rows(upstream), redis_url=redis.url, num_retries=1)
    router.completion("m", HI)
    assert wait_until(connected, 20)
    router.discard()
    assert wait_until(lambda: not connected(), 20)
    assert router.completion("m", HI).choices
    another = Router(rows(upstream), redis_url=redis.url, num_retries=1)
    another.completion("m", HI)
    assert wait_until(connected, 20)
    gone = weakref.ref(another)
    del another
    gc.collect()
    assert gone() is None
    assert wait_until(lambda: not connected(), 20)


def info(redis: RedisServer) -> str:
    """The section that says who is connected, the one that asks included."""
    import socket

    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(str(redis.path))
        sock.sendall(b"INFO clients\r\n")
        return sock.recv(4096).decode()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_begins_anew(upstream: UpstreamThread, redis: RedisServer):
    code = f"""
import json, os, sys, time, litellm
rows = json.loads({json.dumps(json.dumps(rows(upstream)))})
router = litellm.Router(rows, redis_url={redis.url!r}, num_retries=1, cooldown_time=60)
router.completion("m", [{{"role": "user", "content": "hi"}}], mock_response="parent")
if not (child := os.fork()):
    router.completion("m", [{{"role": "user", "content": "hi"}}])
    time.sleep(1)
    os._exit(0)
os.waitpid(child, 0)
until = time.monotonic() + 20
while not router._health.resting(time.monotonic()) and time.monotonic() < until:
    time.sleep(0.02)
print(len(router._health.resting(time.monotonic())))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=90)
    assert done.stdout == "1\n", done.stderr


def test_a_redis_that_is_away_costs_no_answer(upstream: UpstreamThread):
    router = Router(rows(upstream), redis_host="127.0.0.1", redis_port=1, num_retries=1)
    assert [router.completion("m", HI).choices for _ in range(2)]
    router.discard()
    with pytest.raises(ValueError, match="not a Redis URL"):
        Router([], redis_url="http://x")
    assert litellm.cache is None
