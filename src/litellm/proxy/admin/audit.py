"""`/audit`: who changed what, and when. Each row was written in the transaction of its change."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request

from litellm.proxy.admin import answers, schemas
from litellm.proxy.admin.desk import desk_of, iso
from litellm.proxy.errors import ProxyError
from litellm.store.base import Audit
from litellm.types.accounts import storable
from litellm.types.calls import Json

router = APIRouter(tags=["audit"], responses=schemas.INVALID)

_COLUMNS: Final = {"changed_by": "actor", "action": "action", "table_name": "kind", "object_id": "row_id"}


@router.get("/audit", summary="Changes, newest first", **answers.of(answers.Changes))
async def audit(
    request: Request,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 10,
    changed_by: str | None = None,
    action: str | None = None,
    table_name: Annotated[str | None, Query(description="key, user, team, budget, model, ...")] = None,
    object_id: str | None = None,
) -> Json:
    desk = await desk_of(request)
    given = {"changed_by": changed_by, "action": action, "table_name": table_name, "object_id": object_id}
    where = {_COLUMNS[name]: storable(value) for name, value in given.items() if value is not None}
    rows, total = await desk.records.audit(page, page_size, **where)
    return {
        "audit_logs": [_shown(row) for row in rows],
        "total": total,
        "page": page,
        "page_size": page_size,
        "total_pages": -(-total // page_size),
    }


@router.get("/audit/{id}", summary="One change", **answers.of(answers.Change))
async def one(request: Request, id: str) -> Json:
    desk = await desk_of(request)
    rows, _ = await desk.records.audit(id=storable(id))
    if not rows:
        raise ProxyError(404, f"Audit log {id!r} not found", "not_found_error", "id")
    return _shown(rows[0])


def _shown(row: Audit) -> Json:
    return {
        "id": row.id,
        "updated_at": iso(row.at),
        "changed_by": row.actor,
        "action": row.action,
        "table_name": row.kind,
        "object_id": row.row_id,
        "before_value": row.before,
        "updated_values": row.after,
    }
