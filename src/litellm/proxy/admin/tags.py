"""`/tag/*`: limits for the tags that requests and keys carry. Every tag is counted; a row gives it limits."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from litellm.proxy.admin import answers, limited, rows, schemas
from litellm.proxy.admin.desk import Desk, desk_of
from litellm.proxy.admin.fields import Name, Text
from litellm.store.base import Query as StoreQuery
from litellm.types.accounts import Tag
from litellm.types.calls import Json

router = APIRouter(tags=["tags"], responses=schemas.INVALID)


class TagFields(limited.SharedLimitFields):
    description: Text | None = None
    models: list[Name] = Field(default=[], description="The only ones that calls with this tag may use; empty: all.")


class NamedTag(TagFields):
    name: Name


class SomeTags(BaseModel):
    names: list[Name] = Field(min_length=1, max_length=1000)


class OneTag(BaseModel):
    name: Name


_FIELDS: Final = tuple(TagFields.model_fields)


@router.post("/tag/new", summary="Limits for a tag", **answers.of(answers.TagDone))
async def new(request: Request, asked: NamedTag) -> Json:
    desk = await desk_of(request)
    values = limited.row_values(asked, Tag, _FIELDS)
    await limited.check_budget(desk, values)
    row = await rows.insert(desk, Tag(id=asked.name, **values), "name")
    return {"message": f"Tag {row.id} created successfully", "tag": (await _shown(desk, [row]))[0]}


@router.post("/tag/info", summary="How some tags stand", **answers.of(dict[str, answers.Tag]))
async def info(request: Request, asked: SomeTags) -> Json:
    """By name; those that have a row."""
    desk = await desk_of(request)
    there = await desk.records.get_many(Tag, asked.names)
    found = [there[name] for name in dict.fromkeys(asked.names) if name in there]
    return {tag["name"]: tag for tag in await _shown(desk, found)}


@router.get("/tag/list", summary="Tags with limits", **answers.of(list[answers.Tag]))
async def list_tags(
    request: Request,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    size: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Json]:
    """Newest first."""
    desk = await desk_of(request)
    found = await desk.records.find(StoreQuery(Tag, page=page, size=size))
    return await _shown(desk, list(found.rows))


@router.post("/tag/update", summary="Change a tag's limits", **answers.of(answers.TagDone))
async def update(request: Request, asked: NamedTag) -> Json:
    desk = await desk_of(request)
    values = limited.row_values(asked, Tag, _FIELDS)
    await limited.check_budget(desk, values)
    row = await rows.found(desk, Tag, asked.name, "name")
    changed = await rows.update(desk, row, values, "name")
    return {"message": f"Tag {row.id} updated successfully", "tag": (await _shown(desk, [changed]))[0]}


@router.post("/tag/delete", summary="Forget a tag's limits", **answers.of(answers.Message))
async def delete(request: Request, asked: OneTag) -> Json:
    """What was spent under it stays in the log."""
    desk = await desk_of(request)
    await rows.delete(desk, [await rows.found(desk, Tag, asked.name, "name")], "name")
    return {"message": f"Tag {asked.name} deleted successfully"}


async def _shown(desk: Desk, tags: list[Tag]) -> list[Json]:
    return [
        {"name": row.id, "description": row.description, "models": list(row.models), **stands}
        for row, stands in zip(tags, await limited.standing(desk, tags), strict=True)
    ]
