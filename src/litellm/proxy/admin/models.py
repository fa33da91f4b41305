"""`/model/info` and `/model_group/info`: what the config says of each deployment and group, secrets left out."""

from typing import Any

from fastapi import APIRouter, HTTPException, Request

from litellm.catalog import params as names
from litellm.providers import compatible
from litellm.router.deployments import Deployment
from litellm.types.calls import Json

router = APIRouter(tags=["models"])


@router.get("/model/info", summary="Deployments")
@router.get("/v1/model/info", summary="Deployments")
async def model_info(request: Request, litellm_model_id: str | None = None) -> Json:
    deployments = request.app.state.gateway.snapshot.router.deployments
    if litellm_model_id is None:
        return {"data": [_row(deployment) for deployment in deployments.all]}
    found = deployments.by_id(litellm_model_id)
    if found is None:
        raise HTTPException(404, f"Model id = {litellm_model_id} not found")
    return {"data": [_row(found)]}


@router.get("/model_group/info", summary="Model groups")
async def model_group_info(request: Request, model_group: str | None = None) -> Json:
    deployments = request.app.state.gateway.snapshot.router.deployments
    groups: dict[str, list[Deployment]] = {}
    for deployment in deployments.all:
        groups.setdefault(deployment.model_name, []).append(deployment)
    wanted = {name: group for name, group in groups.items() if model_group in (None, name)}
    return {"data": [_group(name, group) for name, group in wanted.items()]}


def _row(deployment: Deployment) -> Json:
    target = deployment.target
    params: Json = {"model": f"{target.provider}/{target.model}", "api_base": target.base_url}
    info: Json = {
        "id": deployment.id,
        **deployment.info,
        "key": target.model,
        "supported_openai_params": _supported(deployment),
    }
    return {"model_name": deployment.model_name, "litellm_params": params, "model_info": info}


def _group(name: str, group: list[Deployment]) -> Json:
    info: dict[str, Any] = group[0].info
    return {
        "model_group": name,
        "providers": sorted({deployment.target.provider for deployment in group}),
        "mode": info.get("mode"),
        "max_input_tokens": info.get("max_input_tokens"),
        "max_output_tokens": info.get("max_output_tokens"),
        "input_cost_per_token": info.get("input_cost_per_token"),
        "output_cost_per_token": info.get("output_cost_per_token"),
        "rpm": _sum(deployment.rpm for deployment in group),
        "tpm": _sum(deployment.tpm for deployment in group),
        "supported_openai_params": _supported(group[0]),
    }


def _sum(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _supported(deployment: Deployment) -> list[str]:
    refused = compatible.provider_of(deployment.target.provider).rules.unsupported
    return sorted(names.OPENAI["chat"] - refused)
