"""Streams that break off after their first chunk: who goes on, what the caller sees of it, and what is in the books."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import bodies
from support.admin import HI, INPUT, OUTPUT, get, post, until
from support.gateway import Gateway
from support.llama import Llama
from support.upstream import UpstreamThread, wait_until

WHOLE = "".join(bodies.words(bodies.TOKENS))
CONTINUE = {"mid_stream_fallback": "continue"}


def entry(upstream: UpstreamThread, group: str, model: str, prefill: bool = True, **more: Any) -> dict[str, Any]:
    prices = {"input_cost_per_token": INPUT / 1e9, "output_cost_per_token": OUTPUT / 1e9}
    params = {"model": f"openai/{model}", "api_base": upstream.base_url, "api_key": "k", **prices, **more}
    info = {"id": f"{group}-{model}", "supports_assistant_prefill": prefill}
    return {"model_name": group, "litellm_params": params, "model_info": info}


def of_provider(name: str, made: dict[str, Any]) -> dict[str, Any]:
    """An entry with another provider; what the catalog knows of that is what holds for it."""
    params = made["litellm_params"]
    info = {"id": made["model_info"]["id"]}
    if name == "mistral":
        info["base_model"] = "mistral/mistral-large-latest"
    return {**made, "litellm_params": {**params, "model": params["model"].replace("openai", name)}, "model_info": info}


BREAKS = ("reset-mid-body", "close-mid-body", "error-later-event", "bad-chunk", "stream-unfinished", "reset-mid-event",
          "hang-mid-body", "comments-later")  # fmt: skip
QUICK = {"between_tokens_timeout": 1}
PLAIN = {**QUICK, "mid_stream_fallback": "error"}


def config(upstream: UpstreamThread, folder: Path, routing: dict[str, Any] | None = None, **general: Any) -> str:
    pairs = [
        one
        for model in BREAKS
        for one in (entry(upstream, model, model, order=1), entry(upstream, model, "goes-on", order=2))
    ]
    return json.dumps(
        {
            "model_list": [
                *pairs,
                entry(upstream, "plain", "reset-mid-body", order=1),
                entry(upstream, "plain", "goes-on", order=2),
                entry(upstream, "unable", "reset-mid-body", order=1),
                entry(upstream, "unable", "goes-on", prefill=False, order=2),
                entry(upstream, "elsewhere", "reset-mid-body"),
                entry(upstream, "backup", "goes-on"),
                entry(upstream, "vain", "reset-mid-body", order=1),
                entry(upstream, "vain", "status-400", order=2),
                entry(upstream, "twice", "reset-mid-body", order=1),
                entry(upstream, "twice", "error-later-event", order=2),
                entry(upstream, "tool", "tool-call-cut", order=1),
                entry(upstream, "tool", "ok", order=2),
                entry(upstream, "spaced", "goes-on-spaced", order=1),
                entry(upstream, "spaced", "goes-on-spaced", order=2) | {"model_info": SPACED},
                entry(upstream, "late", "reset-mid-body", order=1, max_parallel_requests=1),
                entry(upstream, "late", "hang", order=2, max_parallel_requests=1),
                entry(upstream, "timed", "reset-mid-body", order=1),
                entry(upstream, "timed", "hang-before-event", order=2),
                entry(upstream, "again", "reset-mid-body", order=1),
                of_provider("mistral", entry(upstream, "again", "ok", order=2)),
                entry(upstream, "asked", "reset-mid-body", order=1),
                of_provider("hosted_vllm", entry(upstream, "asked", "goes-on", order=2)),
                entry(upstream, "single", "ok"),
            ],
            "router_settings": {
                **CONTINUE,
                "num_retries": 0,
                "disable_cooldowns": True,
                "fallbacks": [{"elsewhere": ["backup"]}],
                "model_groups": {
                    "plain": PLAIN,
                    "hang-mid-body": QUICK,
                    "comments-later": QUICK,
                    "timed": {"total_timeout": 3},
                },
                **(routing or {}),
            },
            "litellm_settings": {"cache": routing is not None},
            "general_settings": {"master_key": "sk-1234", "data_dir": str(folder / "data"), **general},
        }
    )


SPACED = {"id": "spaced-second", "supports_assistant_prefill": True}


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("continuing")
    with Gateway(config(shared_upstream, folder), folder) as running:
        yield running


class Streamed:
    """One streamed call, read to its end."""

    def __init__(self, gateway: Gateway, model: str, key: str = "sk-1234", **more: Any) -> None:
        body = {"model": model, "messages": HI, "stream": True, "stream_options": {"include_usage": True}, **more}
        status, raw = gateway.post("/v1/chat/completions", body, key=key)
        assert status == 200, raw
        blocks = raw.decode().split("\n\n")
        self.comments = [block for block in blocks if block.startswith(": ") and block != ": keep-alive"]
        self.said = [block.removeprefix("data: ") for block in blocks if block.startswith("data: ")]
        events: list[dict[str, Any]] = [json.loads(said) for said in self.said if said != "[DONE]"]
        self.errors = [event["error"] for event in events if "error" in event]
        self.chunks = [event for event in events if "error" not in event]
        deltas = [choice["delta"] for chunk in self.chunks for choice in chunk["choices"]]
        self.text = "".join(delta.get("content") or "" for delta in deltas)
        self.roles = sum("role" in delta for delta in deltas)

    def ended_well(self) -> bool:
        return not self.errors and self.said[-1] == "[DONE]" and self.said.count("[DONE]") == 1


@pytest.mark.parametrize("model", BREAKS)
def test_another_deployment_goes_on(gateway: Gateway, shared_upstream: UpstreamThread, model: str) -> None:
    key = post(gateway, "/key/generate", {})["key"]
    before = len(shared_upstream.asked("goes-on"))
    got = Streamed(gateway, model, key, max_tokens=50)
    assert got.ended_well()
    assert got.text == WHOLE
    assert got.comments == [f": continued by {model}-goes-on"]
    assert got.roles == 1
    assert {(chunk["id"], chunk["created"], chunk["model"]) for chunk in got.chunks} == {
        ("chatcmpl-Abc123", bodies.CREATED, model)
    }
    [asked] = shared_upstream.asked("goes-on")[before:]
    assert asked.json["messages"] == [*HI, {"role": "assistant", "content": " tok0 tok1"}]
    assert asked.json["max_tokens"] == 50 - 3  # the events that had come
    until(lambda: len(get(gateway, f"/spend/logs?api_key={key}")) == 2)
    rows = {row["call_type"]: row for row in get(gateway, f"/spend/logs?api_key={key}")}
    lost, served = rows["attempt"], rows["chat"]
    assert (lost["model_id"], served["model_id"]) == (f"{model}-{model}", f"{model}-goes-on")
    assert lost["request_id"] == served["request_id"] + "#1"
    assert (lost["status"], served["status"]) == ("failure", "success")
    assert lost["completion_tokens"] == 3
    assert (served["prompt_tokens"], served["completion_tokens"]) == (13, 3)
    usage = got.chunks[-1]["usage"]
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert usage[name] == lost[name] + served[name]
    for row in rows.values():
        cost = row["prompt_tokens"] * INPUT + row["completion_tokens"] * OUTPUT
        assert row["spend"] == pytest.approx(cost / 1e9)
    spent = get(gateway, f"/key/info?key={key}")["info"]["spend"]
    assert spent == pytest.approx(lost["spend"] + served["spend"])


def test_a_fallback_goes_on(gateway: Gateway) -> None:
    got = Streamed(gateway, "elsewhere")
    assert (got.ended_well(), got.text, got.comments) == (True, WHOLE, [": continued by backup-goes-on"])
    assert {chunk["model"] for chunk in got.chunks} == {"elsewhere"}


def test_no_usage_is_told_to_who_did_not_ask(gateway: Gateway) -> None:
    got = Streamed(gateway, "reset-mid-body", stream_options=None)
    assert (got.ended_well(), got.text) == (True, WHOLE)
    assert not any(chunk.get("usage") for chunk in got.chunks)


@pytest.mark.parametrize(
    ("model", "host", "mark", "more"),
    [
        ("again", "ok", {"prefix": True}, {}),  # which says the beginning again
        ("asked", "goes-on", {}, {"continue_final_message": True, "add_generation_prompt": False}),
    ],
)
def test_a_provider_is_told_to_go_on_in_its_own_way(
    gateway: Gateway, shared_upstream: UpstreamThread, model: str, host: str, mark: Any, more: Any
) -> None:
    got = Streamed(gateway, model)
    assert (got.ended_well(), got.text, got.comments) == (True, WHOLE, [f": continued by {model}-{host}"])
    asked = shared_upstream.asked(host)[-1].json
    assert asked["messages"] == [*HI, {"role": "assistant", "content": " tok0 tok1", **mark}]
    assert {name: asked.get(name) for name in more} == more


def test_the_space_at_the_end_of_the_beginning_comes_once(gateway: Gateway) -> None:
    got = Streamed(gateway, "spaced")
    assert (got.ended_well(), got.text) == (True, " tok0 said: end")


def test_an_answer_that_the_caller_has_begun_stays_one_message(
    gateway: Gateway, shared_upstream: UpstreamThread
) -> None:
    begun = {"role": "assistant", "content": ""}
    assert Streamed(gateway, "reset-mid-body", messages=[*HI, begun]).text == WHOLE
    assert shared_upstream.asked("goes-on")[-1].json["messages"] == [*HI, {**begun, "content": " tok0 tok1"}]


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("plain", {}),  # switched off for this one
        ("unable", {}),  # the other does not take a beginning
        ("vain", {}),  # the other refuses
        ("twice", {}),  # the other breaks off as well: there is no third
        ("tool", {}),
        ("reset-mid-body", {"response_format": {"type": "json_object"}}),
    ],
)
def test_the_caller_is_told_where_nobody_goes_on(
    gateway: Gateway, shared_upstream: UpstreamThread, model: str, more: dict[str, Any]
) -> None:
    before = len(shared_upstream.asked("goes-on"))
    got = Streamed(gateway, model, **more)
    assert len(got.errors) == 1
    assert "[DONE]" not in got.said
    assert json.loads(got.said[-1])["error"] == got.errors[0]
    assert bool(got.comments) == (model == "twice")
    assert len(shared_upstream.asked("goes-on")) == before


def test_the_row_of_a_call_that_nobody_went_on_with_is_the_firsts(gateway: Gateway) -> None:
    key = post(gateway, "/key/generate", {})["key"]
    assert Streamed(gateway, "vain", key).errors
    [row] = until(lambda: get(gateway, f"/spend/logs?api_key={key}"))
    assert (row["status"], row["model_id"], row["completion_tokens"]) == ("failure", "vain-reset-mid-body", 3)


def test_the_total_time_bounds_the_second_as_well(gateway: Gateway) -> None:
    got = Streamed(gateway, "timed")
    assert [error["code"] for error in got.errors] == ["500"]


def test_a_caller_who_hangs_up_while_another_is_asked(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    key = post(gateway, "/key/generate", {})["key"]
    before = len(shared_upstream.asked("hang"))
    for turn in range(2):  # the second finds both places free again
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        body = json.dumps({"model": "late", "messages": HI, "stream": True})
        connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {key}"})
        response = connection.getresponse()
        assert response.read(10)
        want = before + turn + 1
        assert wait_until(lambda want=want: len(shared_upstream.asked("hang")) == want, 30)
        response.close()
        connection.close()
        assert wait_until(lambda: shared_upstream.asked("hang")[-1].disconnected, 30)
        want = 2 * turn + 2
        until(lambda want=want: len(get(gateway, f"/spend/logs?api_key={key}")) == want)
    rows = get(gateway, f"/spend/logs?api_key={key}")
    assert sorted((row["call_type"], row["model_id"]) for row in rows) == [
        ("attempt", "late-hang"),
        ("attempt", "late-hang"),
        ("chat", "late-reset-mid-body"),
        ("chat", "late-reset-mid-body"),
    ]
    assert all(row["spend"] > 0 for row in rows)


def test_a_continued_answer_is_replayed_whole(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    body = {"model": "close-mid-body", "messages": HI, "stream": True}
    fields = {**gateway.headers, "idempotency-key": "once", "content-type": "application/json"}
    before = len(shared_upstream.asked("goes-on"))
    answers: list[bytes] = []
    for _ in range(2):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        connection.request("POST", "/v1/chat/completions", json.dumps(body), fields)
        answers.append(connection.getresponse().read())
        connection.close()
    assert answers[0] == answers[1]
    assert answers[0].endswith(b"data: [DONE]\n\n")
    assert len(shared_upstream.asked("goes-on")) == before + 1


def test_strict_budgets_reserve_for_both(shared_upstream: UpstreamThread, tmp_path: Path) -> None:
    with Gateway(config(shared_upstream, tmp_path, budget_enforcement="strict"), tmp_path) as strict:
        key = post(strict, "/key/generate", {"max_budget": 0.0012})["key"]
        asked = {"messages": HI, "stream": True, "max_tokens": 50}  # 10,000 nano-dollars each, and 130 bytes at 2,000
        assert strict.post("/v1/chat/completions", {**asked, "model": "reset-mid-body"}, key=key)[0] == 429
        assert strict.post("/v1/chat/completions", {**asked, "model": "plain"}, key=key)[0] == 200


def test_who_breaks_off_rests_and_what_was_continued_is_not_kept(
    shared_upstream: UpstreamThread, tmp_path: Path
) -> None:
    routing = {"disable_cooldowns": False, "allowed_fails": 0, "cooldown_time": 60}
    with Gateway(config(shared_upstream, tmp_path, routing), tmp_path) as resting:
        assert Streamed(resting, "reset-mid-body").text == WHOLE
        body = {"model": "reset-mid-body", "messages": HI, "stream": True, "stream_options": {"include_usage": True}}
        status, _ = resting.post("/v1/chat/completions", body)
        assert status == 400  # of the other one, which wants a beginning


def test_no_fallbacks_is_no_continuing(shared_upstream: UpstreamThread, tmp_path: Path) -> None:
    with Gateway(config(shared_upstream, tmp_path, {"max_fallbacks": 0}), tmp_path) as none:
        assert len(Streamed(none, "reset-mid-body").errors) == 1


HOOKS = """
import os
from litellm.integrations.custom_logger import CustomLogger

