"""An old import path that is a function too: `litellm.responses(model=..., input=...)`."""

import sys

from litellm._reexport import callable_module, names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.responses.main": """
            acancel_responses adelete_responses aget_responses alist_input_items aresponses cancel_responses
            delete_responses get_responses list_input_items responses""",
    },
)

sys.modules[__name__].__class__ = callable_module("responses")
