"""The headers of an inference answer (litellm-contract 1b.7).

What depends on the deployment alone is made once per deployment; a call adds its id, its times and the upstream's own
headers under `llm_provider-`.
"""

from typing import Final

from litellm._version import version
from litellm.proxy.exchange import Exchange, HeaderList
from litellm.router.deployments import Deployment
from litellm.types.http import RawHeaders

JSON: Final = (b"content-type", b"application/json")
SSE: Final = (b"content-type", b"text/event-stream; charset=utf-8")

ALWAYS: Final[HeaderList] = [
    (b"x-litellm-version", version.encode()),
    (b"vary", b"Origin"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
]

# Hop-by-hop, or about a body that has been decoded and encoded anew, or a session with the gateway alone.
_NOT_PASSED: Final = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"content-length",
     b"content-encoding", b"proxy-authenticate", b"set-cookie"}
)  # fmt: skip
_MAX_NAMES: Final = 1000
_passed: dict[bytes, bytes] = {}  # an upstream's header name -> ours; bounded


def upstream(headers: RawHeaders) -> HeaderList:
    """An upstream's headers as we pass them on."""
    passed: HeaderList = []
    for name, value in headers:
        ours = _passed.get(name)
        if ours is None:
            ours = b"" if name in _NOT_PASSED else b"llm_provider-" + name
            if len(_passed) < _MAX_NAMES:
                _passed[name] = ours
        if ours:
            passed.append((ours, value))
    return passed


def of_deployment(deployment: Deployment) -> HeaderList:
    """Made once and kept on the deployment."""
    if deployment.headers is None:
        target = deployment.target
        named = (
            (b"x-litellm-model-id", deployment.id),
            (b"x-litellm-model-name", f"{target.provider}/{target.model}"),
            (b"x-litellm-model-api-base", target.base_url),
            (b"x-litellm-model-group", deployment.model_name),
        )
        deployment.headers = [(name, _field_value(value)) for name, value in named if value] + ALWAYS
    return deployment.headers


def _field_value(text: str) -> bytes:
    """A wildcard's model name is the caller's: no control character of it may reach the wire."""
    return "".join(char if char.isprintable() else "?" for char in text).encode("latin-1", "replace")


def of_call(
    exchange: Exchange, deployment: Deployment, retries: int, raw: RawHeaders, kind: tuple[bytes, bytes], now: float
) -> HeaderList:
    call_id = exchange.call_id.encode()
    total = (now - exchange.started) * 1000
    overhead = total - exchange.upstream_seconds * 1000
    return [
        kind,
        (b"x-litellm-call-id", call_id),
        (b"x-request-id", call_id),
        (b"x-litellm-attempted-retries", b"%d" % retries),
        (b"x-litellm-attempted-fallbacks", b"0"),
        (b"x-litellm-response-duration-ms", b"%.3f" % total),
        (b"x-litellm-overhead-duration-ms", b"%.3f" % overhead),
        *of_deployment(deployment),
        *upstream(raw),
    ]


def of_error(exchange: Exchange) -> HeaderList:
    call_id = exchange.call_id.encode()
    return [JSON, (b"x-litellm-call-id", call_id), (b"x-request-id", call_id), *ALWAYS]
