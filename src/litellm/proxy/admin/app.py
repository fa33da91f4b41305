"""The management app: FastAPI behind the fast lane. Its callers have shown a key already, except on public paths."""

from copy import deepcopy
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse

from litellm._version import version
from litellm.proxy import probes, routes
from litellm.proxy.admin import health, models, openapi
from litellm.types.calls import Json

if TYPE_CHECKING:
    from litellm.proxy.app import Gateway


def make(gateway: "Gateway") -> FastAPI:
    app = FastAPI(title="LiteLLM gateway", version=version, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.gateway = gateway
    app.include_router(models.router)
    page = files("litellm.proxy.ui").joinpath("docs.html").read_text("utf-8")

    @app.get("/", summary="This API, as a page", response_class=HTMLResponse)
    async def docs() -> HTMLResponse:  # pyright: ignore[reportUnusedFunction]
        return HTMLResponse(page)

    @app.get("/openapi.json", summary="This API, for programs")
    async def document() -> Json:  # pyright: ignore[reportUnusedFunction]
        return openapi.complete(deepcopy(app.openapi()), probes.listed(gateway.snapshot))

    @app.get("/routes", summary="All routes")
    async def all_routes() -> Json:  # pyright: ignore[reportUnusedFunction]
        return {"routes": _routes(app)}

    @app.get("/health", summary="Ask every deployment something")
    async def check(model: str | None = None) -> Json:  # pyright: ignore[reportUnusedFunction]
        deployments = gateway.snapshot.router.deployments.all
        wanted = [d for d in deployments if model is None or d.model_name == model]
        return await health.check(gateway.engine, wanted)

    app.add_exception_handler(RequestValidationError, _invalid)
    return app


def _routes(app: FastAPI) -> list[Json]:
    own = [(getattr(route, "path", ""), sorted(getattr(route, "methods", None) or ())) for route in app.routes]
    fast = [(path, ["POST"]) for path, _ in routes.templates()] + [(path, ["GET"]) for path in probes.PROBES]
    return [{"path": path, "methods": methods} for path, methods in sorted([*own, *fast])]


async def _invalid(request: Request, error: Any) -> JSONResponse:
    """Every problem of a request, each with its field's name, in OpenAI's shape."""
    problems = [(".".join(str(part) for part in p["loc"][1:]), p["msg"]) for p in error.errors()]
    message = "; ".join(f"{field}: {text}" for field, text in problems)
    body = {"message": message, "type": "invalid_request_error", "param": problems[0][0], "code": "422"}
    return JSONResponse({"error": body}, 422)
