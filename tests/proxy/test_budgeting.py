"""Budgets of providers and deployments, through the gateway: with a store and without one, and shared through Redis."""

import asyncio
import json
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from litellm.engine.engine import Engine
from litellm.proxy.config.load import load
from litellm.proxy.snapshot import build
from litellm.store.database import open_database
from litellm.store.ledger import SqlLedger
from litellm.transport.mock import MockTransport
from litellm.types.http import HttpResponse
from support import bodies
from support.admin import INPUT, OUTPUT, ask, get, post
from support.gateway import MASTER_KEY, Gateway
from support.redis import RedisServer
from support.redis import redis as redis
from support.upstream import UpstreamThread, wait_until

HI = [{"role": "user", "content": "hi"}]
USED = bodies.usage(bodies.TOKENS)
COST = (INPUT * USED["prompt_tokens"] + OUTPUT * USED["completion_tokens"]) / 1e9
"""Dollars of one call."""
LARGE = {"budget_limit": 1000, "time_period": "1mo"}
TWO = {"budget_limit": round(1.5 * COST, 9), "time_period": "1mo"}
"""Enough for two calls."""


def entry(upstream: UpstreamThread, group: str, model: str, **params: Any) -> dict[str, Any]:
    prices = {"input_cost_per_token": INPUT / 1e9, "output_cost_per_token": OUTPUT / 1e9}
    own = {"model": model, "api_base": upstream.base_url, "api_key": "k", **prices, **params}
    return {"model_name": group, "litellm_params": own, "model_info": {"id": f"{group}-{model}"}}


def config(
    models: list[dict[str, Any]], budgets: dict[str, Any], general: dict[str, Any] | None = None, **router: Any
) -> str:
    return json.dumps(
        {
            "model_list": models,
            "router_settings": {"provider_budget_config": budgets, "num_retries": 2, **router},
            "general_settings": {"master_key": MASTER_KEY, **(general or {})},
        }
    )


def pair(upstream: UpstreamThread) -> list[dict[str, Any]]:
    return [entry(upstream, "m", "openai/ok", order=1), entry(upstream, "m", "groq/ok", order=2)]


