"""Which deployment serves a call, and what next if it fails. LiteLLM's `Router` class is served from here."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.sdk.router": "Router",
        "litellm.types.router": """
            AllowedFailsPolicy CustomRoutingStrategyBase Deployment DeploymentTypedDict GenericLiteLLMParams
            LiteLLM_Params RetryPolicy""",
    },
)
