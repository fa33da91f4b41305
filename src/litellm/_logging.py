"""An old import path; see `_reexport.py`."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.sdk.logs": """
            ALL_LOGGERS _disable_debugging=disable_debugging _enable_debugging=enable_debugging
            _turn_on_debug=turn_on_debug print_verbose verbose_logger verbose_proxy_logger verbose_router_logger""",
    },
)
