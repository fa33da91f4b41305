"""`litellm.Router` in a program: whom calls go to, what follows a failure, and changes while calls are under way."""

import asyncio
import inspect
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest import mock

import openai
import pytest

import litellm
from litellm import Router
from litellm.engine.delivery import delivery
from litellm.integrations.custom_logger import CustomLogger
from litellm.router import Deployment, LiteLLM_Params, RetryPolicy
from litellm.unbuilt import NotBuilt
from support.upstream import UpstreamThread, wait_until

HI = [{"role": "user", "content": "hi"}]

SIGNATURE: dict[str, Any] = {
    "model_list": None, "redis_url": None, "redis_host": None, "redis_port": None, "redis_password": None,
    "cache_responses": False, "cache_kwargs": {}, "caching_groups": None, "client_ttl": 3600, "num_retries": None,
    "max_fallbacks": None, "timeout": None, "stream_timeout": None, "default_litellm_params": None,
    "default_max_parallel_requests": None, "default_fallbacks": [], "fallbacks": [], "context_window_fallbacks": [],
    "content_policy_fallbacks": [], "model_group_alias": {}, "enable_pre_call_checks": False,
    "enable_tag_filtering": False, "tag_filtering_match_any": True, "retry_after": 0, "retry_policy": None,
    "model_group_retry_policy": {}, "allowed_fails": None, "allowed_fails_policy": None, "cooldown_time": None,
    "disable_cooldowns": None, "routing_strategy": "simple-shuffle", "routing_strategy_args": {},
    "optional_pre_call_checks": None, "provider_budget_config": None, "alerting_config": None,
    "enable_health_check_routing": False, "enable_weighted_failover": False, "deployment_affinity_ttl_seconds": 3600,
    "ignore_invalid_deployments": False, "router_general_settings": None, "search_tools": None, "guardrail_list": None,
}  # fmt: skip

Make = Callable[..., Router]


@pytest.fixture
def make(upstream: UpstreamThread) -> Make:
    """`make(("group", "model", {params}), ..., **settings)`: a Router whose deployments are at the upstream."""

    def made(*rows: tuple[Any, ...], **settings: Any) -> Router:
        return Router([row(upstream, *given) for given in rows], **{"num_retries": 0, **settings})

    return made


def row(upstream: UpstreamThread, group: str, model: str, params: Any = None, info: Any = None) -> dict[str, Any]:
    own = {"model": f"openai/{model}", "api_base": upstream.base_url, "api_key": "sk-1", **(params or {})}
    return {"model_name": group, "litellm_params": own, "model_info": info or {"id": model}}


def asked(upstream: UpstreamThread) -> list[str]:
    return [request.json["model"] for request in upstream.requests]


def content(made: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in made)


def headers(made: Any) -> dict[str, Any]:
    return {name: value for name, value in made._hidden_params["additional_headers"].items() if name[:2] == "x-"}


# The constructor