def call(gateway: Gateway, model: str = "m", headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    body = {"model": model, "messages": HI, **more}
    sent = {"Authorization": f"Bearer {MASTER_KEY}", **(headers or {})}
    return httpx.post(gateway.origin + "/v1/chat/completions", json=body, headers=sent, timeout=60)


def served(gateway: Gateway, model: str = "m", **more: Any) -> str:
    answer = call(gateway, model, **more)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-litellm-model-id"].rpartition("-")[2]


def spent(gateway: Gateway, kind: str = "providers") -> dict[str, float]:
    return {name: one["spend"] for name, one in get(gateway, "/provider/budgets")[kind].items()}


def knows(gateway: Gateway, **wanted: float) -> bool:
    """Once its streams have ended, and the others have told."""
    return wait_until(lambda: {name: round(nano, 9) for name, nano in spent(gateway).items()} == wanted)


def times(calls: float) -> float:
    return round(calls * COST, 9)


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_another_provider_serves_then_a_fallback_then_nobody(
    upstream: UpstreamThread, tmp_path: Path, stored: bool, stream: bool
) -> None:
    models = [*pair(upstream), entry(upstream, "other", "openrouter/ok")]
    budgets = {"openai": TWO, "groq": TWO, "openrouter": {"max_budget": 1e-9, "budget_duration": "1mo"}}
    with Gateway(config(models, budgets, fallbacks=[{"m": ["other"]}]), tmp_path) as gateway:
        if stored:
            post(gateway, "/key/generate", {})
        names = []
        for number, provider in enumerate(["openai", "openai", "groq", "groq", "openrouter"], 1):
            names.append(served(gateway, stream=stream).partition("/")[0])
            assert wait_until(lambda n=number: round(sum(spent(gateway).values()), 9) == times(n)), (number, provider)
        assert names == ["openai", "openai", "groq", "groq", "openrouter"]
        answer = call(gateway, stream=stream)
        assert (answer.status_code, answer.headers["rate_limit_type"]) == (429, "budget")
        said = answer.json()["error"]["message"]
        assert f"crossed budget for provider: Exceeded budget for provider openai: {2 * COST} >= {1.5 * COST}" in said
        assert int(answer.headers["retry-after"]) > 0 and answer.headers["x-should-retry"] == "false"
        assert len(upstream.requests) == 5, "nobody is asked in vain"


def test_the_route_and_the_explanations_say_how_it_stands(upstream: UpstreamThread, tmp_path: Path) -> None:
    models = [entry(upstream, "m", "openai/ok", max_budget=1e-9, budget_duration="1d"), entry(upstream, "n", "groq/ok")]
    with Gateway(config(models, {"groq": LARGE}), tmp_path) as gateway:
        told = get(gateway, "/provider/budgets")
        assert told["providers"]["groq"].items() >= {"budget_limit": 1000, "time_period": "1mo", "spend": 0}.items()
        assert told["providers"]["groq"]["budget_reset_at"].endswith("-01T00:00:00Z")
        assert told["deployments"].keys() == {"m-openai/ok"}
        assert served(gateway) == "openai/ok" and served(gateway, "n") == "groq/ok"
        assert (spent(gateway), spent(gateway, "deployments")) == ({"groq": COST}, {"m-openai/ok": COST})
        answer = call(gateway, headers={"x-litellm-explain": "1"})
        [step] = json.loads(answer.headers["x-litellm-explain"])["steps"]
        assert answer.status_code == 429 and step["candidates"][0]["verdict"] == "skipped"
        assert "the budget of deployment m-openai/ok is used up for another" in step["candidates"][0]["why"]
        status, told = ask(gateway, "POST", "/router/explain", {"model": "m", "messages": HI})
        assert (status, told["chosen"]) == (200, None) and "is used up" in told["candidates"][0]["why"]
        assert "No deployments available - crossed budget for deployment" in answer.text
        key = post(gateway, "/key/generate", {})["key"]
        assert ask(gateway, "GET", "/provider/budgets", key=key)[0] == 403
        paths = get(gateway, "/openapi.json")["paths"]
        assert paths["/provider/budgets"]["get"]["tags"] == ["budgets"]


def test_without_budgets_the_route_is_empty(upstream: UpstreamThread, tmp_path: Path) -> None:
    with Gateway(config(pair(upstream), {}), tmp_path) as gateway:
        served(gateway)
        assert get(gateway, "/provider/budgets") == {"providers": {}, "deployments": {}}


def test_a_reload_keeps_the_sum_and_a_new_budget_holds(upstream: UpstreamThread, tmp_path: Path) -> None:
    with Gateway(config(pair(upstream), {"openai": TWO}), tmp_path) as gateway:

        def reload(budgets: dict[str, Any]) -> None:
            version = json.loads(gateway.get("/health/readiness")[1])["config_version"]
            gateway.config_file.write_text(config(pair(upstream), budgets))
            gateway.signal(signal.SIGHUP)
            assert wait_until(lambda: json.loads(gateway.get("/health/readiness")[1])["config_version"] != version)

        assert [served(gateway) for _ in range(3)] == ["openai/ok", "openai/ok", "groq/ok"]
        reload({"openai": {**TWO, "budget_limit": 2.5 * COST}, "groq": TWO})
        assert [served(gateway) for _ in range(2)] == ["openai/ok", "groq/ok"]
        assert knows(gateway, openai=times(3), groq=times(1))
        reload({})
        assert served(gateway) == "openai/ok"


@pytest.mark.parametrize("stored", [False, True])
def test_what_breaks_off_is_counted_as_the_books_have_it(
    upstream: UpstreamThread, tmp_path: Path, stored: bool
) -> None:
    """Streams without usage, callers who hang up, attempts that timed out."""
    models = [
        entry(upstream, "quiet", "openai/stream-no-usage"),
        entry(upstream, "slow", "openai/stream-slow-200"),
        entry(upstream, "late", "openai/hang", timeout=0.3, order=1),
        entry(upstream, "late", "groq/ok", order=2),
        entry(upstream, "bad", "openai/status-400"),
    ]
    with Gateway(config(models, {"openai": LARGE, "groq": LARGE}), tmp_path) as gateway:
        if stored:
            post(gateway, "/key/generate", {})
        before = 0.0
        assert call(gateway, "quiet", stream=True).status_code == 200
        assert wait_until(lambda: spent(gateway)["openai"] > before)
        before = spent(gateway)["openai"]
        hang_up(gateway, "slow")
        assert wait_until(lambda: spent(gateway)["openai"] > before)
        before = spent(gateway)["openai"]
        assert served(gateway, "late") == "groq/ok"
        assert wait_until(lambda: spent(gateway)["openai"] > before)
        before = spent(gateway)["openai"]
        assert round(spent(gateway)["groq"], 9) == times(1)
        assert call(gateway, "bad").status_code == 400
        assert spent(gateway)["openai"] == before, "what was refused is not billed"
        if stored:
            assert wait_until(lambda: logged(gateway) == {"openai": round(before, 9), "groq": times(1)})


def hang_up(gateway: Gateway, model: str) -> None:
    body = json.dumps({"model": model, "messages": HI, "stream": True}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {MASTER_KEY}\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), 30) as sock:
        sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert b"200 OK" in sock.recv(4096)


