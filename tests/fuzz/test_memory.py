"""A long run of everything that callers do: the gateway's memory and descriptors stay where they are."""

import http.client
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from support.counts import count, fuzz_requests
from support.gateway import MASTER_KEY, Gateway, settled
from support.upstream import UpstreamThread

pytestmark = [pytest.mark.slow, pytest.mark.soak]

CALLERS: Final = 4
ALLOWED_KIB: Final = count(4096, 1024)
"""Growth of the resident memory over the last half of the requests. A short run still fills the allocator's pools."""
WRONG_KEYS: Final = 3
"""Per caller and half: after ten of an address in a minute, the gateway answers each a second later."""
WILDCARD_NAMES: Final = 1200  # more than the router keeps of a wildcard's concrete models

CONFIG: Final = """
model_list:
  - {{model_name: ok, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k}}}}
  - {{model_name: failing, litellm_params: {{model: openai/status-500, api_base: {base}, api_key: k, max_retries: 0}}}}
  - {{model_name: endless, litellm_params: {{model: openai/endless, api_base: {base}, api_key: k}}}}
  - {{model_name: "wild/*", litellm_params: {{model: openai/ok, api_base: {base}, api_key: k}}}}
  - {{model_name: local, litellm_params: {{model: demo/demo}}}}
general_settings: {{master_key: {key}}}
"""


class Caller:
    """One caller with a connection that is kept open, and what it was answered."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.statuses: Counter[int] = Counter()
        self._wrong = 0
        self._connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)

    def ask(self, path: str, body: Any, key: str = MASTER_KEY) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._connection.request("POST" if data else "GET", path, data or None, {"Authorization": f"Bearer {key}"})
        answer = self._connection.getresponse()
        answer.read()
        self.statuses[answer.status] += 1

    def chat_by_nobody(self, n: int) -> None:
        """With a key that nobody knows; once those have been enough, without the messages instead."""
        self._wrong += 1
        self.ask(CHAT, {"model": "ok"}, f"sk-wrong-{n}" if self._wrong <= WRONG_KEYS else MASTER_KEY)

    def hang_up(self) -> None:
        """Go away in the middle of a stream."""
        body = json.dumps({"model": "endless", "stream": True, "messages": MESSAGES}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {MASTER_KEY}\r\n"
        with socket.create_connection(("127.0.0.1", self.gateway.port), 60) as connection:
            connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            self.statuses[int(connection.recv(4096).split()[1])] += 1

    def close(self) -> None:
        self._connection.close()


MESSAGES: Final = [{"role": "user", "content": "hello " * 50}]
CHAT: Final = "/v1/chat/completions"
ACTS: Final[tuple[Callable[[Caller, int], None], ...]] = (
    lambda caller, n: caller.ask(CHAT, {"model": "ok", "messages": MESSAGES}),
    lambda caller, n: caller.ask(CHAT, {"model": "ok", "messages": MESSAGES, "stream": True}),
    lambda caller, n: caller.ask(CHAT, {"model": f"wild/{n}", "messages": MESSAGES}),
    lambda caller, n: caller.ask(CHAT, {"model": "local", "messages": MESSAGES, "user": f"user {n}"}),
    lambda caller, n: caller.ask("/v1/embeddings", {"model": "ok", "input": [f"text {n}"]}),
    lambda caller, n: caller.ask(CHAT, {"model": "failing", "messages": MESSAGES}),
    lambda caller, n: caller.ask(CHAT, {"model": f"unknown {n}", "messages": MESSAGES}),
    lambda caller, n: caller.chat_by_nobody(n),
    lambda caller, n: caller.ask(CHAT, b'{"broken'),
    lambda caller, n: caller.ask(f"/no/such/path/{n}", b""),
    lambda caller, n: caller.ask(f"/v1/models/wild/model-{n}", b""),
    lambda caller, n: caller.ask("/metrics", b""),
    lambda caller, n: caller.hang_up(),
)


def test_memory_and_descriptors_stay_where_they_are(
    shared_upstream: UpstreamThread, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    number = fuzz_requests() * count(10, 5)
    with Gateway(CONFIG.format(base=shared_upstream.base_url, key=MASTER_KEY), tmp_path) as gateway:
        warm = Caller(gateway)
        for n in range(WILDCARD_NAMES):
            warm.ask(CHAT, {"model": f"wild/warm-{n}", "messages": MESSAGES})
        warm.close()
        fds = gateway.usage().fds
        statuses = run(gateway, range(number // 2))
        half = resident(gateway, fds)
        shared_upstream.requests.clear()
        statuses += run(gateway, range(number // 2, number))
        grown = resident(gateway, fds) - half
        tell(f"memory: {statuses.total()} requests, {half} KiB at half, grown by {grown} KiB since; "
              f"by status {dict(sorted(statuses.items()))}")  # fmt: skip
    assert statuses.total() == number
    assert set(statuses) == {200, 400, 401, 404, 500}
    assert statuses[200] > number / 2
    assert grown <= ALLOWED_KIB


def run(gateway: Gateway, numbers: range) -> Counter[int]:
    """The requests of these numbers, shared among callers. Raises what went wrong in any of them."""
    callers = [Caller(gateway) for _ in range(CALLERS)]
    failures: list[BaseException] = []

    def work(caller: Caller, mine: range) -> None:
        try:
            for number in mine:
                ACTS[number // CALLERS % len(ACTS)](caller, number)
        except BaseException as error:
            failures.append(error)
        finally:
            caller.close()

    threads = [threading.Thread(target=work, args=(caller, numbers[i::CALLERS])) for i, caller in enumerate(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum((caller.statuses for caller in callers), Counter())


def resident(gateway: Gateway, fds: int) -> int:
    """Resident KiB once the connections of the run have gone."""
    assert settled(gateway, fds + 2 * CALLERS, 30), f"{fds} descriptors before, {gateway.usage().fds} after"
    return gateway.usage().rss_kib