def test_its_signature_is_the_contracts():
    given = [one for one in inspect.signature(Router.__init__).parameters.values() if one.name != "self"]
    assert [(one.name, one.default) for one in given] == list(SIGNATURE.items())
    assert {one.kind for one in given} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert Router.__module__ == "litellm.sdk.router"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([{"litellm_params": {"model": "openai/m"}}], r"model_list\[0\]\.model_name: Field required"),
        ([{"model_name": "m"}], r"model_list\[0\]\.litellm_params:"),
        ([{"model_name": "m", "litellm_params": {}}], r"model_list\[0\]\.litellm_params\.model: Field required"),
        ([{"model_name": "m", "litellm_params": {"model": "openai/m", "rpm": "x"}}], r"litellm_params\.rpm: "),
        ([{"model_name": "m", "litellm_params": {"model": "openai/m", "weight": -1}}], r"litellm_params\.weight: "),
        ([{"model_name": "m", "litellm_params": {"model": "m"}}], r"litellm_params\.model: LLM Provider NOT provided"),
        ([{"model_name": "m", "litellm_params": {"model": "openai/m"}, "model_info": 3}], r"model_info: "),
        (["m"], r"model_list\[0\]: expected a dict"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_list_is_named(wrong: Any, said: str):
    good = {"model_name": "good", "litellm_params": {"model": "openai/good", "api_key": "sk-secret"}}
    with pytest.raises(ValueError, match=said) as caught:
        Router(model_list=wrong)
    assert "sk-secret" not in str(caught.value)
    assert Router([*wrong, good], ignore_invalid_deployments=True).get_model_names() == ["good"]


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"cache_responses": True, "cache_kwargs": {"type": "s3"}}, NotBuilt, "Cache"),
        ({"optional_pre_call_checks": ["by-weather"]}, NotBuilt, "by-weather"),
        ({"routing_strategy_args": {"ttl": 10}}, NotBuilt, "routing_strategy_args"),
        ({"routing_strategy": "by-luck"}, ValueError, "routing_strategy: expected one of simple-shuffle"),
        ({"fallbacks": ["m"]}, ValueError, "fallbacks: expected a list like"),
    ],
)  # fmt: skip
def test_a_setting_that_would_not_hold_is_refused(settings: Any, error: type[Exception], said: str):
    with pytest.raises(error, match=said):
        Router([], **settings)


# Calls


@pytest.mark.parametrize("asynchronous", [False, True])
def test_each_kind_of_call(make: Make, upstream: UpstreamThread, asynchronous: bool):
    router = make(("m", "ok", {"temperature": 0.5, "tags": ["x"], "rpm": 1000}))
    if asynchronous:

        async def all_of_them() -> list[Any]:
            streamed = await router.acompletion("m", HI, stream=True, max_tokens=5)
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in streamed])
            return [
                await router.acompletion(model="m", messages=HI, max_tokens=5),
                await router.atext_completion(model="m", prompt="hi"),
                await router.aembedding(model="m", input=["hi"]),
                text,
            ]

        chat, text, vectors, streamed = asyncio.run(all_of_them())
    else:
        chat, text = router.completion(model="m", messages=HI, max_tokens=5), router.text_completion("m", prompt="hi")
        vectors, streamed = router.embedding("m", input=["hi"]), content(router.completion("m", HI, stream=True))
    assert isinstance(chat, litellm.ModelResponse) and chat.choices[0].message.content
    assert isinstance(text, litellm.TextCompletionResponse) and text.choices[0].text
    assert isinstance(vectors, litellm.EmbeddingResponse) and vectors.data
    assert streamed
    assert chat._hidden_params["model_id"] == "ok"
    assert headers(chat) == {
        "x-litellm-model-group": "m", "x-litellm-attempted-retries": 0, "x-litellm-attempted-fallbacks": 0,
    }  # fmt: skip
    sent = [request.json for request in upstream.requests]
    assert {"model": "ok", "messages": HI, "max_tokens": 5, "temperature": 0.5} in sent


def test_a_call_wins_over_its_deployment_and_that_over_the_router(make: Make, upstream: UpstreamThread):
    router = make(("m", "ok", {"top_p": 0.2}), default_litellm_params={"top_p": 0.1, "seed": 1, "user": "all"})
    router.completion("m", HI, seed=3)
    sent = upstream.requests[0].json
    assert (sent["top_p"], sent["seed"], sent["user"]) == (0.2, 3, "all")


def test_names(make: Make, upstream: UpstreamThread):
    router = make(
        ("gpt", "a"), ("gpt", "b"), ("openai/*", "*", None, {"id": "wild"}),
        model_group_alias={"short": "gpt", "secret": {"model": "gpt", "hidden": True}},
    )  # fmt: skip
    for name in ("short", "secret", "b"):
        router.completion(name, HI)
    assert asked(upstream)[2] == "b"
    router.completion("openai/tokens-3", HI)
    assert asked(upstream)[3] == "tokens-3"
    assert router.get_model_names() == ["gpt", "openai/*", "short"]
    assert router.model_names == {"gpt", "openai/*"}
    with pytest.raises(litellm.BadRequestError, match="There is no 'model_name' with this string"):
        router.completion("unknown", HI)
    assert (router.num_retries, router.routing_strategy) == (0, "simple-shuffle")
    assert not hasattr(router, "nonsense")


