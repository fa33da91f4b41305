"""An old import path; see `_reexport.py`."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.sdk.mcp": """
            transform_mcp_tool_to_openai_tool transform_openai_tool_call_request_to_mcp_tool_call_request""",
    },
)
