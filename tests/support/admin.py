"""Asking a gateway's management routes, and making calls that cost something."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from litellm.proxy.admin import (
    activity,
    audit,
    budgets,
    credentials,
    customers,
    deployments,
    events,
    providers,
    spend,
    tags,
    totals,
    utilities,
)
from support.gateway import Gateway
from support.upstream import UpstreamThread

HI: Final = [{"role": "user", "content": "hi"}]
INPUT, OUTPUT = 2_000, 10_000  # nano-dollars per token


def config(upstream: UpstreamThread, *models: str, **general: Any) -> str:
    """A config whose models are the upstream's `ok`, at INPUT and OUTPUT."""
    prices = {"input_cost_per_token": INPUT / 1e9, "output_cost_per_token": OUTPUT / 1e9}
    params = {"model": "openai/ok", "api_base": upstream.base_url, "api_key": "k", **prices}
    return json.dumps(
        {
            "model_list": [{"model_name": name, "litellm_params": params} for name in models or ("m",)],
            "general_settings": {"master_key": "sk-1234", **general},
            "litellm_settings": {"num_retries": 0},
        }
    )


@cache
def described() -> list[tuple[str, Any, TypeAdapter[Any]]]:
    """(method, pattern of its path, answer) of the routes that say what they answer."""
    found: list[tuple[str, Any, TypeAdapter[Any]]] = []
    for part in (
        activity, audit, budgets, credentials, customers, deployments, events, providers, spend, tags, totals,
        utilities,
    ):  # fmt: skip
        for route in part.router.routes:
            assert isinstance(route, APIRoute)
            answer = TypeAdapter(route.responses[200]["model"])
            found += [(method, route.path_regex, answer) for method in route.methods]
    return found


def check(method: str, path: str, answer: Any) -> None:
    """Raises ValidationError for an answer that is not as OpenAPI says."""
    for verb, pattern, model in described():
        if verb == method and pattern.match(path.partition("?")[0]):
            model.validate_python(answer)
            return


def ask(gateway: Gateway, method: str, path: str, body: Any = None, key: str = "sk-1234") -> tuple[int, Any]:
    """Status and answer, which is as OpenAPI says."""
    data = None if body is None else json.dumps(body).encode()
    told = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(gateway.origin + path, data, told, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            said = json.load(answer)
            check(method, path, said)
            return answer.status, said
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def get(gateway: Gateway, path: str) -> Any:
    status, answer = ask(gateway, "GET", path)
    assert status == 200, answer
    return answer


def post(gateway: Gateway, path: str, body: Any) -> Any:
    status, answer = ask(gateway, "POST", path, body)
    assert status == 200, answer
    return answer


def refused(gateway: Gateway, path: str, body: Any, method: str = "POST") -> tuple[int, str | None]:
    """Status and the field that the error names."""
    status, answer = ask(gateway, method, path, body)
    assert status >= 400, answer
    return status, answer["error"]["param"]


def chat(gateway: Gateway, model: str = "m", key: str = "sk-1234", **more: Any) -> tuple[int, Any]:
    return ask(gateway, "POST", "/v1/chat/completions", {"model": model, "messages": HI, **more}, key)


def cost_of(answer: Any) -> float:
    usage = answer["usage"]
    return (usage["prompt_tokens"] * INPUT + usage["completion_tokens"] * OUTPUT) / 1e9


def until(found: Callable[[], Any], seconds: float = 20) -> Any:
    """What `found` gives, once it is true."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)
    return value