def test_where_calls_go(make: Make, upstream: UpstreamThread):
    weighted = make(("m", "a", {"weight": 1}), ("m", "b", {"weight": 0}))
    ordered = make(("m", "c", {"order": 2}), ("m", "d", {"order": 1}))
    costly = {"input_cost_per_token": 1.0, "output_cost_per_token": 1.0}
    cheap = {"input_cost_per_token": 1e-9, "output_cost_per_token": 1e-9}
    by_cost = make(("m", "e", costly), ("m", "f", cheap), routing_strategy="cost-based-routing")
    for router in (weighted, ordered, by_cost):
        for _ in range(3):
            router.completion("m", HI)
    assert asked(upstream) == ["a"] * 3 + ["d"] * 3 + ["f"] * 3
    assert by_cost.get_available_deployment("m")["litellm_params"]["model"] == "openai/f"


def test_usage_is_counted_also_of_streams(make: Make, upstream: UpstreamThread):
    router = make(("m", "a"), ("m", "b"), routing_strategy="usage-based-routing-v2")
    for stream in (True, False, True, False):
        made = router.completion("m", HI, stream=stream, stream_options={"include_usage": True} if stream else None)
        if stream:
            content(made)
    assert Counter(asked(upstream)) == {"a": 2, "b": 2}


def test_tags(make: Make, upstream: UpstreamThread):
    router = make(
        ("m", "free", {"tags": ["free"]}), ("m", "paid", {"tags": ["paid"]}),
        ("n", "plain"), ("n", "free-n", {"tags": ["free"]}),
        enable_tag_filtering=True,
    )  # fmt: skip
    router.completion("m", HI, metadata={"tags": ["paid"]})
    router.completion("m", HI, tags=["free"])
    router.completion("n", HI)
    assert asked(upstream) == ["paid", "free", "plain"]
    with pytest.raises(litellm.AuthenticationError, match="with tags"):
        router.completion("m", HI, tags=["other"])


# What follows a failure


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_another_deployment_is_tried(make: Make, upstream: UpstreamThread, asynchronous: bool, stream: bool):
    router = make(("m", "status-500", {"order": 1}), ("m", "ok", {"order": 2}), num_retries=1)

    async def called() -> Any:
        made = await router.acompletion("m", HI, stream=stream)
        if stream:
            assert [chunk async for chunk in made]
        return made

    made = asyncio.run(called()) if asynchronous else router.completion("m", HI, stream=stream)
    if stream and not asynchronous:
        assert content(made)
    assert asked(upstream) == ["status-500", "ok"]
    assert headers(made)["x-litellm-attempted-retries"] == 1


def test_a_synchronous_call_waits_before_it_asks_again(make: Make, upstream: UpstreamThread):
    router = make(("m", "fail-first-1"), num_retries=1, retry_after=0.3)
    router.completion("m", HI)
    first, second = upstream.requests
    assert second.at - first.at >= 0.3


def test_how_often(make: Make, upstream: UpstreamThread):
    policy = {"InternalServerErrorRetries": 2}
    for given, retries in ((policy, 2), (RetryPolicy(InternalServerErrorRetries=1), 1)):
        upstream.requests.clear()
        with pytest.raises(litellm.InternalServerError) as caught:
            make(("m", "status-500"), retry_policy=given, retry_after=0).completion("m", HI)
        assert (len(upstream.requests), caught.value.num_retries) == (retries + 1, retries)
    upstream.requests.clear()
    with pytest.raises(openai.InternalServerError):
        make(("m", "status-500"), num_retries=5).completion("m", HI, num_retries=0)
    assert len(upstream.requests) == 1