def note(text):
    with open(os.environ["NEWS"], "a") as file:
        file.write(text + "\\n")

class Hooks(CustomLogger):
    async def async_post_call_streaming_iterator_hook(self, user_api_key_dict, response, request_data):
        async for chunk in response:
            if chunk.choices and chunk.choices[0].delta.content:
                chunk.choices[0].delta.content = chunk.choices[0].delta.content.upper()
            yield chunk

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        note(f"success {kwargs['litellm_params']['model_info']['id']}")

    async def async_log_failure_event(self, kwargs, response_obj, start_time, end_time):
        note(f"failure {kwargs['litellm_params']['model_info']['id']}")

hooks = Hooks()
"""


def test_hooks_see_one_stream_and_listeners_two_calls(shared_upstream: UpstreamThread, tmp_path: Path) -> None:
    (tmp_path / "hooks.py").write_text(HOOKS)
    said = json.loads(config(shared_upstream, tmp_path))
    said["litellm_settings"]["callbacks"] = ["hooks.hooks"]
    news = tmp_path / "news"
    with Gateway(json.dumps(said), tmp_path, env={"NEWS": str(news)}) as hooked:
        for model in ("reset-mid-body", "hang-mid-body"):
            got = Streamed(hooked, model)
            assert (got.ended_well(), got.text) == (True, WHOLE.upper())
        heard = until(lambda: news.exists() and len(lines := news.read_text().splitlines()) == 4 and lines)
    assert sorted(heard) == [
        "failure hang-mid-body-hang-mid-body",
        "failure reset-mid-body-reset-mid-body",
        "success hang-mid-body-goes-on",
        "success reset-mid-body-goes-on",
    ]


def test_a_real_server_goes_on(shared_upstream: UpstreamThread, llama: Llama, tmp_path: Path) -> None:
    real = entry(shared_upstream, "real", llama.model, api_base=llama.base_url, order=2)
    said = json.loads(config(shared_upstream, tmp_path))
    said["model_list"] = [entry(shared_upstream, "real", "reset-mid-body", order=1), real]
    said["router_settings"]["fallbacks"] = []
    with Gateway(json.dumps(said), tmp_path) as gateway:
        got = Streamed(gateway, "real", max_tokens=9)
    assert got.ended_well()
    assert got.text.startswith(" tok0 tok1")
    assert got.chunks[-1]["usage"]["completion_tokens"] <= 9
