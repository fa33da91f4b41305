"""`/health`: every deployment is really asked one small thing, several at a time."""

import asyncio
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request

from litellm import exceptions as e
from litellm.engine.engine import Engine
from litellm.proxy.admin import schemas
from litellm.proxy.errors import ProxyError
from litellm.router.deployments import Deployment
from litellm.types.calls import Ask, Json, Op

if TYPE_CHECKING:
    from litellm.proxy.app import Gateway

AT_ONCE: Final = 10
SECONDS: Final = 60.0

_ASKED: Final[dict[str, tuple[Op, Json]]] = {
    "chat": ("chat", {"messages": [{"role": "user", "content": "What's 1 + 1?"}], "max_tokens": 16}),
    "completion": ("completion", {"prompt": "1 + 1 =", "max_tokens": 16}),
    "embedding": ("embedding", {"input": ["1 + 1"]}),
}

router = APIRouter(tags=["health"], responses=schemas.INVALID)


@router.get("/health", summary="Ask every deployment something")
async def health(request: Request, model: str | None = None) -> Json:
    """Calls are made, and may cost. `model` is a model_name or a deployment's own `provider/model`; default: all."""
    gateway: Gateway = request.app.state.gateway
    deployments = gateway.snapshot.router.deployments.all
    wanted = [one for one in deployments if model in (None, one.model_name, _model(one))]
    if model is not None and not wanted:
        raise ProxyError(404, f"The model '{model}' does not exist", "not_found_error", "model")
    return await check(gateway.engine, wanted)


async def check(engine: Engine, deployments: list[Deployment]) -> Json:
    """LiteLLM's answer shape; wildcards are left out, for there is no model to ask."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(deployment: Deployment) -> Json:
        async with gate:
            return await _problem(engine, deployment)

    asked = [deployment for deployment in deployments if "*" not in deployment.target.model]
    problems = await asyncio.gather(*(one(deployment) for deployment in asked))
    rows = [(_row(deployment), problem) for deployment, problem in zip(asked, problems, strict=True)]
    healthy = [row for row, problem in rows if not problem]
    unhealthy = [{**row, **problem} for row, problem in rows if problem]
    return {
        "healthy_endpoints": healthy,
        "unhealthy_endpoints": unhealthy,
        "healthy_count": len(healthy),
        "unhealthy_count": len(unhealthy),
    }


async def _problem(engine: Engine, deployment: Deployment) -> Json:
    """Asks once; empty if there was an answer."""
    mode: str = deployment.info.get("mode") or "chat"
    if mode not in _ASKED:
        return {"error": f"models of mode {mode} cannot be checked yet", "status_code": 501}
    op, params = _ASKED[mode]
    ask = Ask(op, deployment.model_name, dict(params), call_id="health-check")
    try:
        async with asyncio.timeout(SECONDS):
            await engine.send(deployment.call(ask))
    except e.LiteLLMError as error:
        return {"error": error.message, "status_code": error.status_code}
    except TimeoutError:
        return {"error": f"no answer within {SECONDS:.0f} s", "status_code": 408}
    return {}


def _model(deployment: Deployment) -> str:
    return f"{deployment.target.provider}/{deployment.target.model}"


def _row(deployment: Deployment) -> Json:
    return {
        "model": _model(deployment),
        "api_base": deployment.address,
        "model_name": deployment.model_name,
        "model_id": deployment.id,
    }
