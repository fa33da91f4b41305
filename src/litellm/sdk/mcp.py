"""Tools of the Model Context Protocol as OpenAI's, and calls the other way. The second needs the package `mcp`."""

import json
from importlib import import_module
from typing import Any

from litellm.types.llms.openai import ChatCompletionToolParam


def transform_mcp_tool_to_openai_tool(mcp_tool: Any) -> ChatCompletionToolParam:
    """Of an `mcp.types.Tool`. A schema without a type is an object's: OpenAI refuses others."""
    schema: dict[str, Any] = {"type": "object", "properties": {}, **(mcp_tool.inputSchema or {})}
    return {
        "type": "function",
        "function": {
            "name": mcp_tool.name,
            "description": mcp_tool.description or "",
            "parameters": schema,
            "strict": False,
        },
    }


def transform_openai_tool_call_request_to_mcp_tool_call_request(openai_tool: Any) -> Any:
    """An `mcp.types.CallToolRequestParams` of a tool call of a message, a dict or an object. Raises ValueError if its
    arguments are no JSON, ImportError without `mcp`."""
    function = openai_tool["function"]
    arguments = json.loads(function["arguments"] or "{}")
    return import_module("mcp.types").CallToolRequestParams(name=function["name"], arguments=arguments)
