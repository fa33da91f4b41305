"""An old import path; see `_reexport.py`."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.catalog.vendors": "MANTLE_HOST_RE=MANTLE_HOST",
        "litellm.unbuilt": "BedrockMantleAuthMixin",
    },
)
