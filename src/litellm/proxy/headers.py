"""The headers of an inference answer (litellm-contract 1b.7), as lines ready for the wire.

What depends on the deployment alone is encoded once per deployment; a call adds its id, its times and the upstream's
own headers under `llm_provider-`. Whatever comes from outside is stripped of control characters here.
"""

from typing import Any, Final

from orjson import dumps

from litellm._version import version
from litellm.catalog.cost import NANO, Cost, dollars
from litellm.proxy.exchange import Exchange
from litellm.router.deployments import Deployment
from litellm.router.router import Served
from litellm.types.http import RawHeaders

JSON: Final = b"content-type: application/json\r\n"
SSE: Final = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"
TEXT: Final = b"content-type: text/plain; version=0.0.4; charset=utf-8\r\n"

ALWAYS: Final = (
    b"x-litellm-version: %b\r\nvary: Origin\r\nx-frame-options: DENY\r\n"
    b"content-security-policy: frame-ancestors 'none'\r\nx-content-type-options: nosniff\r\n"
) % version.encode()

# Hop-by-hop, or about a body that has been decoded and encoded anew, or a session with the gateway alone.
_NOT_PASSED: Final = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"content-length",
     b"content-encoding", b"proxy-authenticate", b"set-cookie"}
)  # fmt: skip

# Input is all of the prompt and output all of the completion; cache and reasoning, below, are parts of them. There is
# neither discount nor margin, so that the original cost is the cost.
_COST: Final = (
    b"x-litellm-response-cost: %b\r\nx-litellm-response-cost-original: %b\r\n"
    b"x-litellm-response-cost-discount-amount: 0.0\r\nx-litellm-response-cost-margin-amount: 0.0\r\n"
    b"x-litellm-response-cost-margin-percent: 0.0\r\n"
    b"x-litellm-response-cost-input: %b\r\nx-litellm-response-cost-output: %b\r\n"
)


_TRIED: Final = b"\r\nx-litellm-attempted-retries: %d\r\nx-litellm-attempted-fallbacks: %d\r\n"
_FIRST: Final = _TRIED % (0, 0)


def upstream(headers: RawHeaders) -> bytes:
    """An upstream's headers as we pass them on. The transport's parser has refused CR, LF and NUL in them."""
    parts: list[bytes] = []
    for name, value in headers:
        if name not in _NOT_PASSED:
            parts += (b"llm_provider-", name, b": ", value, b"\r\n")
    return b"".join(parts)


def of_deployment(deployment: Deployment) -> bytes:
    """Made once and kept on the deployment."""
    if deployment.headers is None:
        target = deployment.target
        named = (
            ("x-litellm-model-id", deployment.id),
            ("x-litellm-model-name", f"{target.provider}/{target.model}"),
            ("x-litellm-model-api-base", deployment.address),
            ("x-litellm-model-group", deployment.model_name),
        )
        deployment.headers = b"".join(line(name, value) for name, value in named if value) + ALWAYS
    return deployment.headers


def line(name: str, value: str) -> bytes:
    """A wildcard's model name is the caller's: no control character of it may reach the wire."""
    clean = "".join(char if char.isprintable() else "?" for char in value)
    return f"{name}: {clean}\r\n".encode("latin-1", "replace")


def of_cost(cost: Cost | None) -> bytes:
    """Dollars. Nothing for a model without a price."""
    if cost is None:
        return b""
    nano, asked, read, created, said, reasoned, tools = cost
    total = dumps(nano / NANO)  # orjson: `%a` takes five times as long for a float
    lines = _COST % (total, total, dumps((asked + read + created) / NANO), dumps((said + reasoned) / NANO))
    return lines + _parts(cost) if read or created or reasoned or tools else lines


def _parts(cost: Cost) -> bytes:
    parts = (
        (b"reasoning", cost.reasoning),
        (b"cache-read", cost.cache_read),
        (b"cache-creation", cost.cache_creation),
        (b"tool-usage", cost.tools),
    )
    return b"".join([b"x-litellm-response-cost-%b: %a\r\n" % (name, dollars(nano)) for name, nano in parts if nano])


def of_call(
    kind: bytes,
    exchange: Exchange,
    served: Served[Any],
    raw: RawHeaders,
    now: float,
    costs: bytes = b"",
) -> bytes:
    """`kind` is the content type's line; `now` is on the clock of `exchange.started`, and ends our part of the time.

    `costs` are lines of `of_cost`: a stream has none, its status line goes out before its usage is known.
    """
    call_id = exchange.call_id.encode()
    total = now - exchange.started
    exchange.overhead_seconds = overhead = max(0.0, total - exchange.upstream_seconds - served.lost)
    tried = _FIRST if not (served.retries or served.fallbacks) else _TRIED % (served.retries, served.fallbacks)
    return b"".join((
        kind, b"x-litellm-call-id: ", call_id, b"\r\nx-request-id: ", call_id, tried,
        b"x-litellm-response-duration-ms: ", dumps(int(total * 1e6) / 1000),
        b"\r\nx-litellm-overhead-duration-ms: ", dumps(int(overhead * 1e6) / 1000),
        b"\r\n", costs, of_deployment(served.deployment), upstream(raw),
    ))  # fmt: skip


def of_answer(exchange: Exchange) -> bytes:
    """Of every answer that is no model's."""
    call_id = exchange.call_id.encode()
    return b"%bx-litellm-call-id: %b\r\nx-request-id: %b\r\n%b" % (JSON, call_id, call_id, ALWAYS)


def of_error(exchange: Exchange) -> bytes:
    return of_answer(exchange) + b"x-litellm-response-cost: 0\r\n"
