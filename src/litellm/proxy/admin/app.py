"""The management app: FastAPI behind the fast lane. Its callers have shown a key already, except on public paths.

Its errors are the gateway's: whatever a route raises travels to `proxy/app.py` and becomes an answer there. Only an
unknown route answers as FastAPI does, `{"detail": "Not Found"}`, which LiteLLM's clients know.
"""

from copy import deepcopy
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from litellm._version import version
from litellm.proxy import routes
from litellm.proxy.admin import (
    activity,
    audit,
    budgets,
    caches,
    credentials,
    customers,
    deployments,
    events,
    health,
    keys,
    models,
    openapi,
    organizations,
    providers,
    spend,
    tags,
    teams,
    totals,
    users,
    utilities,
)
from litellm.proxy.errors import ProxyError
from litellm.store.base import StoreDown, Unstorable
from litellm.types.calls import Json

if TYPE_CHECKING:
    from litellm.proxy.app import Gateway

RAISED: Final = "litellm.raised"
"""Where in the scope an exception is left for `loading.py` to raise."""

# The page is one file that talks to this server alone; its script and style are inside it.
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def make(gateway: "Gateway") -> FastAPI:
    app = FastAPI(
        title="LiteLLM gateway",
        version=version,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.gateway = gateway
    app.include_router(models.router)
    app.include_router(health.router)
    app.include_router(keys.router)
    for part in (
        users, teams, organizations, deployments, credentials, customers, budgets, tags, spend, totals, activity,
        events, audit, caches, utilities, providers,
    ):  # fmt: skip
        app.include_router(part.router)
    _describe(app, gateway)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(StoreDown, _down)
    app.add_exception_handler(Unstorable, _unstorable)
    app.add_middleware(_Raising)
    return app


def _describe(app: FastAPI, gateway: "Gateway") -> None:
    """The routes that tell of the others."""
    page = files("litellm.proxy.ui").joinpath("docs.html").read_text("utf-8")

    @lru_cache(maxsize=4)
    def written(names: tuple[str, ...]) -> bytes:
        return orjson.dumps(openapi.complete(deepcopy(app.openapi()), names))

    @app.get("/", tags=["docs"], summary="This API, as a page", response_class=HTMLResponse)
    async def docs() -> HTMLResponse:  # pyright: ignore[reportUnusedFunction]
        return HTMLResponse(page, headers={"content-security-policy": PAGE_POLICY})

    @app.get("/openapi.json", tags=["docs"], summary="This API, for programs; with a key it names the models")
    async def document(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        return Response(written(await _names(gateway, request)), media_type="application/json")

    @app.get("/routes", tags=["docs"], summary="All routes")
    async def all_routes() -> Json:  # pyright: ignore[reportUnusedFunction]
        return {"routes": _routes(app)}


async def _names(gateway: "Gateway", request: Request) -> tuple[str, ...]:
    """The description is for everybody; which models there are is for those with a key."""
    try:
        identity = await gateway.identify(dict(request.scope["headers"]), request.scope["client"])
    except ProxyError:
        return ()
    return tuple(identity.access.visible(gateway.snapshot.router.deployments.names))


def _routes(app: FastAPI) -> list[Json]:
    own = [(path, verb.upper()) for path, item in app.openapi()["paths"].items() for verb in item]
    asked = (*(path for path, _ in routes.templates()), routes.EXPLAIN)
    fast = [(path, "POST") for path in asked] + [(path, "GET") for path in openapi.PROBES]
    return [{"path": path, "methods": [verb]} for path, verb in sorted([*own, *fast])]


class _Raising:
    """Keeps Starlette's own page for a 500 out of the way: what was raised is left in the scope, and nothing sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # handed on, not handled: `loading.py` raises it again
            scope[RAISED] = error


async def _invalid(request: Request, error: Any) -> Response:
    """Every problem of a request, each with its field's name."""
    problems = [(".".join(str(part) for part in p["loc"][1:]), p["msg"]) for p in error.errors()]
    message = "; ".join(f"{field}: {text}" for field, text in problems)
    raise ProxyError(422, message, param=problems[0][0])


async def _refused(request: Request, error: Any) -> Response:
    """What the framework itself refuses: an unknown path, a method that a path does not take, a body it cannot read."""
    if error.status_code == 404:
        return Response(b'{"detail":"Not Found"}', 404, media_type="application/json")
    if error.status_code != 405:
        raise ProxyError(error.status_code, f"Invalid request body: {error.detail}", param="request_body")
    allow: str = error.headers["Allow"]
    raise ProxyError(error.status_code, f"{request.scope['path']} takes {allow}", headers={"allow": allow})


async def _down(request: Request, error: Any) -> Response:
    raise ProxyError(503, str(error), "no_db_connection")


async def _unstorable(request: Request, error: Any) -> Response:
    raise ProxyError(400, str(error), param=error.name)
