"""An old import path; see `_reexport.py`."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.sdk.cache": "Cache",
        "litellm.unbuilt": "DualCache InMemoryCache",
        "litellm.types.caching": "LiteLLMCacheType",
    },
)
