"""`/credentials`: named credentials of providers. Their values are sealed before they are kept, and never shown."""

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from litellm.proxy.admin import answers, limited, rows, schemas
from litellm.proxy.admin.desk import Desk, desk_of
from litellm.proxy.admin.fields import Name, Object
from litellm.proxy.errors import ProxyError
from litellm.proxy.shelf import Refused, is_secret
from litellm.store.base import Query as StoreQuery
from litellm.types.accounts import Credential, Model, storable
from litellm.types.calls import Json

if TYPE_CHECKING:
    from litellm.proxy.app import Gateway

router = APIRouter(tags=["credentials"], responses=schemas.INVALID)

HIDDEN: Final = "********"


class NewCredential(BaseModel):
    credential_name: Name
    credential_values: Object = Field(description="Parameters of deployments: api_key, api_base, organization.")
    credential_info: Object = Field(default={}, description="Shown as it is.")


class ChangedCredential(BaseModel):
    credential_values: Object = Field(default={}, description="Those that are sent; null takes one away.")
    credential_info: Object = Field(default={}, description="Those that are sent; null takes one away.")


@router.post("/credentials", summary="Keep credentials under a name", **answers.of(answers.Done))
async def new(request: Request, asked: NewCredential) -> Json:
    """Without LITELLM_SALT_KEY nothing can be sealed, and nothing is kept."""
    desk = await desk_of(request)
    values = _sealed(desk, asked.credential_name, asked.credential_values)
    row = Credential(id=asked.credential_name, values=values, info=asked.credential_info)
    await rows.insert(desk, row, "credential_name")
    return {"success": True, "message": "Credential created successfully"}


@router.get("/credentials", summary="Credentials, their values hidden", **answers.of(answers.Credentials))
async def list_credentials(
    request: Request,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    size: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Json:
    """Newest first."""
    desk = await desk_of(request)
    found = await desk.records.find(StoreQuery(Credential, page=page, size=size))
    return {"success": True, "credentials": [_shown(row) for row in found.rows]}


@router.get("/credentials/by_name/{name:path}", summary="One, its values hidden", **answers.of(answers.Credential))
async def by_name(request: Request, name: str) -> Json:
    desk = await desk_of(request)
    return _shown(await _found(desk, name))


@router.get("/credentials/by_model/{model_id}", summary="A deployment's, hidden", **answers.of(answers.Credential))
async def by_model(request: Request, model_id: str) -> Json:
    """Those that it names, or that it has itself: which there are, never what they are."""
    desk = await desk_of(request)
    params, info = await _params_of(request, desk, model_id)
    named = params.get("litellm_credential_name")
    if named:
        return _shown(await _found(desk, named))
    secrets = [name for name, value in params.items() if value is not None and is_secret(name)]
    values = dict.fromkeys(secrets, HIDDEN)
    return {"credential_name": model_id, "credential_values": values, "credential_info": {}, **limited.stamps_of(info)}


async def _params_of(request: Request, desk: Desk, model_id: str) -> tuple[Json, Model]:
    """What was said of a deployment, in the store or in the config. Raises ProxyError 404."""
    row = await desk.records.get(Model, storable(model_id))
    if row is not None:
        return row.litellm_params, row
    gateway: Gateway = request.app.state.gateway
    snapshot = gateway.snapshot
    for deployment, entry in zip(snapshot.router.deployments.all, snapshot.entries, strict=True):
        if deployment.id == model_id:
            return entry.litellm_params.model_dump(exclude_none=True), Model(id=model_id)
    raise rows.missing(Model, "model_id")


@router.patch("/credentials/{name:path}", summary="Change credentials", **answers.of(answers.Done))
async def change(request: Request, name: str, asked: ChangedCredential) -> Json:
    """Deployments that name them use the new ones at once."""
    desk = await desk_of(request)
    row = await _found(desk, name)
    values = {
        "values": _merged(row.values, _sealed(desk, row.id, asked.credential_values)),
        "info": _merged(row.info, asked.credential_info),
    }
    await rows.update(desk, row, values, "name")
    return {"success": True, "message": "Credential updated successfully"}


@router.delete("/credentials/{name:path}", summary="Forget credentials", **answers.of(answers.Done))
async def delete(request: Request, name: str) -> Json:
    """Those that a deployment names stay."""
    desk = await desk_of(request)
    row = await _found(desk, name)
    users = await _users(request, desk, row.id)
    if users:
        raise ProxyError(400, f"the credential {row.id!r} is in use by deployment {users[0]!r}", param="name")
    await rows.delete(desk, [row], "name")
    return {"success": True, "message": "Credential deleted successfully"}


async def _users(request: Request, desk: Desk, name: str) -> list[str]:
    """Ids, or names, of the deployments that name a credential: in the config and in the store."""
    gateway: Gateway = request.app.state.gateway
    entries = gateway.snapshot.config.model_list
    users = [entry.model_name for entry in entries if entry.litellm_params.litellm_credential_name == name]
    async for page in desk.records.scan(Model):
        users += [row.id for row in page if row.litellm_params.get("litellm_credential_name") == name]
    return users


async def _found(desk: Desk, name: str) -> Credential:
    return await rows.found(desk, Credential, storable(name), "name")


def _sealed(desk: Desk, name: str, values: Json) -> Json:
    try:
        return desk.shelf.sealed_values(name, values)
    except Refused as error:
        raise ProxyError(400, f"credential_values.{error}", param=f"credential_values.{error.name}") from None


def _merged(before: Json, sent: Json) -> Json:
    return {name: value for name, value in {**before, **sent}.items() if value is not None}


def _shown(row: Credential) -> Json:
    return {
        "credential_name": row.id,
        "credential_values": dict.fromkeys(row.values, HIDDEN),
        "credential_info": row.info,
        **limited.stamps_of(row),
    }
