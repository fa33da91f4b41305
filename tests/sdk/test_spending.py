"""Budgets in `litellm.Router`: what its calls cost, and where they go when the money is spent."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

import litellm
from litellm import Router
from litellm.unbuilt import NotBuilt
from support import bodies
from support.redis import RedisServer
from support.redis import redis as redis
from support.upstream import UpstreamThread, wait_until

HI = [{"role": "user", "content": "hi"}]
PRICES = {"input_cost_per_token": 2e-6, "output_cost_per_token": 1e-5}
USED = bodies.usage(bodies.TOKENS)
COST = 2_000 * USED["prompt_tokens"] + 10_000 * USED["completion_tokens"]
"""Nano-dollars of one call."""
LARGE = {"budget_limit": 1000, "time_period": "1mo"}
SMALL = {"budget_limit": 1e-9, "time_period": "1mo"}
"""Enough for one call."""

Make = Callable[..., Router]


@pytest.fixture
def make(upstream: UpstreamThread) -> Make:
    """`make(("group", "provider/model", {params}), ..., **settings)`"""

    def made(*rows: tuple[Any, ...], **settings: Any) -> Router:
        return Router([row(upstream, *given) for given in rows], **{"num_retries": 2, **settings})

    return made


def row(upstream: UpstreamThread, group: str, model: str, params: Any = None) -> dict[str, Any]:
    own = {"model": model, "api_base": upstream.base_url, "api_key": "k", **PRICES, **(params or {})}
    return {"model_name": group, "litellm_params": own, "model_info": {"id": model}}


def spent(router: Router) -> dict[str, int]:
    return {one.id: one.spent for one in router._spending.standings()}  # pyright: ignore[reportPrivateUsage]


def settled(router: Router, **wanted: int) -> bool:
    """Once what streams have cost is known: they end in a loop of their own."""
    named = {name.replace("__", ":"): nano for name, nano in wanted.items()}
    return wait_until(lambda: spent(router) == named)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_another_provider_serves_and_then_nobody(make: Make, upstream: UpstreamThread, asynchronous: bool):
    budgets = {"openai": SMALL, "groq": {"max_budget": 1e-9, "budget_duration": "1mo"}}
    router = make(("m", "openai/ok", {"order": 1}), ("m", "groq/ok", {"order": 2}), provider_budget_config=budgets)

    def ask() -> str:
        made = asyncio.run(router.acompletion("m", HI)) if asynchronous else router.completion("m", HI)
        return made._hidden_params["model_id"]

    assert [ask(), ask()] == ["openai/ok", "groq/ok"]
    assert spent(router) == {"provider:openai": COST, "provider:groq": COST}
    with pytest.raises(litellm.RateLimitError, match="Exceeded budget for provider openai: ") as caught:
        ask()
    assert (caught.value.status_code, caught.value.rate_limit_type) == (429, "budget")
    with pytest.raises(litellm.RateLimitError, match="crossed budget for provider"):
        router.get_available_deployment("m")
    assert len(upstream.requests) == 2
    router.reset()
    with pytest.raises(litellm.RateLimitError, match="crossed budget"):
        ask()


def test_a_fallback_has_money_left(make: Make, upstream: UpstreamThread):
    rows = ("m", "openai/ok", {"max_budget": 1e-9, "budget_duration": "1d"}), ("other", "groq/ok")
    router = make(*rows, fallbacks=[{"m": ["other"]}])
    answers = [router.completion("m", HI)._hidden_params for _ in range(2)]
    assert [hidden["model_id"] for hidden in answers] == ["openai/ok", "groq/ok"]
    assert answers[1]["additional_headers"]["x-litellm-attempted-fallbacks"] == 1
    assert not [name for one in upstream.requests for name in ("max_budget", "budget_duration") if name in one.json]


def test_text_completions_and_embeddings_count_too(make: Make):
    router = make(("m", "openai/ok"), provider_budget_config={"openai": LARGE})
    made = [router.text_completion("m", "hi"), router.embedding("m", input=["hi"])]
    total = sum(one._hidden_params["response_cost"] for one in made)
    assert spent(router) == {"provider:openai": round(total * 1e9)} and total > 0


@pytest.mark.parametrize("model", ["openai/ok", "openai/stream-usage-in-finish"])
@pytest.mark.parametrize("wanted", [False, True])
def test_a_stream_counts_and_shows_its_usage_only_to_whoever_asked(
    make: Make, upstream: UpstreamThread, model: str, wanted: bool
):
    router = make(("m", model), provider_budget_config={"openai": LARGE})
    options = {"stream_options": {"include_usage": True}} if wanted else {}
    chunks = [*router.completion("m", HI, stream=True, **options)]
    assert settled(router, provider__openai=COST)
    assert upstream.requests[-1].json["stream_options"] == {"include_usage": True}
    if model == "openai/ok":
        assert any(getattr(chunk, "usage", None) for chunk in chunks) is wanted

    async def another() -> int:
        made = await router.acompletion("m", HI, stream=True, **options)
        return len([chunk async for chunk in made])

    assert asyncio.run(another()) == len(chunks)
    assert settled(router, provider__openai=2 * COST)


def test_a_stream_that_tells_nothing_costs_its_prompt_and_its_chunks(make: Make):
    router = make(("m", "openai/stream-no-usage"), ("cut", "groq/ok"), provider_budget_config={"openai": LARGE})
    chunks = [*router.completion("m", HI, stream=True)]
    [nano] = [lambda: spent(router)["provider:openai"]]
    assert wait_until(lambda: nano() > 0)
    prompt, rest = divmod(nano() - 10_000 * len(chunks), 2_000)
    assert 0 < prompt < 20 and rest == 0
    before = nano()
    stream = router.completion("m", HI, stream=True)
    next(stream)
    stream.close()
    assert wait_until(lambda: nano() > before)
    assert nano() - before == 2_000 * prompt + 10_000 * len(stream.chunks)


def test_a_cached_answer_costs_nothing(make: Make):
    router = make(("m", "openai/ok"), provider_budget_config={"openai": LARGE}, cache_responses=True)
    for _ in range(3):
        router.completion("m", HI, caching=True)
    assert spent(router) == {"provider:openai": COST}
    for _ in range(2):
        assert [*router.completion("m", HI, caching=True, stream=True)]
    assert settled(router, provider__openai=COST)


def test_what_has_no_price_costs_nothing(upstream: UpstreamThread):
    params = {"model": "openai/ok", "api_base": upstream.base_url, "api_key": "k"}
    rows = [{"model_name": "m", "litellm_params": params}]
    router = Router(rows, provider_budget_config={"openai": SMALL})
    for _ in range(3):
        router.completion("m", HI)
    assert spent(router) == {"provider:openai": 0}


def test_a_changed_list_keeps_the_sums(make: Make, upstream: UpstreamThread):
    router = make(("m", "openai/ok", {"max_budget": 1e-9}), provider_budget_config={"openai": LARGE})
    router.completion("m", HI)
    router.add_deployment(row(upstream, "m", "groq/ok"))
    assert spent(router) == {"provider:openai": COST, "deployment:openai/ok": COST}
    assert router.completion("m", HI)._hidden_params["model_id"] == "groq/ok"
    router.upsert_deployment(row(upstream, "m", "openai/ok", {"max_budget": 1}))
    router.delete_deployment("groq/ok")
    assert router.completion("m", HI)._hidden_params["model_id"] == "openai/ok"
    assert spent(router) == {"provider:openai": 2 * COST, "deployment:openai/ok": 2 * COST}


def test_another_budget_makes_no_other_deployment(upstream: UpstreamThread):
    def id_with(**params: Any) -> str:
        own = {"model": "openai/ok", "api_base": upstream.base_url, "api_key": "k", **params}
        [id] = Router([{"model_name": "m", "litellm_params": own}]).get_model_ids()
        return id

    assert id_with() == id_with(max_budget=1) == id_with(max_budget=2, budget_duration="1d") != id_with(rpm=3)


def test_whoever_waits_in_line_does_not_wait_for_another_day(make: Make):
    router = make(("m", "openai/ok"), provider_budget_config={"openai": SMALL})
    router.completion("m", HI, priority=0)
    with pytest.raises(litellm.RateLimitError, match="crossed budget"):
        router.completion("m", HI, priority=0, timeout=60)


def test_calls_of_many_threads_all_count(make: Make):
    router = make(("m", "openai/ok"), provider_budget_config={"openai": LARGE})
    threads = [Thread(target=lambda: [router.completion("m", HI) for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert spent(router) == {"provider:openai": 40 * COST}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"provider_budget_config": {"openai": {"budget_limit": 1, "time_period": "x"}}},
         "provider_budget_config.openai: 'x' is no duration"),
        ({"provider_budget_config": {"openai": {}}}, "provider_budget_config.openai: expected a budget in dollars"),
        ({"model_list": [{"model_name": "m", "litellm_params": {"model": "openai/m", "max_budget": -1}}]},
         r"model_list\[0\].litellm_params.max_budget"),
        ({"model_list": [{"model_name": "m", "litellm_params": {"model": "openai/m", "max_budget": 1,
                                                                 "budget_duration": "x"}}]},
         r"model_list\[0\].litellm_params.max_budget: 'x' is no duration"),
    ],
)  # fmt: skip
def test_a_budget_that_is_none_is_refused(given: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said) as caught:
        Router(**given)
    assert not isinstance(caught.value, NotBuilt)


CHILD = """
import json, sys, litellm
rows, settings = json.loads(sys.stdin.readline())
router = litellm.Router(rows, **settings)
router.completion("m", [{"role": "user", "content": "hi"}])
print("called", flush=True)
sys.stdin.readline()
"""


def test_another_process_has_spent_it(upstream: UpstreamThread, redis: RedisServer):
    rows = [row(upstream, "m", "openai/ok", {"order": 1}), row(upstream, "m", "groq/ok", {"order": 2})]
    settings = {"redis_url": redis.url, "provider_budget_config": {"openai": SMALL}}
    router = Router(rows, **settings)
    assert router._resting is not None  # pyright: ignore[reportPrivateUsage]
    router._resting.started()  # as its first call would: it begins to listen  # pyright: ignore[reportPrivateUsage]
    assert spent(router) == {"provider:openai": 0}
    done = subprocess.run(
        [sys.executable, "-c", CHILD], input=json.dumps([rows, settings]) + "\n", text=True, timeout=60,
        capture_output=True, env={**os.environ},
    )  # fmt: skip
    assert done.stdout == "called\n", done.stderr
    assert settled(router, provider__openai=COST)
    assert router.completion("m", HI)._hidden_params["model_id"] == "groq/ok"
    router.discard()


def test_a_star_is_held_to_the_budget_of_the_provider_that_it_is_asked_for(make: Make):
    budgets = {"groq": SMALL, "openai": SMALL}
    router = make(("*", "*"), provider_budget_config=budgets)
    made = router.completion("groq/ok", HI)
    assert made._hidden_params["custom_llm_provider"] == "groq"
    assert spent(router) == {"provider:openai": 0, "provider:groq": COST}
    with pytest.raises(litellm.RateLimitError, match="Exceeded budget for provider groq: "):
        router.completion("groq/split-7", HI)
    router.completion("openai/ok", HI)
    assert spent(router) == {"provider:openai": COST, "provider:groq": COST}
    router.completion("openrouter/ok", HI)  # which has no budget


def test_a_star_without_budgets_goes_where_the_name_says(make: Make, upstream: UpstreamThread):
    router = make(("*", "*"))
    made = router.completion("groq/ok", HI)
    assert (made._hidden_params["custom_llm_provider"], upstream.requests[-1].json["model"]) == ("groq", "ok")


def test_of_one_that_is_listed_twice_the_lesser_budget_holds(make: Make):
    router = make(("m", "openai/ok", {"max_budget": 5}), ("m", "openai/ok", {"max_budget": 1e-9}))
    router.completion("m", HI)
    with pytest.raises(litellm.RateLimitError, match="Exceeded budget for deployment openai/ok"):
        router.completion("m", HI)


@pytest.mark.parametrize("written", ["x", [1], 5])
def test_budgets_that_are_no_table_are_named(make: Make, written: Any):
    with pytest.raises(ValueError, match="provider_budget_config: expected"):
        make(("m", "openai/ok"), provider_budget_config=written)


def test_what_cannot_be_a_budget_leaves_the_list_as_it_is(make: Make, upstream: UpstreamThread):
    router = make(("m", "openai/ok", {"max_budget": 1e-9}))
    router.completion("m", HI)
    for params in ({"max_budget": 1, "budget_duration": "999999w"}, {"max_budget": 1e20}):
        with pytest.raises(ValueError, match="max_budget"):
            router.set_model_list([row(upstream, "m", "openai/ok", params)])
    with pytest.raises(litellm.RateLimitError):
        router.completion("m", HI)
    assert spent(router) == {"deployment:openai/ok": COST}
