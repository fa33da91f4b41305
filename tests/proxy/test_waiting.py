"""Waiting for a deployment of a full group, as callers of the gateway see it."""

import itertools
import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.gateway import MASTER_KEY, Gateway
from support.upstream import Recorded, UpstreamThread, wait_until

CONFIG = """
model_list:
  - {{model_name: one, litellm_params: {{model: openai/delay-300, api_base: {base}, api_key: k, max_parallel_requests: 1}}}}
  - {{model_name: held, litellm_params: {{model: openai/stream-slow-400, api_base: {base}, api_key: k, max_parallel_requests: 1}}}}
  - {{model_name: stuck, litellm_params: {{model: openai/hang, api_base: {base}, api_key: k, max_parallel_requests: 1}}}}
  - {{model_name: brief, litellm_params: {{model: openai/delay-3001, api_base: {base}, api_key: k, max_parallel_requests: 1}}}}
  - {{model_name: bare, litellm_params: {{model: openai/delay-3002, api_base: {base}, api_key: k, max_parallel_requests: 1}}}}
  - {{model_name: resting, litellm_params: {{model: openai/limit-first-2, api_base: {base}, api_key: k}}}}
  - {{model_name: resting, litellm_params: {{model: openai/limit-first-2, api_base: {base}, api_key: k, order: 1}}}}
router_settings:
  num_retries: 0
  model_groups:
    one: {{queue: {{max_size: 6, max_wait: 60, max_per_tenant: 5}}}}
    held: {{queue: {{max_size: 2, max_wait: 60, max_per_tenant: 1}}}}
    stuck: {{queue: {{max_wait: 60}}}}
    brief: {{queue: {{max_size: 2, max_wait: 0.2}}}}
    resting: {{queue: {{max_size: 4}}}}
general_settings: {{master_key: {key}}}
"""  # noqa: E501


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("waiting")
    with Gateway(CONFIG.format(base=shared_upstream.base_url, key=MASTER_KEY), folder) as running:
        yield running


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as made:
        yield made


def ask(gateway: Gateway, model: str, key: str = MASTER_KEY, timeout: float = 60, **more: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(gateway.origin + "/v1/chat/completions", json=body, headers=headers, timeout=timeout)


def waiting(gateway: Gateway) -> int:
    lines = gateway.get("/metrics")[1].decode().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("litellm_waiting_requests "))


def asked(upstream: UpstreamThread, model: str) -> list[Recorded]:
    return [one for one in upstream.requests if one.model == model]


def test_calls_wait_for_the_slot_and_are_served_one_by_one_by_priority(
    gateway: Gateway, shared_upstream: UpstreamThread, pool: ThreadPoolExecutor
) -> None:
    answers: list[Future[httpx.Response]] = [pool.submit(ask, gateway, "one")]
    assert wait_until(lambda: len(asked(shared_upstream, "delay-300")) == 1, 30)
    for _number, priority in enumerate((200, 100, 0), 1):
        answers.append(pool.submit(ask, gateway, "one", priority=priority, user=str(priority)))
    assert [answer.result().status_code for answer in answers] == [200] * 4
    served = asked(shared_upstream, "delay-300")
    for earlier, later in itertools.pairwise(served):
        assert earlier.answered_at is not None
        assert later.at >= earlier.answered_at
    assert served[-1].json["user"] == "200"
    assert ask(gateway, "one", priority=-1).status_code == 400


def test_a_tenant_has_its_share_of_the_places(
    gateway: Gateway, shared_upstream: UpstreamThread, pool: ThreadPoolExecutor
) -> None:
    other = json.loads(gateway.post("/key/generate", {})[1])["key"]
    first = pool.submit(ask, gateway, "held", stream=True)
    assert wait_until(lambda: len(asked(shared_upstream, "stream-slow-400")) == 1, 30)
    second = pool.submit(ask, gateway, "held")
    assert wait_until(lambda: waiting(gateway) == 1, 30)
    refused = ask(gateway, "held")
    assert (refused.status_code, "calls of yours are waiting" in refused.text) == (429, True)
    assert int(refused.headers["retry-after"]) > 0
    assert ask(gateway, "held", other).status_code == 200
    assert [first.result().status_code, second.result().status_code] == [200, 200]


def test_who_hangs_up_leaves_the_queue_and_nothing_is_sent(
    gateway: Gateway, shared_upstream: UpstreamThread, pool: ThreadPoolExecutor
) -> None:
    def hung_up(seconds: float, key: str = MASTER_KEY) -> bool:
        with pytest.raises(httpx.ReadTimeout):
            ask(gateway, "stuck", key, timeout=seconds)
        return True

    key = json.loads(gateway.post("/key/generate", {})[1])["key"]

    first = pool.submit(hung_up, 4)
    assert wait_until(lambda: len(asked(shared_upstream, "hang")) == 1, 30)
    second = pool.submit(hung_up, 2, key)
    assert wait_until(lambda: waiting(gateway) == 1, 30)
    assert second.result()
    assert wait_until(lambda: waiting(gateway) == 0, 30)
    assert first.result()
    assert len(asked(shared_upstream, "hang")) == 1

    def rows() -> list[dict[str, Any]]:
        return json.loads(gateway.get(f"/spend/logs?api_key={key}")[1])

    assert wait_until(lambda: len(rows()) == 1, 30)
    assert (rows()[0]["prompt_tokens"], rows()[0]["spend"]) == (0, 0)


def test_waiting_ends(gateway: Gateway, shared_upstream: UpstreamThread, pool: ThreadPoolExecutor) -> None:
    """Without a queue, a call is refused at once; in one, after the longest wait."""
    for model, behaviour, text in (
        ("brief", "delay-3001", "this call waited 0."),
        ("bare", "delay-3002", "No deployments available"),
    ):
        first = pool.submit(ask, gateway, model)
        assert wait_until(lambda behaviour=behaviour: len(asked(shared_upstream, behaviour)) == 1, 30)
        refused = ask(gateway, model)
        assert (refused.status_code, text in refused.text) == (429, True)
        assert int(refused.headers["retry-after"]) > 0
        assert first.result().status_code == 200


def test_calls_wait_for_the_end_of_a_rest(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    assert [ask(gateway, "resting").status_code for _ in range(3)] == [429, 429, 200]
    first, _, third = asked(shared_upstream, "limit-first-2")
    assert third.at - first.at >= 0.9  # its retry-after was a second
