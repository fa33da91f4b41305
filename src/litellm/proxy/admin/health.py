"""`/health`: every deployment is really asked one small thing, several at a time."""

import asyncio
from typing import Any, Final

from litellm import exceptions as e
from litellm.engine.engine import Engine
from litellm.router.deployments import Deployment
from litellm.types.calls import Ask, Json, Op

AT_ONCE: Final = 10
SECONDS: Final = 60.0

_CHAT: Final[Json] = {"messages": [{"role": "user", "content": "What's 1 + 1?"}], "max_tokens": 16}
_ASKED: Final[dict[str, tuple[Op, Json]]] = {
    "chat": ("chat", _CHAT),
    "completion": ("completion", {"prompt": "1 + 1 =", "max_tokens": 16}),
    "embedding": ("embedding", {"input": ["1 + 1"]}),
}


async def check(engine: Engine, deployments: list[Deployment]) -> Json:
    """LiteLLM's answer shape; wildcards are left out, for there is no model to ask."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(deployment: Deployment) -> Json | None:
        async with gate:
            return await _problem(engine, deployment)

    asked = [deployment for deployment in deployments if "*" not in deployment.target.model]
    problems = await asyncio.gather(*(one(deployment) for deployment in asked))
    rows = [(_row(deployment), problem) for deployment, problem in zip(asked, problems, strict=True)]
    healthy = [row for row, problem in rows if problem is None]
    unhealthy = [{**row, **problem} for row, problem in rows if problem is not None]
    return {
        "healthy_endpoints": healthy,
        "unhealthy_endpoints": unhealthy,
        "healthy_count": len(healthy),
        "unhealthy_count": len(unhealthy),
    }


async def _problem(engine: Engine, deployment: Deployment) -> Json | None:
    mode: Any = deployment.info.get("mode") or "chat"
    if mode not in _ASKED:
        return {"error": f"mode {mode} cannot be checked yet", "status_code": 501}
    op, params = _ASKED[mode]
    ask = Ask(op, deployment.model_name, dict(params), call_id="health-check")
    try:
        async with asyncio.timeout(SECONDS):
            await engine.send(deployment.call(ask))
    except e.LiteLLMError as error:
        return {"error": error.message, "status_code": error.status_code}
    except TimeoutError:
        return {"error": f"no answer within {SECONDS:.0f} s", "status_code": 408}
    return None


def _row(deployment: Deployment) -> Json:
    target = deployment.target
    return {
        "model": f"{target.provider}/{target.model}",
        "api_base": target.base_url,
        "model_name": deployment.model_name,
        "model_id": deployment.id,
    }