def test_fallbacks(make: Make, upstream: UpstreamThread):
    rows = (("bad", "status-500"), ("good", "ok"), ("other", "tokens-2"), ("alone", "status-503"))
    router = make(*rows, fallbacks=[{"bad": ["good"]}], default_fallbacks=["other"])
    made = router.completion("bad", HI)
    assert (headers(made)["x-litellm-attempted-fallbacks"], headers(made)["x-litellm-model-group"]) == (1, "good")
    router.completion("alone", HI)
    router.completion("bad", HI, fallbacks=["other"])
    router.completion("bad", HI, fallbacks=[{"model": "other", "max_tokens": 7}])
    assert upstream.requests[-1].json["max_tokens"] == 7
    assert "max_tokens" not in upstream.requests[-2].json
    router.completion("bad", HI, fallbacks=[{"bad": ["other"]}])
    assert asked(upstream) == ["status-500", "ok", "status-503", "tokens-2", *["status-500", "tokens-2"] * 3]
    with pytest.raises(litellm.InternalServerError):
        router.completion("bad", HI, disable_fallbacks=True)


@pytest.mark.parametrize(
    ("flag", "answers"),
    [
        ("mock_testing_fallbacks", "general"),
        ("mock_testing_context_fallbacks", "window"),
        ("mock_testing_content_policy_fallbacks", "policy"),
    ],
)
def test_fallbacks_can_be_tried_out(flag: str, answers: str):
    names = ("m", "general", "window", "policy")
    router = Router(
        [{"model_name": name, "litellm_params": {"model": f"openai/{name}", "mock_response": name}} for name in names],
        fallbacks=[{"m": ["general"]}],
        context_window_fallbacks=[{"m": ["window"]}],
        content_policy_fallbacks=[{"m": ["policy"]}],
    )
    assert router.completion("m", HI, **{flag: True}).choices[0].message.content == answers
    assert router.completion("m", HI, mock_response="mine").choices[0].message.content == "mine"
    own: dict[str, Any] = {"context_window_fallbacks": [{"m": ["policy"]}], "mock_testing_context_fallbacks": True}
    assert router.completion("m", HI, **own).choices[0].message.content == "policy"
    made = router.completion("m", HI, mock_testing_rate_limit_error=True, num_retries=1)
    assert headers(made)["x-litellm-attempted-fallbacks"] == 1


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_prompt_goes_where_it_fits(make: Make, upstream: UpstreamThread, asynchronous: bool):
    router = make(
        ("m", "small", None, {"id": "small", "max_input_tokens": 20}), ("m", "large", None, {"id": "large"}),
        ("n", "tiny", None, {"id": "tiny", "max_input_tokens": 20}),
        enable_pre_call_checks=True, context_window_fallbacks=[{"n": ["m"]}],
    )  # fmt: skip
    long = [{"role": "user", "content": "word " * 100}]
    for _ in range(4):
        for name in ("m", "n"):
            _ = asyncio.run(router.acompletion(name, long)) if asynchronous else router.completion(name, long)
    assert asked(upstream) == ["large"] * 8
    with pytest.raises(litellm.ContextWindowExceededError, match="no deployment of model=n takes so many"):
        router.completion("n", long, disable_fallbacks=True)
    router.completion("n", HI)
    assert asked(upstream)[-1] == "tiny"


def test_a_deployment_rests_and_is_forgotten(make: Make, upstream: UpstreamThread):
    router = make(("m", "status-401"), ("m", "status-429"), num_retries=2, cooldown_time=60)
    with pytest.raises((litellm.RateLimitError, litellm.AuthenticationError)):
        router.completion("m", HI)
    assert sorted(asked(upstream)) == ["status-401", "status-429"]
    with pytest.raises(litellm.RouterRateLimitError, match="No deployments available for selected model") as caught:
        router.completion("m", HI)
    assert caught.value.status_code == 429
    with pytest.raises(litellm.RouterRateLimitError):
        router.get_available_deployment("m")
    seen = len(upstream.requests)
    router.flush_cache()
    with pytest.raises((litellm.RateLimitError, litellm.AuthenticationError)):
        router.completion("m", HI)
    assert len(upstream.requests) > seen


