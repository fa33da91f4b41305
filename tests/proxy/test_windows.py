"""`enable_pre_call_checks`: whom a prompt goes to by its length, and what explanations say of it."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from litellm.proxy.windows import prompt_tokens
from support.admin import HI, get, post, until
from support.gateway import Gateway
from support.upstream import UpstreamThread

LONG = [{"role": "user", "content": "word " * 100}]  # 500 bytes, more than 100 tokens
SMALL = 60


def entry(upstream: UpstreamThread, group: str, model: str, most: int | None) -> dict[str, Any]:
    params = {"model": f"openai/{model}", "api_base": upstream.base_url, "api_key": "k"}
    info = {"id": f"{group}-{model}"} | ({} if most is None else {"max_input_tokens": most})
    return {"model_name": group, "litellm_params": params, "model_info": info}


def config(upstream: UpstreamThread, folder: Path, checks: bool | None) -> str:
    routing = {} if checks is None else {"enable_pre_call_checks": checks}
    return json.dumps(
        {
            "model_list": [
                entry(upstream, "both", "small", SMALL),
                entry(upstream, "both", "ok", 1000),
                entry(upstream, "one", "tiny", SMALL),
                entry(upstream, "alone", "lone", SMALL),
                entry(upstream, "falls", "short", None),
                entry(upstream, "unknown", "any", None),
                entry(upstream, "roomy", "wide", 10_000),
            ],
            "router_settings": {
                **routing,
                "num_retries": 0,
                "context_window_fallbacks": [{"one": ["alone", "both"]}],
                "fallbacks": [{"falls": ["alone", "roomy"]}],
            },
            "general_settings": {"master_key": "sk-1234", "data_dir": str(folder / "data")},
        }
    )


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("windows")
    with Gateway(config(shared_upstream, folder, True), folder) as running:
        yield running


def asked(gateway: Gateway, model: str, messages: Any = LONG, **more: Any) -> tuple[int, Any, list[Any]]:
    """Status, answer, the steps of its explanation."""
    body = json.dumps({"model": model, "messages": messages, **more}).encode()
    told = {"Authorization": "Bearer sk-1234", "Content-Type": "application/json", "x-litellm-explain": "1"}
    request = urllib.request.Request(f"{gateway.origin}/v1/chat/completions", body, told)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer), json.loads(answer.headers["x-litellm-explain"])["steps"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), json.loads(error.headers["x-litellm-explain"])["steps"]


def skipped(step: Any) -> dict[str, str]:
    return {one["model_id"]: one["why"] for one in step["candidates"] if one["verdict"] == "skipped"}


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_goes_where_it_fits(gateway: Gateway, shared_upstream: UpstreamThread, stream: bool) -> None:
    before = len(shared_upstream.requests)
    for _ in range(4):
        status, _ = gateway.post("/v1/chat/completions", {"model": "both", "messages": LONG, "stream": stream})
        assert status == 200
    assert [one.model for one in shared_upstream.requests[before:]] == ["ok"] * 4


def test_an_explanation_says_whom_it_was_too_long_for(gateway: Gateway) -> None:
    status, _, [step] = asked(gateway, "both")
    assert status == 200
    [(name, why)] = skipped(step).items()
    tokens = int(why.rpartition("the prompt's ")[2].removesuffix(" tokens"))
    assert (name, why.startswith("its context window is smaller")) == ("both-small", True)
    assert 100 <= tokens < 200
    status, answer = gateway.post("/router/explain", {"model": "one", "messages": LONG})
    told = json.loads(answer)
    assert (status, told["chosen"], told["strategy"]) == (200, None, None)
    assert skipped(told) == {"one-tiny": why}
    assert [one["model_group"] for one in told["fallbacks"]] == ["both"]


def test_what_fits_nowhere_turns_to_the_fallbacks_for_that(gateway: Gateway) -> None:
    status, answer, (own, larger) = asked(gateway, "one")
    assert (status, answer["model"]) == (200, "one")
    assert list(skipped(own)) == ["one-tiny"]
    assert larger["attempt"]["model_id"] == "both-ok"
    assert asked(gateway, "one", HI)[2][0]["attempt"]["model_id"] == "one-tiny"


def test_without_them_it_is_refused_and_costs_nothing(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    key = post(gateway, "/key/generate", {})["key"]
    before = len(shared_upstream.requests)
    status, answer = gateway.post("/v1/chat/completions", {"model": "alone", "messages": LONG}, key=key)
    assert status == 400
    assert "no deployment of model=alone takes so many" in json.loads(answer)["error"]["message"]
    assert len(shared_upstream.requests) == before
    [row] = until(lambda: get(gateway, f"/spend/logs?api_key={key}"))
    assert (row["status"], row["spend"], row["prompt_tokens"]) == ("failure", 0, 0)


def test_a_fallback_for_any_failure_is_checked_as_well(gateway: Gateway) -> None:
    status, _, steps = asked(gateway, "falls", mock_testing_fallbacks=True)
    assert (status, steps[-1]["attempt"]["model_id"]) == (200, "alone-lone")  # a test of fallbacks counts nothing
    status, _, (step,) = asked(gateway, "unknown")
    assert (status, skipped(step)) == (200, {})


def test_an_image_may_have_more_tokens_than_bytes(gateway: Gateway) -> None:
    image = {"type": "image_url", "image_url": {"url": "http://h/i"}}
    status, answer, _ = asked(gateway, "alone", [{"role": "user", "content": [image]}])
    assert status == 400, answer
    assert asked(gateway, "roomy", [{"role": "user", "content": [image]}])[0] == 200


def test_by_default_nothing_is_counted(shared_upstream: UpstreamThread, tmp_path: Path) -> None:
    with Gateway(config(shared_upstream, tmp_path, None), tmp_path) as plain:
        status, _, (step,) = asked(plain, "alone")
        assert (status, step["attempt"]["model_id"]) == (200, "alone-lone")


@pytest.mark.parametrize("messages", [None, "text", [None, 5, "x"], [{"role": 5, "content": {"a": [1]}}], [[[]]]])
def test_whatever_a_caller_writes_is_counted(messages: Any) -> None:
    counted = prompt_tokens({"messages": messages, "tools": [None, {"function": 5}]}, "gpt-4o")
    assert counted is not None
    assert counted > 0


def test_what_is_nested_too_deeply_is_not_counted() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert prompt_tokens({"messages": [{"role": "user", "content": deep}]}, "gpt-4o") is None