def logged(gateway: Gateway) -> dict[str, float]:
    """The log's spend, by provider."""
    found: dict[str, float] = {}
    for row in get(gateway, "/spend/logs"):
        name = row["custom_llm_provider"]
        found[name] = round(found.get(name, 0.0) + (row["spend"] or 0.0), 9)
    return found


def test_a_cached_answer_costs_nothing(upstream: UpstreamThread, tmp_path: Path) -> None:
    text = json.loads(config(pair(upstream), {"openai": LARGE}))
    with Gateway(json.dumps({**text, "litellm_settings": {"cache": True}}), tmp_path) as gateway:
        for stream in (False, False, True, True):
            assert call(gateway, stream=stream).status_code == 200
        assert len(upstream.requests) == 1
        assert knows(gateway, openai=times(1))


def test_a_star_has_each_providers_budget(upstream: UpstreamThread, tmp_path: Path) -> None:
    star = {"model_name": "*", "litellm_params": {"model": "*", "api_key": "k", "mock_response": "hi",
                                                   "input_cost_per_token": 1, "output_cost_per_token": 1}}  # fmt: skip
    with Gateway(config([star], {"openai": {"budget_limit": 1}}), tmp_path) as gateway:
        assert [call(gateway, "openai/x").status_code for _ in range(2)] == [200, 429]
        assert [call(gateway, "groq/x").status_code for _ in range(2)] == [200, 200]
        assert spent(gateway)["openai"] > 1


def test_another_budget_makes_no_other_deployment(tmp_path: Path) -> None:
    def id_with(**params: Any) -> str:
        path = tmp_path / "config.yaml"
        own = {"model": "openai/ok", "api_base": "http://host/v1", "api_key": "k", **params}
        path.write_text(json.dumps({"model_list": [{"model_name": "m", "litellm_params": own}]}))
        engine = Engine(MockTransport(lambda _: HttpResponse(200)), lambda: 0.0)
        return build(load(path, {}, {}), engine, {}).router.deployments.all[0].id

    assert id_with() == id_with(max_budget=1) == id_with(max_budget=2, budget_duration="1d") != id_with(rpm=3)


# With a store


