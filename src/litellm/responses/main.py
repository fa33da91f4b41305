"""An old import path; see `_reexport.py`."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.unbuilt": """
            acancel_responses adelete_responses aget_responses alist_input_items aresponses cancel_responses
            delete_responses get_responses list_input_items responses""",
    },
)
