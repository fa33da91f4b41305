"""An old import path; see `_reexport.py`."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.integrations.metadata": "get_or_create_metadata_bucket",
        "litellm.types.utils": "map_finish_reason",
    },
)
