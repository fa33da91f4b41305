"""Response caches, under LiteLLM's path."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.sdk.cache": "Cache",
        "litellm.unbuilt": "DualCache InMemoryCache",
        "litellm.types.caching": "LiteLLMCacheType",
    },
)
