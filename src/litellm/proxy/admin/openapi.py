"""`/openapi.json`: FastAPI's own routes and, beside them, those of the fast lane, which FastAPI never sees."""

from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import models_json_schema

from litellm.proxy import probes, routes
from litellm.proxy.admin import schemas
from litellm.types.calls import Json, Op

_REF = "#/components/schemas/{model}"


def complete(document: Json, models: Iterable[str]) -> Json:
    """`document` with the fast lane's paths; `models` are the names a caller may ask for."""
    kinds = [*schemas.REQUESTS.values(), schemas.ErrorBody]
    _, definitions = models_json_schema([(kind, "validation") for kind in kinds], ref_template=_REF)
    components = document.setdefault("components", {})
    found: Json = components.setdefault("schemas", {})
    found.update(definitions["$defs"])
    names = sorted(models)
    for kind in schemas.REQUESTS.values():
        found[kind.__name__]["properties"]["model"]["examples"] = names
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"key": []}]
    paths: Json = document["paths"]
    for path, op in routes.templates():
        paths[path] = {"post": _inference(path, op)}
    for path in (*probes.PROBES, "/models/{model}", "/v1/models/{model}"):
        paths.setdefault(path, {})["get"] = _probe(path)
    for path, operations in paths.items():
        if path in routes.PUBLIC:
            for operation in operations.values():
                operation["security"] = []
    document["paths"] = dict(sorted(paths.items()))
    return document


def _inference(path: str, op: Op) -> Json:
    schema: Json = {"$ref": _REF.format(model=schemas.REQUESTS[op].__name__)}
    operation: Json = {
        "tags": ["inference"],
        "summary": schemas.SUMMARIES[op],
        "operationId": "post" + path.translate(str.maketrans({"/": "_", "{": None, "}": None})),
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": {
                "description": "The endpoint's answer; with `stream` server-sent events.",
                "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}},
            },
            **_errors("400", "401", "408", "413", "429", "500"),
        },
    }
    return {**operation, **_parameters(path)}


def _probe(path: str) -> Json:
    operation: Json = {
        "tags": ["models" if "models" in path else "health"],
        "summary": _PROBE_SUMMARIES[path.replace("/v1/", "/")],
        "operationId": "get" + path.translate(str.maketrans({"/": "_", "{": None, "}": None})),
        "responses": {"200": {"description": "OK", "content": {_kind(path): {}}}, **_errors("401")},
    }
    if "{model}" in path:
        operation["responses"].update(_errors("404"))
    if path in routes.PUBLIC:
        del operation["responses"]["401"]
    return {**operation, **_parameters(path)}


_PROBE_SUMMARIES = {
    "/health/liveliness": "Is the process alive?",
    "/health/liveness": "Is the process alive?",
    "/health/readiness": "Can it serve? Which version of the config?",
    "/models": "The models a caller may ask for",
    "/models/{model}": "One model",
    "/metrics": "Prometheus metrics",
}


def _kind(path: str) -> str:
    return "text/plain" if path == "/metrics" else "application/json"


def _parameters(path: str) -> Json:
    if "{model}" not in path:
        return {}
    schema = {"type": "string", "minLength": 1}
    return {"parameters": [{"name": "model", "in": "path", "required": True, "schema": schema}]}


def _errors(*statuses: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model="ErrorBody")}
    content = {"application/json": {"schema": schema}}
    return {status: {"description": "An error, in OpenAI's shape.", "content": content} for status in statuses}
