"""`/model/info` and `/model_group/info`: what the config says of each deployment and group, secrets left out.

What is shown is named here, field by field: a parameter that nobody here knows may carry a secret.
"""

from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Body, Query, Request

from litellm.catalog import cost, models, tokens
from litellm.proxy.admin import roles, schemas
from litellm.proxy.admin.loading import IDENTITY
from litellm.proxy.config.model_list import LitellmParams
from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.identity import Identity
from litellm.proxy.snapshot import Snapshot
from litellm.proxy.stock import LeftOut
from litellm.router import groups
from litellm.router.deployments import Deployment
from litellm.types.calls import Json, as_object

if TYPE_CHECKING:
    from litellm.proxy.app import Gateway

_SHOWN: Final = frozenset(
    {
        "model", "custom_llm_provider", "api_base", "timeout", "stream_timeout", "max_retries", "weight", "rpm", "tpm",
        "order", "max_parallel_requests", "max_budget", "budget_duration", "tags", "drop_params",
        "additional_drop_params", "allowed_openai_params", "configurable_clientside_auth_params",
        "litellm_credential_name", *cost.FIELDS.values(),
        "input_cost_per_second", "output_cost_per_second",
    }
)  # fmt: skip
"""The fields of `litellm_params` that are no secret. Defaults for OpenAI's own parameters are shown beside them."""

_PLACE: Final = frozenset({"api_base", "litellm_credential_name", "configurable_clientside_auth_params"})

_SPEND_EXAMPLES: Final[dict[str, Any]] = {
    "prompt": {"value": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "what llm are you"}]}}
}

router = APIRouter(tags=["models"], responses=schemas.INVALID)


@router.get("/model/info", summary="Deployments")
@router.get("/v1/model/info", summary="Deployments")
async def model_info(request: Request, litellm_model_id: str | None = None) -> Json:
    """Every row of the config's `model_list`, and those of the store; or the one with this id. A row whose `model_info`
    has an `error` is not served. A key that is no admin's sees those that it may use, without their address."""
    rows = _rows(request)
    if litellm_model_id is not None:
        rows = [row for row in rows if row["model_info"]["id"] == litellm_model_id]
        if not rows:
            raise ProxyError(
                404, f"Model id = {litellm_model_id} not found", "not_found_error", param="litellm_model_id"
            )
    return {"data": rows}


@router.get("/v2/model/info", summary="A page of deployments")
async def model_info_page(
    request: Request,
    model: str | None = None,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    size: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Json:
    """`model` is a model_name; default: all."""
    rows = [row for row in _rows(request) if model in (None, row["model_name"])]
    return {
        "data": rows[(page - 1) * size : page * size],
        "total_count": len(rows),
        "current_page": page,
        "size": size,
        "total_pages": -(-len(rows) // size),
    }


def _rows(request: Request) -> list[Json]:
    """The deployments that are served, then those that are not."""
    gateway: Gateway = request.app.state.gateway
    rows = [_row(deployment, params) for deployment, params in _deployments(request)]
    identity: Identity = request.scope[IDENTITY]
    if roles.sees_all(identity):
        return rows + [_left_out(one) for one in gateway.snapshot.left_out]
    return [{**row, "litellm_params": _without_place(row["litellm_params"])} for row in rows]


def _without_place(params: Json) -> Json:
    """For callers: where a deployment is, and on whose account, is the operator's to know."""
    return {name: value for name, value in params.items() if name not in _PLACE}


@router.get("/model_group/info", summary="Model groups")
async def model_group_info(request: Request, model_group: str | None = None) -> Json:
    """What the deployments of one `model_name` are together."""
    by_name: dict[str, list[Deployment]] = {}
    for deployment, _ in _deployments(request):
        by_name.setdefault(deployment.model_name, []).append(deployment)
    wanted = {name: group for name, group in by_name.items() if model_group in (None, name)}
    return {"data": [groups.info_of(name, group) for name, group in wanted.items()]}


@router.post("/spend/calculate", summary="What a call would cost, or did")
async def spend_calculate(
    request: Request, asked: Annotated[schemas.SpendRequest, Body(openapi_examples=_SPEND_EXAMPLES)]
) -> Json:
    """Dollars, for a prompt (its tokens estimated) or by the usage of an answer; at a model group's prices if the
    config has it, else at the catalog's."""
    answer = asked.completion_response or {}
    model = asked.model or answer.get("model")
    if not isinstance(model, str) or not model:
        raise ProxyError(400, "model is missing, and completion_response names none", param="model")
    if asked.messages is None and asked.completion_response is None:
        raise ProxyError(400, "messages or completion_response is missing", param="messages")
    tier = answer.get("service_tier")
    try:
        parts = cost.of_usage(_usage(asked), _rates(request, model), tier if isinstance(tier, str) else None)
    except cost.UnpricedModel:
        raise ProxyError(400, f"There is no price for model={model}", param="model") from None
    return {"cost": cost.dollars(parts.total)}


def _usage(asked: schemas.SpendRequest) -> Json:
    answer = asked.completion_response
    if answer is None:
        return {"prompt_tokens": tokens.estimate_messages(asked.messages or []), "completion_tokens": 0}
    usage = as_object(answer.get("usage"))
    if usage is None:
        raise ProxyError(400, "completion_response has no usage", param="completion_response")
    return usage


def _rates(request: Request, model: str) -> cost.Rates:
    gateway: Gateway = request.app.state.gateway
    group = gateway.snapshot.router.deployments.group(model)
    rates = next((deployment.rates for deployment in group if deployment.rates is not None), None)
    rates = rates or (None if group else models.rates(model))
    if rates is None:
        raise cost.UnpricedModel(model)
    return rates


def _deployments(request: Request) -> list[tuple[Deployment, LitellmParams]]:
    """Each deployment that the asker may use, or sees as an admin, with what the config, or the store, says of it."""
    gateway: Gateway = request.app.state.gateway
    snapshot: Snapshot = gateway.snapshot
    identity: Identity = request.scope[IDENTITY]
    every = zip(snapshot.router.deployments.all, snapshot.entries, strict=True)
    if roles.sees_all(identity):
        return [(d, e.litellm_params) for d, e in every]
    return [(d, e.litellm_params) for d, e in every if identity.access.refusing(d.model_name) is None]


def _left_out(one: LeftOut) -> Json:
    info = {"id": one.id, "db_model": one.in_store, "error": one.reason}
    return {"model_name": one.model_name, "litellm_params": {}, "model_info": info}


def _row(deployment: Deployment, params: LitellmParams) -> Json:
    written = params.model_dump(include=set(_SHOWN), exclude_none=True)
    defaults = {name: value for name, value in deployment.defaults.items() if name not in groups.INPUTS}
    info: Json = {
        "id": deployment.id,
        **groups.known_of(deployment),
        **deployment.info,
        "key": deployment.target.model,
        "litellm_provider": deployment.target.provider,
        "supported_openai_params": groups.supported_of(deployment),
    }
    return {
        "model_name": deployment.model_name,
        "litellm_params": {**defaults, **written, "api_base": deployment.address},
        "model_info": info,
    }
