"""An old import path; see `_reexport.py`."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.unbuilt": "agenerate_content agenerate_content_stream generate_content generate_content_stream",
    },
)
