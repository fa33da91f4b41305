"""An old import path; see `_reexport.py`."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.integrations.registry": "_in_memory_loggers=LOGGERS",
        "litellm.types.standard_logging": "StandardLoggingPayload",
        "litellm.unbuilt": "_extract_response_obj_and_hidden_params",
    },
)
