"""`/health`: what every deployment answers to one small thing. It is asked now, or was in the background."""

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request

from litellm.proxy import checking
from litellm.proxy.admin import schemas
from litellm.proxy.errors import ProxyError
from litellm.types.calls import Json

if TYPE_CHECKING:
    from litellm.proxy.app import Gateway

router = APIRouter(tags=["health"], responses=schemas.INVALID)


@router.get("/health", summary="Ask every deployment something")
async def health(request: Request, model: str | None = None) -> Json:
    """Calls are made, and may cost; with `background_health_checks` the latest of those is told.

    `model` is a model_name or a deployment's own `provider/model`; default: all. Wildcards without a
    `health_check_model` are left out, for there is no model to ask.
    """
    gateway: Gateway = request.app.state.gateway
    deployments = gateway.snapshot.router.deployments.all
    wanted = [one for one in deployments if model in (None, one.model_name, checking.name_of(one))]
    if model is not None and not wanted:
        raise ProxyError(404, f"The model '{model}' does not exist", "not_found_error", "model")
    details = gateway.snapshot.config.general_settings.health_check_details is not False
    if gateway.checks is not None:
        return gateway.checks.report(wanted, details)
    asked = [made for one in wanted if (made := checking.checkable(one)) is not None]
    return checking.report(asked, await checking.problems(gateway.engine, asked), details)
