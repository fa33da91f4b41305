"""`/openapi.json`: FastAPI's own routes and, beside them, those of the fast lane, which FastAPI never sees."""

import re
from collections.abc import Sequence
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from litellm.proxy import routes
from litellm.proxy.admin import schemas
from litellm.types.calls import Json, Op

_REF: Final = "#/components/schemas/{model}"
_IN_PATH: Final = "AtModel"  # what a request's schema is called where the path names the model

TAGS: Final = {
    "inference": "Calls of models, as OpenAI's clients make them.",
    "models": "Which models there are, and what stands behind them.",
    "model management": "Deployments kept in the store, beside those of the config.",
    "credentials": "Named credentials of providers: kept sealed, never shown.",
    "keys": "Virtual keys: who may call what, how often, and for how much.",
    "users": "People, what they may do, and the limits of their own keys.",
    "teams": "Teams, whose keys spend the team's money, and their members.",
    "organizations": "What teams, keys and people belong to.",
    "customers": "End users: those whom the `user` field of a request names.",
    "budgets": "Limits with a name, shared by those that refer to it.",
    "tags": "Limits for the tags of requests.",
    "spend": "What calls have cost.",
    "audit": "Who changed what, and when.",
    "cache": "The response cache: whether it answers, and forgetting what it holds.",
    "health": "Is it alive, can it serve, does every endpoint answer?",
    "docs": "This description.",
}

PROBES: Final = {
    "/health/liveliness": "Is the process alive?",
    "/health/liveness": "Is the process alive?",
    "/health/readiness": "Can it serve, and which version of the config?",
    "/models": "The models a caller may ask for",
    "/models/{model}": "One model",
    "/v1/models": "The models a caller may ask for",
    "/v1/models/{model}": "One model",
    "/metrics": "Prometheus metrics",
}
"""The GET routes of the fast lane and what they answer; a test compares them with `proxy/probes.py`."""


_ANY: Final[Json] = {"application/json": {"schema": {"type": "object"}}}


def complete(document: Json, models: Sequence[str]) -> Json:
    """`document` with the fast lane's paths added to it.

    `models` are the names and wildcards that a caller may ask for; empty if the reader has shown no key.
    """
    _add_schemas(document, models)
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"key": []}]
    document["tags"] = [{"name": name, "description": about} for name, about in TAGS.items()]
    paths: Json = document["paths"]
    for path, op in routes.templates():
        paths[path] = {"post": _inference(path, op, models)}
    explains: Json = _inference(routes.EXPLAIN, "chat", models)
    told = {"description": "The choice: candidates, why each may be asked or not, fallbacks.", "content": _ANY}
    explains |= {"tags": ["models"], "summary": "Where a call would go, and why; nothing is called"}
    explains["responses"]["200"] = told
    paths[routes.EXPLAIN] = {"post": explains}
    for path, summary in PROBES.items():
        paths[path] = {"get": _probe(path, summary, models)}
    for path in routes.PUBLIC & paths.keys():
        for operation in paths[path].values():
            operation["security"] = []
    document["paths"] = {path: paths[path] for path in sorted(paths, key=_place)}
    return document


def _place(path: str) -> tuple[bool, str]:
    """OpenAI's own paths come first, then their shorter and longer spellings."""
    return not path.startswith("/v1/"), path


def _add_schemas(document: Json, models: Sequence[str]) -> None:
    """Each request twice: where the path names the model already, the body need not."""
    kinds = [*schemas.REQUESTS.values(), schemas.ErrorBody]
    _, definitions = models_json_schema([(kind, "validation") for kind in kinds], ref_template=_REF)
    found: Json = document.setdefault("components", {}).setdefault("schemas", {})
    found.update(definitions["$defs"])
    for kind in schemas.REQUESTS.values():
        schema: Json = found[kind.__name__]
        properties: Json = schema["properties"]
        properties["model"].update(_names(models))
        for name in schemas.STEERING:
            properties[name] = properties.pop(name)  # to the end
        required = [name for name in schema["required"] if name != "model"]
        found[kind.__name__ + _IN_PATH] = {**schema, "required": required}


def _names(models: Sequence[str]) -> Json:
    """What a model's name may be: one of those, or anything that a wildcard takes. Nothing is said if none is known."""
    if not models:
        return {}
    exact = sorted(name for name in models if "*" not in name)
    patterns = ["^" + ".*".join(re.escape(part) for part in name.split("*")) + "$" for name in models if "*" in name]
    kinds = [{"enum": exact}] if exact else []
    return {"anyOf": [*kinds, *({"type": "string", "pattern": pattern} for pattern in sorted(patterns))]}


def _inference(path: str, op: Op, models: Sequence[str]) -> Json:
    in_path = "{model}" in path
    example: Json = {**({} if in_path else _example_model(models)), **schemas.EXAMPLES[op]}
    schema = _ref(schemas.REQUESTS[op].__name__ + (_IN_PATH if in_path else ""))
    answers = dict(_ANY)
    if op != "embedding":
        answers["text/event-stream"] = {"schema": {"type": "string"}}
    return {
        "tags": ["inference"],
        "summary": schemas.SUMMARIES[op],
        "operationId": _id("post", path),
        **_parameters(path, models),
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "examples": {"short": {"value": example}}}},
        },
        "responses": {
            "200": {"description": "The endpoint's answer; with `stream` server-sent events.", "content": answers},
            **_errors("400", "401", "408", "413", "429", "500", "default"),
        },
    }


def _example_model(models: Sequence[str]) -> Json:
    return {"model": next((name for name in models if "*" not in name), "my-model")}


def _probe(path: str, summary: str, models: Sequence[str]) -> Json:
    statuses = [] if path in routes.PUBLIC else ["401"]
    kind = "text/plain" if path == "/metrics" else "application/json"
    return {
        "tags": ["models" if "models" in path else "health"],
        "summary": summary,
        "operationId": _id("get", path),
        **_parameters(path, models),
        "responses": {
            "200": {"description": "OK", "content": {kind: {"schema": {}}}},
            **_errors(*statuses, *(["404"] if "{model}" in path else [])),
        },
    }


def _id(verb: str, path: str) -> str:
    return verb + re.sub(r"[/.{}]+", "_", path).rstrip("_")


def _parameters(path: str, models: Sequence[str]) -> Json:
    if "{model}" not in path:
        return {}
    schema = {"type": "string", "minLength": 1, **_names(models)}
    return {"parameters": [{"name": "model", "in": "path", "required": True, "schema": schema}]}


def _ref(name: str) -> Json:
    return {"$ref": _REF.format(model=name)}


_TOLD: Final = {
    "400": "The request is wrong; `param` names the field.",
    "401": "No key, or a wrong one.",
    "404": "There is no such thing.",
    "408": "The endpoint did not answer in time.",
    "413": "The body is too large.",
    "429": "Too many requests; `retry-after` says when to come back.",
    "500": "The endpoint could not be reached, or failed.",
    "default": "The endpoint's own status, with its error in OpenAI's shape.",
}


def _errors(*statuses: str) -> dict[str, Any]:
    content = {"application/json": {"schema": _ref("ErrorBody")}}
    return {status: {"description": _TOLD[status], "content": content} for status in statuses}
