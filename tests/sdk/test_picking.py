"""`Router.set_custom_routing_strategy`: the caller's own object says who serves a call."""

import asyncio
from typing import Any

import pytest

import litellm
from litellm import Router
from litellm.router import CustomRoutingStrategyBase
from support.upstream import UpstreamThread

HI = [{"role": "user", "content": "hi"}]


class By(CustomRoutingStrategyBase):
    """By a call's metadata; the answer may be anything that a Router lists, or None."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.asked: list[Any] = []

    def get_available_deployment(self, model: str, messages: Any = None, input: Any = None, specific_deployment: Any = False, request_kwargs: Any = None) -> Any:  # fmt: skip  # noqa: E501
        self.asked.append((model, messages or input))
        wanted = (request_kwargs.get("metadata") or {}).get("to")
        if wanted == "nobody's":
            raise LookupError(wanted)
        return next((one for one in self.router.model_list if one["model_info"]["id"] == wanted), None)

    async def async_get_available_deployment(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return self.get_available_deployment(*args, **kwargs)


@pytest.fixture
def router(upstream: UpstreamThread) -> Router:
    rows = ("m", "a"), ("m", "b"), ("m", "status-401"), ("n", "c")
    router = Router(
        [
            {
                "model_name": group,
                "litellm_params": {"model": f"openai/{model}", "api_base": upstream.base_url, "api_key": "k"},
                "model_info": {"id": model},
            }
            for group, model in rows
        ],
        num_retries=2,
        cooldown_time=60,
    )
    router.set_custom_routing_strategy(By(router))
    return router


def test_the_picked_one_serves(router: Router, upstream: UpstreamThread):
    async def calls() -> None:
        for to in ("a", "b", "c"):
            made = await router.acompletion("m", HI, metadata={"to": to})
            assert made._hidden_params["model_id"] == to

    for to in ("b", "b", "a", "c"):
        assert router.completion("m", HI, metadata={"to": to})._hidden_params["model_id"] == to
    asyncio.run(calls())
    router.embedding("m", ["a"], metadata={"to": "b"})
    assert [request.json["model"] for request in upstream.requests] == ["b", "b", "a", "c", "a", "b", "c", "b"]


def test_one_of_another_group_is_that_groups_in_all(router: Router, upstream: UpstreamThread):
    litellm.enable_cache()
    try:
        for to, hit in (("c", False), ("a", False), ("c", True), ("b", True)):
            made = router.completion("m", HI, metadata={"to": to})
            assert made._hidden_params.get("cache_hit", False) == hit
            group = made._hidden_params["additional_headers"]["x-litellm-model-group"]
            assert group == ("n" if to == "c" else "m")
    finally:
        litellm.disable_cache()
    assert [request.json["model"] for request in upstream.requests] == ["c", "a"]


def test_who_rests_is_not_asked_and_others_follow_a_failure(router: Router, upstream: UpstreamThread):
    for _ in range(3):
        made = router.completion("m", HI, metadata={"to": "status-401"})
        assert made._hidden_params["model_id"] in ("a", "b")
    assert len(upstream.asked("status-401")) == 1


def test_without_an_answer_the_router_chooses_and_an_error_is_the_callers(router: Router):
    assert router.completion("m", HI)._hidden_params["model_id"]
    with pytest.raises(LookupError):
        router.completion("m", HI, metadata={"to": "nobody's"})
    with pytest.raises(LookupError):
        asyncio.run(router.acompletion("m", HI, metadata={"to": "nobody's"}))


def test_who_would_serve(router: Router):
    for to in ("a", "b"):
        found = router.get_available_deployment("m", request_kwargs={"metadata": {"to": to}})
        assert found["model_info"]["id"] == to
        waited = router.async_get_available_deployment("m", {"metadata": {"to": to}}, HI)
        assert asyncio.run(waited)["model_info"]["id"] == to
    router.update_settings(num_retries=0)
    assert router.completion("m", HI, metadata={"to": "b"})._hidden_params["model_id"] == "b"
    with pytest.raises(litellm.BadRequestError):
        router.get_available_deployment("unknown")


@pytest.mark.parametrize(
    "more",
    [
        {"litellm_session_id": "mine"},
        {"metadata": {"session_id": "mine"}},
        {"prompt_cache_key": "mine"},
        {"long": True},
    ],
)
def test_calls_that_belong_together_go_to_one_deployment(upstream: UpstreamThread, more: dict[str, Any]):
    params = {"api_base": upstream.base_url, "api_key": "k"}
    rows = [{"model_name": "m", "litellm_params": {"model": f"openai/{one}", **params}} for one in "abcdefgh"]
    router = Router(rows, optional_pre_call_checks=["session_affinity", "prompt_caching", "enforce_model_rate_limits"])
    prompt = [{"role": "system", "content": "long " * 1000}, *HI] if more.pop("long", False) else HI

    def served(**given: Any) -> set[str]:
        made = [router.completion("m", prompt, **given) for _ in range(6)]
        made += [asyncio.run(router.acompletion("m", prompt, **given)) for _ in range(6)]
        return {one._hidden_params["model_id"] for one in made}

    (same,) = served(**more)
    assert router.get_available_deployment("m", prompt, request_kwargs=more)["model_info"]["id"] == same
    assert len({router.completion("m", HI)._hidden_params["model_id"] for _ in range(24)}) > 1
    router.delete_deployment(same)
    (other,) = served(**more)
    assert other != same