def test_timeouts(make: Make):
    router = make(("m", "hang"), timeout=0.2)
    with pytest.raises(litellm.Timeout):
        router.completion("m", HI)
    with pytest.raises(litellm.Timeout):
        make(("m", "hang", {"stream_timeout": 60})).completion("m", HI, stream=True, timeout=0.2)


# Changes


def test_the_list_changes_while_calls_are_under_way(make: Make, upstream: UpstreamThread):
    router = make(("m", "delay-300", {"order": 2}), ("m", "status-401", {"order": 1}), num_retries=3, cooldown_time=60)

    async def calls() -> None:
        under_way = [asyncio.ensure_future(router.acompletion("m", HI)) for _ in range(8)]
        assert await asyncio.to_thread(wait_until, lambda: len(upstream.asked("delay-300")) == 8)
        router.set_model_list([row(upstream, "m", "status-401", {"order": 1}), row(upstream, "m", "ok", {"order": 2})])
        assert all(made.choices[0].message.content for made in await asyncio.gather(*under_way))
        for _ in range(10):
            await router.acompletion("m", HI)

    asyncio.run(calls())
    assert len(upstream.asked("ok")) == 10
    refused = len(upstream.asked("status-401"))
    assert refused >= 1 and upstream.asked("status-401")[-1].at < upstream.asked("ok")[0].at  # it rests still


def test_one_deployment_comes_changes_and_goes(make: Make, upstream: UpstreamThread):
    router = make(("m", "a"))
    params = LiteLLM_Params(model="openai/b", api_base=upstream.base_url, api_key="sk-b")
    added = router.add_deployment(Deployment(model_name="n", litellm_params=params, model_info={"id": "b"}))  # type: ignore[arg-type]
    assert added is not None and (added.model_name, added["model_info"]["id"]) == ("n", "b")
    assert router.add_deployment(row(upstream, "n", "b")) is None
    router.completion("n", HI)
    changed = row(upstream, "n", "b", {"api_key": "sk-c"})
    assert router.upsert_deployment(changed) is not None
    assert router.upsert_deployment(changed) is None
    router.completion("n", HI)
    assert [one.headers["authorization"] for one in upstream.requests] == ["Bearer sk-b", "Bearer sk-c"]
    assert router.upsert_deployment(row(upstream, "o", "c")) is not None
    assert [one["model_name"] for one in router.get_model_list()] == ["m", "n", "o"]
    assert router.get_model_ids("n") == ["b"]
    found = router.get_deployment("b")
    assert found is not None and found.litellm_params.api_key == "sk-c"
    assert router.delete_deployment("b") is not None
    assert router.delete_deployment("b") is None and router.get_deployment("b") is None
    with pytest.raises(litellm.BadRequestError):
        router.completion("n", HI)
    with pytest.raises(ValueError, match=r"deployment\.model_name"):
        router.add_deployment({"litellm_params": {"model": "openai/m"}})


def test_whoever_asks_while_the_list_changes_gets_one_that_was_served(make: Make, upstream: UpstreamThread):
    lists = [[row(upstream, "m", name, None, {"id": name + str(number)}) for name in "abc"] for number in range(2)]
    router = make()
    router.set_model_list(lists[0])
    stop = threading.Event()

    def change() -> None:
        while not stop.wait(0.0005):  # a lock that is let go and taken at once is never anybody else's
            for one in lists:
                router.set_model_list(one)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(2000):
            assert router.get_available_deployment("m")["model_name"] == "m"
            assert len(router.get_model_list("m")) == 3
    finally:
        stop.set()
        changing.join(30)


