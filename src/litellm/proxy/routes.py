"""The fast lane's dispatch table: which paths are inference, and what each of them means.

Everything that is not here goes to the management app (`admin/`), behind the same key unless it is public.
"""

from collections.abc import Iterator
from typing import Final

from litellm.proxy.inference import Route
from litellm.types.calls import Op

_ENDPOINTS: Final[dict[str, Op]] = {
    "/chat/completions": "chat",
    "/completions": "completion",
    "/embeddings": "embedding",
}

INFERENCE: Final[dict[str, Route]] = {
    prefix + path: Route(op, path) for prefix in ("", "/v1") for path, op in _ENDPOINTS.items()
}
EXPLAIN: Final = "/router/explain"
_NAMED: Final = {**INFERENCE, EXPLAIN: Route("chat", EXPLAIN, explains=True)}

PREFIXES: Final = ("/engines/", "/openai/deployments/")
"""Paths that name the model: `/engines/{model}/chat/completions`, Azure's `/openai/deployments/{model}/...`."""

PUBLIC: Final = frozenset({"/", "/openapi.json", "/health/liveliness", "/health/liveness", "/health/readiness"})


def inference(path: str) -> Route | None:
    """What an inference path means; None if it is not one."""
    known = _NAMED.get(path)
    if known is not None:
        return known
    for prefix in PREFIXES:
        if path.startswith(prefix):
            rest = path.removeprefix(prefix)
            for end, op in _ENDPOINTS.items():
                if rest.endswith(end) and rest != end:
                    return Route(op, end, rest.removesuffix(end))
    return None


def templates() -> Iterator[tuple[str, Op]]:
    """Every inference path as OpenAPI writes it, for `/openapi.json` and for the test that compares the two."""
    for path, route in INFERENCE.items():
        yield path, route.op
    for prefix in PREFIXES:
        for end, op in _ENDPOINTS.items():
            yield f"{prefix}{{model}}{end}", op
