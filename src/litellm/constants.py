"""An old import path; see `_reexport.py`."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.catalog.constants": """
            DEFAULT_ALLOWED_FAILS DEFAULT_BATCH_SIZE DEFAULT_COOLDOWN_TIME_SECONDS DEFAULT_FLUSH_INTERVAL_SECONDS
            DEFAULT_IMAGE_TOKEN_COUNT DEFAULT_MAX_RETRIES DEFAULT_REPLICATE_POLLING_RETRIES MAX_CALLBACKS
            REPEATED_STREAMING_CHUNK_LIMIT ROUTER_MAX_FALLBACKS""",
    },
)
