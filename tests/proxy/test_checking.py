"""Health checks in the background: who rests, whose rest ends, what `/health` tells, and what they cost."""

import json
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from litellm import exceptions as e
from litellm.proxy.checking import checkable, judge
from litellm.router.deployments import Deployment
from litellm.router.health import State
from litellm.types.calls import Target
from support.gateway import MASTER_KEY, Gateway
from support.upstream import UpstreamThread, wait_until

CONFIG = """
model_list:
  - {{model_name: pair, litellm_params: {{model: openai/good, api_base: {base}, api_key: k, order: 2}}, model_info: {{id: good}}}}
  - {{model_name: pair, litellm_params: {{model: openai/status-500, api_base: {base}, api_key: k, order: 1}}, model_info: {{id: bad}}}}
  - {{model_name: "any/*", litellm_params: {{model: "openai/*", api_base: {base}, api_key: k}},
      model_info: {{id: wild, health_check_model: openai/small}}}}
  - {{model_name: left, litellm_params: {{model: openai/left, api_base: {base}, api_key: k}},
      model_info: {{id: left, disable_background_health_check: true}}}}
router_settings: {{num_retries: 0}}
general_settings:
  {{master_key: {key}, background_health_checks: true, health_check_interval: {interval}, health_check_max_calls: {most}}}
"""  # noqa: E501


SHOWN = ("model", "model_name", "model_id")


def started(upstream: UpstreamThread, folder: Path, interval: float, most: int, *options: str) -> Gateway:
    text = CONFIG.format(base=upstream.base_url, key=MASTER_KEY, interval=interval, most=most)
    return Gateway(text, folder, options)


def health(gateway: Gateway) -> dict[str, Any]:
    return json.loads(gateway.get("/health")[1])


def ids(rows: list[dict[str, Any]]) -> set[str]:
    return {row["model_id"] for row in rows}


def ask(gateway: Gateway) -> httpx.Response:
    body = {"model": "pair", "messages": [{"role": "user", "content": "hi"}]}
    return httpx.post(gateway.origin + "/v1/chat/completions", json=body, headers=gateway.headers, timeout=60)


def test_a_failing_deployment_rests_before_any_caller_meets_it(upstream: UpstreamThread, tmp_path: Path) -> None:
    with started(upstream, tmp_path, 600, 10) as gateway:
        assert wait_until(lambda: health(gateway)["unhealthy_count"] == 1, 30)
        told = health(gateway)
        assert ids(told["healthy_endpoints"]) == {"good", "wild"}
        assert [(row["model_id"], row["status_code"]) for row in told["unhealthy_endpoints"]] == [("bad", 500)]
        answers = [ask(gateway) for _ in range(5)]
        assert {answer.headers["x-litellm-model-id"] for answer in answers} == {"good"}
        checks = [request for request in upstream.requests if request.json.get("max_tokens") == 1]
        assert sorted(request.model for request in checks) == ["good", "small", "status-500"]  # once each, told twice
        text = gateway.config.replace("openai/status-500", "openai/mended").replace("interval: 600", "interval: 0.2")
        gateway.config_file.write_text(text)
        gateway.process.send_signal(1)
        assert wait_until(lambda: ask(gateway).headers["x-litellm-model-id"] == "bad", 30)  # its order is the lower


def test_no_more_than_so_many_in_an_interval(upstream: UpstreamThread, tmp_path: Path) -> None:
    with started(upstream, tmp_path, 0.2, 1) as gateway:
        assert wait_until(lambda: len(upstream.requests) >= 6, 30)
        asked = [request.model for request in upstream.requests][:6]
        assert asked[:3] == asked[3:] and set(asked) == {"good", "status-500", "small"}  # each has its turn
        assert gateway.process.poll() is None


def test_one_worker_asks_and_all_know(upstream: UpstreamThread, tmp_path: Path) -> None:
    with started(upstream, tmp_path, 600, 10, "--num_workers", "2") as gateway:

        def known() -> bool:
            return all(health(gateway)["unhealthy_count"] == 1 for _ in range(8))

        assert wait_until(known, 30)
        assert {ask(gateway).headers["x-litellm-model-id"] for _ in range(8)} == {"good"}
        assert sum(request.json.get("max_tokens") == 1 for request in upstream.requests) == 3


def test_details_can_be_left_out(upstream: UpstreamThread, tmp_path: Path) -> None:
    with started(upstream, tmp_path, 600, 10) as gateway:
        assert wait_until(lambda: health(gateway)["unhealthy_count"] == 1, 30)
        (row,) = health(gateway)["unhealthy_endpoints"]
        assert row["api_base"] == upstream.base_url and row["error"]
        text = gateway.config.replace("interval: 600", "interval: 600, health_check_details: false")
        for wanted in (text, text.replace("background_health_checks: true", "background_health_checks: false")):
            gateway.config_file.write_text(wanted)
            gateway.process.send_signal(signal.SIGHUP)
            assert wait_until(lambda: "api_base" not in gateway.get("/health")[1].decode(), 30)
            told = health(gateway)
            assert {frozenset(row) for row in told["healthy_endpoints"]} == {frozenset(SHOWN)}
            (row,) = told["unhealthy_endpoints"]
            assert row.keys() == {*SHOWN, "status_code"} and row["status_code"] == 500


@pytest.mark.parametrize(("status", "rests"), [(500, True), (408, True), (401, True), (429, True), (400, False)])
def test_what_a_check_says_of_a_deployment(status: int, rests: bool) -> None:
    state = State()
    judge(state, {"error": "no", "status_code": status}, 0.0, 60.0)
    assert (state.open_at == 60.0) == rests
    judge(state, {}, 1.0, 60.0)
    assert (state.open_at, state.strikes) == (0.0, 0)


def test_a_check_of_another_model() -> None:
    target = Target("openai", "*", "http://host/v1", "k")
    assert checkable(Deployment("a", "x/*", target)) is None
    made = checkable(Deployment("a", "x/*", target, info={"health_check_model": "openai/small"}))
    assert made is not None and (made.id, made.target.model) == ("a", "small")

    def resolve(model: str) -> Deployment:
        if model != "groq/tiny":
            raise e.BadRequestError("no")
        return Deployment("other", "*", Target("groq", "tiny", "http://groq/v1", "k"))

    any_name = Deployment("a", "*", target, info={"health_check_model": "groq/tiny"}, resolve=resolve)
    made = checkable(any_name)
    assert made is not None and (made.id, made.target.provider) == ("a", "groq")