def test_what_a_group_is(make: Make):
    router = make(("m", "gpt-4o", {"rpm": 5}), ("m", "own", {"rpm": 7, "input_cost_per_token": 1.0}))
    info = router.get_model_group_info("m")
    assert info is not None
    assert (info.providers, info.rpm, info.tpm, info["input_cost_per_token"]) == (["openai"], 12, None, 1.0)
    assert info.max_input_tokens and info.get("supports_vision") is True
    assert router.get_model_group_info("n") is None


def test_an_id_is_the_same_for_the_same_deployment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("A_KEY", "sk-1")
    rows = [{"model_name": "m", "litellm_params": {"model": "openai/m", "api_key": "os.environ/A_KEY"}}]
    first, second = Router(rows).model_list, Router(rows).model_list
    assert first == second and first[0]["litellm_params"]["api_key"] == "os.environ/A_KEY"
    assert "model_info" not in rows[0]


def test_settings(make: Make, upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch):
    router = make(("bad", "status-500"), ("good", "ok"))
    router.update_settings(fallbacks=[{"bad": ["good"]}], num_retries=1, retry_after=0)
    router.completion("bad", HI)
    assert asked(upstream) == ["status-500", "status-500", "ok"]
    assert router.get_settings()["num_retries"] == 1
    with pytest.raises(ValueError, match="cannot change redis_host"):
        router.update_settings(redis_host="h")
    with pytest.raises(ValueError, match="routing_strategy"):
        router.update_settings(routing_strategy="x")
    assert router.get_settings()["routing_strategy"] == "simple-shuffle"
    monkeypatch.setattr(litellm, "num_retries", 3)
    monkeypatch.setattr(litellm, "default_fallbacks", ["good"])
    assert Router([]).num_retries == 3 and Router([]).default_fallbacks == ["good"]


# Around a call


class Recorder(CustomLogger):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.heard.append(("success", kwargs))

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.heard.append(("failure", kwargs))

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.heard.append(("async success", kwargs))

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.heard.append(("async failure", kwargs))


@pytest.mark.parametrize("asynchronous", [False, True])
def test_callbacks_are_told_of_each_attempt(make: Make, monkeypatch: pytest.MonkeyPatch, asynchronous: bool):
    recorder = Recorder()
    monkeypatch.setattr(litellm, "callbacks", [recorder])
    router = make(("m", "status-500", {"order": 1}), ("m", "ok", {"order": 2}), num_retries=1)
    given: dict[str, Any] = {"metadata": {"mine": 1}}
    _ = asyncio.run(router.acompletion("m", HI, **given)) if asynchronous else router.completion("m", HI, **given)
    assert delivery.flush(20)
    prefix = "async " if asynchronous else ""
    assert [kind for kind, _ in recorder.heard if kind.startswith("async") == asynchronous] == [
        f"{prefix}failure", f"{prefix}success",
    ]  # fmt: skip
    told = [kwargs for kind, kwargs in recorder.heard if kind.startswith("async") == asynchronous]
    assert [kwargs["standard_logging_object"]["model_group"] for kwargs in told] == ["m", "m"]
    assert [kwargs["litellm_params"]["model_info"]["id"] for kwargs in told] == ["status-500", "ok"]
    assert told[1]["standard_logging_object"]["model_id"] == "ok"
    assert {kwargs["litellm_params"]["metadata"]["mine"] for kwargs in told} == {1}
    assert len({kwargs["litellm_trace_id"] for kwargs in told}) == 1
    assert given == {"metadata": {"mine": 1}}


