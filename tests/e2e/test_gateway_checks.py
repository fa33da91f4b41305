"""Two gateways with folders of their own and one Redis, the second with two workers: one checks, and all know."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.gateway import MASTER_KEY, Gateway
from support.redis import RedisServer
from support.redis import redis as redis
from support.upstream import UpstreamThread, wait_until

pytestmark = pytest.mark.slow

INTERVAL = 2.0


@pytest.fixture
def second() -> Iterator[UpstreamThread]:
    with UpstreamThread() as upstream:
        yield upstream


@pytest.fixture
def replicas(
    upstream: UpstreamThread, second: UpstreamThread, redis: RedisServer, tmp_path: Path
) -> Iterator[list[Gateway]]:
    """The first choice of both is at `upstream`."""

    def deployment(order: int, at: UpstreamThread) -> dict[str, Any]:
        params = {"model": "openai/m", "api_base": at.base_url, "api_key": "k", "order": order}
        return {"model_name": "pair", "litellm_params": params, "model_info": {"id": f"d{order}"}}

    general = {"master_key": MASTER_KEY, "redis_url": redis.url, "background_health_checks": True}
    text = json.dumps(
        {
            "model_list": [deployment(1, upstream), deployment(2, second)],
            "router_settings": {"num_retries": 0},
            "general_settings": {**general, "health_check_interval": INTERVAL},
        }
    )
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(Gateway(text, tmp_path / "one"))
        yield [one, stack.enter_context(Gateway(text, tmp_path / "two", ("--num_workers", "2")))]


def failing(gateway: Gateway) -> set[str] | None:
    """Whom `/health` tells of as failing; None before both are known."""
    told = json.loads(gateway.get("/health")[1])
    found = {row["model_id"] for row in told["unhealthy_endpoints"]}
    return found if told["healthy_count"] + told["unhealthy_count"] == 2 else None


def served_by(gateway: Gateway) -> str:
    body = {"model": "pair", "messages": [{"role": "user", "content": "hi"}]}
    answer = httpx.post(gateway.origin + "/v1/chat/completions", json=body, headers=gateway.headers, timeout=60)
    return answer.headers.get("x-litellm-model-id", "")


def checks(upstream: UpstreamThread) -> list[float]:
    """When they came."""
    return [one.at for one in list(upstream.requests) if one.json.get("max_tokens") == 1]


def calls(upstream: UpstreamThread) -> int:
    return sum(one.json.get("max_tokens") != 1 for one in list(upstream.requests))


def everywhere(replicas: list[Gateway], condition: Callable[[Gateway], bool]) -> bool:
    """Whether it comes to hold on every worker: each try is a new connection. Of two, one may get all of them."""
    return all(wait_until(lambda g=g: all(condition(g) for _ in range(8)), 30) for g in replicas)


def test_one_checks_all_know_and_another_takes_over(
    replicas: list[Gateway], upstream: UpstreamThread, second: UpstreamThread
) -> None:
    assert everywhere(replicas, lambda g: failing(g) == set())
    assert [served_by(g) for g in replicas] == ["d1", "d1"]
    upstream.mood = "status-500"
    assert everywhere(replicas, lambda g: failing(g) == {"d1"})
    before = calls(upstream)
    assert [served_by(replicas[0]) for _ in range(4)] == ["d2"] * 4
    assert calls(upstream) == before, "no caller has met the failure"
    assert everywhere(replicas, lambda g: served_by(g) == "d2")
    upstream.mood = None
    assert everywhere(replicas, lambda g: served_by(g) == "d1")
    assert wait_until(lambda: len(checks(second)) >= 4, 30)
    for at in (upstream, second):
        came = checks(at)
        assert len(came) - 1 <= 1 + 1.5 * (came[-1] - came[0]) / INTERVAL, "one round in an interval, not two"
    replicas[0].stop()
    so_far = len(checks(second))
    assert wait_until(lambda: len(checks(second)) >= so_far + 2, 30)
    assert everywhere(replicas[1:], lambda g: failing(g) == set())
