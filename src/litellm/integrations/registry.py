"""Callbacks that users name by a string: `litellm.success_callback = ["langfuse"]`.

A callback that is built is one row of BUILT: its name, and the module and class of its file here.
"""

from functools import cache
from importlib import import_module
from typing import Any, Final

BUILT: Final[dict[str, tuple[str, str]]] = {}

LOGGERS: Final[list[Any]] = []
"""The callbacks that were made of a name; some packages look here for their own."""

KNOWN: Final = frozenset(
    {
        "agentops", "anthropic_cache_control_hook", "argilla", "arize", "arize_phoenix", "athena", "aws_sqs",
        "azure_content_safety", "azure_sentinel", "azure_storage", "bitbucket", "braintrust", "cloudzero",
        "custom_callback_api", "datadog", "datadog_llm_observability", "datadog_metrics", "deepeval", "dotprompt",
        "dynamic_rate_limiter", "dynamic_rate_limiter_v3", "dynamodb", "email", "focus", "galileo", "gcs_bucket",
        "gcs_pubsub", "generic_api", "gitlab", "greenscale", "helicone", "humanloop", "lago", "langfuse",
        "langfuse_otel", "langsmith", "langtrace", "levo", "literalai", "llmonitor", "logfire", "lunary", "mlflow",
        "newrelic", "openmeter", "opentelemetry", "opik", "otel", "pagerduty", "posthog", "prometheus", "prompt_layer",
        "promptlayer", "resend_email", "s3", "s3_v2", "sendgrid_email", "sentry", "slack", "smtp_email", "supabase",
        "traceloop", "vantage", "vector_store_pre_call_hook", "wandb", "weave_otel",
    }
)  # fmt: skip
"""LiteLLM's names."""


class CallbackNotBuilt(ValueError):
    """A callback of that name exists in LiteLLM, but not here."""


@cache
def named(name: str) -> Any:
    """The callback of a name, one per process. Raises as `check`."""
    check(name)
    module, cls = BUILT[name]
    return getattr(import_module(module), cls)()


def check(name: str) -> None:
    """Raises CallbackNotBuilt, or ValueError for a name nobody knows."""
    if name in BUILT:
        return
    built = f"there are: {', '.join(sorted(BUILT))}" if BUILT else "no callback has a name yet"
    if name in KNOWN:
        raise CallbackNotBuilt(
            f"callback {name!r} is not built yet ({built}). A function, or an instance of a CustomLogger subclass,"
            " works in its place"
        )
    raise ValueError(f"unknown callback {name!r} ({built})")