def test_what_is_put_in_the_place_of_the_functions_is_called(make: Make):
    router = make(("m", "ok"))
    with mock.patch("litellm.completion", autospec=True, return_value="theirs") as completion:
        assert router.completion("m", HI) == "theirs"
    assert completion.call_args.kwargs["model"] == "openai/ok"
    with mock.patch.object(litellm.router.Router, "acompletion", autospec=True, return_value="all"):
        assert asyncio.run(router.acompletion("m", HI)) == "all"
    broken = litellm.RateLimitError(message="no", llm_provider="openai", model="m")
    fake = mock.AsyncMock(side_effect=[broken, "second"])
    with mock.patch("litellm.acompletion", fake):
        two = make(("m", "a"), ("m", "b"), num_retries=1)
        assert asyncio.run(two.acompletion("m", HI)) == "second"


def test_batches(make: Make):
    router = make(("a", "tokens-1"), ("b", "status-400"), ("c", "hang"))
    one = asyncio.run(router.abatch_completion(["a", "b"], HI))
    assert one[0].choices and isinstance(one[1], litellm.BadRequestError)
    two = asyncio.run(router.abatch_completion(["a"], [HI, HI]))
    assert [len(answers) for answers in two] == [1, 1]
    made = asyncio.run(router.abatch_completion_fastest_response("c, a, b", HI))
    assert made._hidden_params["model_id"] == "tokens-1"


def test_from_several_threads_and_loops(make: Make, upstream: UpstreamThread):
    router = make(("m", "delay-50", {"max_parallel_requests": 3}), num_retries=0)
    made: list[Any] = []
    refused: list[Exception] = []

    def calls(asynchronous: bool) -> None:
        for _ in range(5):
            try:
                made.append(asyncio.run(router.acompletion("m", HI)) if asynchronous else router.completion("m", HI))
            except litellm.RateLimitError as error:
                refused.append(error)
            except litellm.RouterRateLimitError as error:
                refused.append(error)

    threads = [threading.Thread(target=calls, args=(number % 2 == 0,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert made and refused and len(made) + len(refused) == 40
    times = sorted((at, step) for one in upstream.requests for at, step in ((one.at, 1), (one.answered_at or 0.0, -1)))
    busy = most = 0
    for _, step in times:
        busy += step
        most = max(most, busy)
    assert 1 <= most <= 3
    state = router._routed.deployments.all[0].state  # pyright: ignore[reportPrivateUsage]
    assert state is not None and state.inflight == 0


def test_a_stream_holds_its_slot_until_it_ends_or_is_dropped(make: Make, upstream: UpstreamThread):
    router = make(("m", "endless", {"max_parallel_requests": 1}))
    stream = router.completion("m", HI, stream=True)
    next(stream)
    with pytest.raises(litellm.RouterRateLimitError):
        router.completion("m", HI, stream=True)
    del stream
    assert upstream.wait(lambda: upstream.requests[0].disconnected)
    state = router._routed.deployments.all[0].state  # pyright: ignore[reportPrivateUsage]
    assert state is not None and wait_until(lambda: state.inflight == 0)


def test_a_stream_that_is_kept_in_the_cache_holds_its_slot_until_it_ends(make: Make, upstream: UpstreamThread):
    litellm.enable_cache()
    try:
        router = make(("m", "ok", {"max_parallel_requests": 1, "tpm": 10**6}))
        state = router._routed.deployments.all[0].state  # pyright: ignore[reportPrivateUsage]
        assert state is not None
        stream = router.completion("m", HI, stream=True, stream_options={"include_usage": True})
        next(stream)
        assert state.inflight == 1
        list(stream)
        assert wait_until(lambda: state.inflight == 0 and state.tokens > 0)
    finally:
        litellm.disable_cache()


def test_a_stream_that_breaks_is_its_deployments_failure(make: Make, upstream: UpstreamThread):
    router = make(("m", "reset-mid-body", {"order": 1}), ("m", "ok", {"order": 2}))
    with pytest.raises(litellm.APIConnectionError):
        list(router.completion("m", HI, stream=True))
    states = [one.state for one in router._routed.deployments.all]  # pyright: ignore[reportPrivateUsage]
    assert [state and state.failed for state in states] == [1, 0]