def test_a_restart_forgets_nothing(upstream: UpstreamThread, tmp_path: Path) -> None:
    models = [*pair(upstream), entry(upstream, "own", "openrouter/ok", max_budget=1e-9, budget_duration="1mo")]
    text = config(models, {"openai": TWO})
    with Gateway(text, tmp_path) as gateway:
        post(gateway, "/key/generate", {})
        assert [served(gateway) for _ in range(2)] == ["openai/ok", "openai/ok"]
        assert served(gateway, "own") == "openrouter/ok"
    with Gateway(text, tmp_path) as gateway:
        assert served(gateway) == "groq/ok" and call(gateway, "own").status_code == 429
        assert round(spent(gateway)["openai"], 9) == times(2)
        assert round(spent(gateway, "deployments")["own-openrouter/ok"], 9) == times(1)
    assert asyncio.run(problems(tmp_path / "litellm-data")) == []


async def problems(folder: Path) -> list[str]:
    """What of the store's totals does not follow from its log."""
    database = await open_database(None, folder)
    try:
        return await SqlLedger(database).prove()
    finally:
        await database.aclose()


@pytest.mark.slow
def test_workers_hear_of_each_other_through_the_store(upstream: UpstreamThread, tmp_path: Path) -> None:
    text = config(pair(upstream), {"openai": LARGE})
    with Gateway(text, tmp_path) as gateway:
        post(gateway, "/key/generate", {})
    with Gateway(text, tmp_path, ("--num_workers", "2")) as gateway:
        for _ in range(20):
            served(gateway)
        for _ in range(10):  # each on a connection of its own: to either worker
            assert knows(gateway, openai=times(20))


# With Redis


def test_gateways_share_a_sum_and_go_on_without_redis(
    upstream: UpstreamThread, tmp_path: Path, redis: RedisServer
) -> None:
    text = config(pair(upstream), {"openai": {**LARGE, "budget_limit": 5.5 * COST}}, {"redis_url": redis.url})
    with Gateway(text, tmp_path / "one") as one, Gateway(text, tmp_path / "two") as two:
        for gateway in (one, two):
            assert served(gateway) == "openai/ok"
        for gateway in (one, two):
            assert knows(gateway, openai=times(2))
        redis.kill()
        assert [served(one) for _ in range(2)] == ["openai/ok"] * 2, "nobody fails for it"
        assert knows(one, openai=times(4)) and knows(two, openai=times(2))
        assert served(two, stream=True) == "openai/ok"
        redis.start()  # it has forgotten everything
        for gateway in (one, two):
            assert knows(gateway, openai=times(5))
        assert served(one) == "openai/ok"
        assert knows(two, openai=times(6))
        assert [served(gateway) for gateway in (one, two)] == ["groq/ok"] * 2
    with Gateway(text, tmp_path / "one") as one:
        assert knows(one, openai=times(6))
        assert served(one) == "groq/ok"


@pytest.mark.parametrize("models", [1, 2])
@pytest.mark.parametrize("secure", [True, False], ids=["connecting", "sent"])
def test_what_was_not_sent_costs_nothing(upstream: UpstreamThread, tmp_path: Path, secure: bool, models: int) -> None:
    """Nobody accepts, so no TLS begins: a call's time is over, or its caller gone, while connecting."""
    listed = [entry(upstream, "m", f"openai/{number}") for number in range(models)]
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        for one in listed:
            one["litellm_params"]["api_base"] = (
                f"{'https' if secure else 'http'}://127.0.0.1:{deaf.getsockname()[1]}/v1"
            )
        with Gateway(config(listed, {"openai": LARGE}, total_timeout=1.0), tmp_path) as gateway:
            assert call(gateway).status_code == 408
            in_vain = spent(gateway)["openai"]
            with pytest.raises(httpx.ReadTimeout):
                body, key = {"model": "m", "messages": HI}, {"Authorization": f"Bearer {MASTER_KEY}"}
                httpx.post(gateway.origin + "/v1/chat/completions", json=body, headers=key, timeout=0.4)
            if secure:
                assert in_vain == 0 and not wait_until(lambda: spent(gateway)["openai"] > 0, 1)
            else:
                assert in_vain > 0 and wait_until(lambda: spent(gateway)["openai"] > in_vain)
