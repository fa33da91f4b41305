"""Small GET routes on the fast lane: what load balancers, scrapers and clients ask often, and model lists."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from litellm.proxy import headers
from litellm.proxy.errors import ProxyError
from litellm.proxy.exchange import Exchange
from litellm.proxy.metrics import Metrics
from litellm.proxy.snapshot import Snapshot
from litellm.types.calls import Json

if TYPE_CHECKING:  # loaded once there is a store
    from litellm.proxy.books import Books

CREATED: Final = 1677610602  # LiteLLM's, for every model


class Serving(Protocol):
    """What a probe may look at."""

    snapshot: Snapshot
    metrics: Metrics
    books: "Books | None"


Probe = Callable[[Serving, Exchange], None]


def _alive(gateway: Serving, exchange: Exchange) -> None:
    _json(exchange, "I'm alive!")


def _ready(gateway: Serving, exchange: Exchange) -> None:
    db = "connected" if gateway.books is not None else "Not connected"
    _json(exchange, {"status": "healthy", "db": db, "config_version": gateway.snapshot.version})


def _models(gateway: Serving, exchange: Exchange) -> None:
    access, snapshot = exchange.identity.access, gateway.snapshot
    names = [name for name, model in listed(snapshot).items() if access.refusing(model) is None]
    _json(exchange, {"data": [model_row(name) for name in names], "object": "list"})


def _model(gateway: Serving, exchange: Exchange) -> None:
    name = exchange.path.partition("/models/")[2]
    model = gateway.snapshot.aliases.get(name, name)
    if exchange.identity.access.refusing(model) or not gateway.snapshot.router.deployments.group(model):
        raise ProxyError(404, f"The model '{name}' does not exist", "not_found_error", "model")
    _json(exchange, model_row(name))


def _metrics(gateway: Serving, exchange: Exchange) -> None:
    exchange.answer(200, headers.TEXT + headers.ALWAYS, gateway.metrics.render())


def listed(snapshot: Snapshot) -> dict[str, str]:
    """The names a caller may ask for, and the models that they stand for; a wildcard is none of them."""
    deployments = snapshot.router.deployments
    named = {name: name for name in deployments.names if "*" not in name}
    aliases = {name: model for name, model in snapshot.aliases.items() if name not in snapshot.hidden}
    return named | {name: model for name, model in aliases.items() if deployments.group(model)}


def model_row(name: str) -> Json:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "openai"}


def _json(exchange: Exchange, value: Any) -> None:
    exchange.answer(200, headers.JSON + headers.ALWAYS, orjson.dumps(value))


PROBES: Final[dict[str, Probe]] = {
    "/health/liveliness": _alive,
    "/health/liveness": _alive,
    "/health/readiness": _ready,
    "/models": _models,
    "/v1/models": _models,
    "/metrics": _metrics,
}


def find(path: str) -> Probe | None:
    found = PROBES.get(path)
    if found is None and path.startswith(("/models/", "/v1/models/")):
        return _model
    return found
