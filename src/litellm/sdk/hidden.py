"""`response._hidden_params`: what users read beside the answer (litellm-contract 1a.5)."""

from typing import Any, Final

from litellm.engine.upstream import additional_headers
from litellm.router.deployments import Deployment
from litellm.types.calls import Json
from litellm.types.http import RawHeaders

_CONTENT: Final = frozenset({"messages", "input", "prompt"})


def hidden_params(deployment: Deployment, headers: RawHeaders, params: Json, call_id: str) -> dict[str, Any]:
    target = deployment.target
    return {
        "custom_llm_provider": target.provider,
        "region_name": None,
        "additional_headers": additional_headers(headers),
        "optional_params": {name: value for name, value in params.items() if name not in _CONTENT},
        "litellm_call_id": call_id,
        "api_base": target.base_url,
        "model_id": deployment.id or None,
        "response_cost": None,
        "litellm_model_name": target.model,
    }
