"""A caller's own HTTP client in a call: `client=`, `litellm.client_session`, `litellm.aclient_session`."""

import time
from typing import Any

from litellm import exceptions as e
from litellm.engine.engine import Engine
from litellm.router.deployments import Deployments
from litellm.router.plan import RetryPolicy
from litellm.router.router import Router
from litellm.settings import settings
from litellm.types.calls import Json


def own(given: Json, asynchronous: bool) -> Any:
    """The client that is to carry this call; None for ours."""
    return given.get("client") or settings.__dict__.get("aclient_session" if asynchronous else "client_session")


def with_clients_own(client: Any, given: Json) -> Json:
    """An `openai` client brings its address, key and organization; what the call says itself wins over the address."""
    from litellm.transport import foreign

    if not foreign.is_openai(client):
        return given
    brought = {
        "api_base": given.get("base_url") or given.get("api_base") or str(client.base_url),
        "api_key": str(getattr(client, "api_key", None) or "none"),
        "organization": getattr(client, "organization", None),
    }
    return {**given, "base_url": None, **brought}


def router_over(client: Any, model: str) -> Router:
    """Raises BadRequestError for an object that is no client."""
    from litellm.transport.foreign import ForeignTransport

    try:
        transport = ForeignTransport(client)
    except TypeError as error:
        raise e.BadRequestError(message=str(error), llm_provider="", model=model) from None
    return Router(Deployments([]), Engine(transport, time.perf_counter), RetryPolicy())
