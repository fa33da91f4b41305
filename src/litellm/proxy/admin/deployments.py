"""`/model/new`, `/model/update`, `/model/delete`: deployments kept in the store, served beside those of the config.

Each is checked before it is kept as the config's are; the workers take it from the feed. Secrets among its parameters
are sealed.
"""

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from litellm import exceptions as e
from litellm.proxy.admin import answers, limited, rows, schemas
from litellm.proxy.admin.desk import Desk, desk_of
from litellm.proxy.admin.fields import Name, Object
from litellm.proxy.errors import ProxyError
from litellm.proxy.shelf import Refused, shown
from litellm.proxy.snapshot import check_stored, reason_of
from litellm.proxy.stock import NoCredential
from litellm.store.seal import Unsealable
from litellm.types.accounts import Model, storable
from litellm.types.calls import Json

if TYPE_CHECKING:
    from litellm.proxy.app import Gateway

router = APIRouter(tags=["model management"], responses=schemas.INVALID)


class _Fields(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class NewModel(_Fields):
    model_name: Name = Field(description="The name that callers use.")
    litellm_params: Object = Field(
        description="As in the config: model, api_base, api_key, ... A value os.environ/NAME is taken from there.",
        examples=[{"model": "openai/gpt-4o-mini", "api_key": "os.environ/OPENAI_API_KEY"}],
    )
    model_info: Object = Field(default={}, description="As in the config. `id`: default is one that is made up.")


class ChangedModel(_Fields):
    """What is sent replaces what was there, field by field; null takes it away."""

    model_name: Name | None = None
    litellm_params: Object = {}
    model_info: Object = {}


class OneModel(BaseModel):
    id: Name


@router.post("/model/new", summary="Add a deployment", **answers.of(answers.Model))
async def new(request: Request, asked: NewModel) -> Json:
    """It is served by every worker within a second. With the id of one of the config's it takes its place."""
    desk = await desk_of(request)
    id = _id_in(asked.model_info) or str(uuid4())
    row = Model(
        id=id,
        model_name=asked.model_name,
        litellm_params=_sealed(desk, id, asked.litellm_params),
        model_info=_without_id(asked.model_info),
    )
    _check(request, desk, row)
    return _shown(await rows.insert(desk, row, "model_info.id"))


@router.post("/model/update", summary="Change a deployment", **answers.of(answers.Model))
async def update(request: Request, asked: ChangedModel) -> Json:
    """`model_info.id` says which."""
    id = _id_in(asked.model_info)
    if id is None:
        raise ProxyError(400, "model_info.id is missing", param="model_info.id")
    return await _update(request, id, asked, "model_info.id")


@router.patch("/model/{model_id}/update", summary="Change a deployment", **answers.of(answers.Model))
async def patch(request: Request, model_id: str, asked: ChangedModel) -> Json:
    return await _update(request, storable(model_id), asked, "model_id")


@router.post("/model/delete", summary="Remove a deployment", **answers.of(answers.Message))
async def delete(request: Request, asked: OneModel) -> Json:
    desk = await desk_of(request)
    await rows.delete(desk, [await _found(request, desk, asked.id, "id")], "id")
    return {"message": f"Model: {asked.id} deleted successfully"}


@router.post("/model/block", summary="Let a deployment rest", **answers.of(answers.Model))
async def block(request: Request, asked: OneModel) -> Json:
    return await _set_blocked(request, asked.id, True)


@router.post("/model/unblock", summary="Let it serve again", **answers.of(answers.Model))
async def unblock(request: Request, asked: OneModel) -> Json:
    return await _set_blocked(request, asked.id, False)


async def _update(request: Request, id: str, asked: ChangedModel, param: str) -> Json:
    desk = await desk_of(request)
    row = await _found(request, desk, id, param)
    values = {
        "model_name": asked.model_name or row.model_name,
        "litellm_params": _merged(row.litellm_params, _sealed(desk, id, asked.litellm_params)),
        "model_info": _merged(row.model_info, _without_id(asked.model_info)),
    }
    _check(request, desk, replace(row, blocked=False, **values))
    return _shown(await rows.update(desk, row, values, param))


async def _set_blocked(request: Request, id: str, blocked: bool) -> Json:
    desk = await desk_of(request)
    row = await _found(request, desk, id, "id")
    action = "blocked" if blocked else "unblocked"
    return _shown(await rows.update(desk, row, {"blocked": blocked}, "id", action))


async def _found(request: Request, desk: Desk, id: str, param: str) -> Model:
    """Raises ProxyError: 400 for one of the config's, 404 for one of nobody's."""
    row = await desk.records.get(Model, id)
    gateway: Gateway = request.app.state.gateway
    if row is None and gateway.snapshot.router.deployments.by_id(id) is not None:
        raise ProxyError(
            400, f"{param}: {id} is in the config file: change it there, or add one with its id", param=param
        )
    return row or await rows.found(desk, Model, id, param)


def _sealed(desk: Desk, id: str, given: Json) -> Json:
    try:
        return desk.shelf.sealed_params(id, given)
    except Refused as error:
        raise ProxyError(400, f"litellm_params.{error}", param=f"litellm_params.{error.name}") from None


def _check(request: Request, desk: Desk, row: Model) -> None:
    """That the row can be served. Raises ProxyError 400, which names the field."""
    gateway: Gateway = request.app.state.gateway
    shelf = desk.shelf
    try:
        check_stored(shelf.entry(row), gateway.snapshot.config, os.environ, shelf.stock)
    except Refused as error:
        raise ProxyError(400, str(error), param=error.name) from None
    except Unsealable as error:
        raise ProxyError(400, f"litellm_params: {error}", param="litellm_params") from None
    except NoCredential as error:
        name = "litellm_params.litellm_credential_name"
        raise ProxyError(400, f"{name}: {error}", param=name) from None
    except e.LiteLLMError as error:
        message = f"litellm_params.model: {reason_of(error)}"
        raise ProxyError(400, message, param="litellm_params.model") from None


def _id_in(info: Json) -> str | None:
    """Raises ProxyError 400."""
    id: Any = info.get("id")
    if id is None:
        return None
    text = str(id) if isinstance(id, int) and not isinstance(id, bool) else id
    if not isinstance(text, str) or not text or storable(text) != text:
        raise ProxyError(400, "model_info.id: expected a text of at most 256 characters", param="model_info.id")
    return text


def _without_id(info: Json) -> Json:
    """The row has its id; whether it is in the store is known."""
    return {name: value for name, value in info.items() if name not in ("id", "db_model")}


def _merged(before: Json, sent: Json) -> Json:
    return {name: value for name, value in {**before, **sent}.items() if value is not None}


def _shown(row: Model) -> Json:
    return {
        "model_id": row.id,
        "model_name": row.model_name,
        "litellm_params": shown(row.litellm_params),
        "model_info": {**row.model_info, "id": row.id, "db_model": True},
        "blocked": row.blocked,
        **limited.stamps_of(row),
    }
