"""An old import path; see `_reexport.py`."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.sdk.costs": """
            completion_cost cost_per_token get_response_cost_from_hidden_params response_cost_calculator""",
    },
)
