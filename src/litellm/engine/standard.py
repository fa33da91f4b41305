"""The StandardLoggingPayload of a call, and how prompts and answers are hidden."""

import traceback
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any, Final, cast

from pydantic import BaseModel

from litellm.types.calls import Json
from litellm.types.standard_logging import StandardLoggingPayload, StandardLoggingPayloadErrorInformation

REDACTED: Final = "redacted-by-litellm"

_WHO: Final = (
    "user_api_key_hash", "user_api_key_alias", "user_api_key_user_id", "user_api_key_user_email",
    "user_api_key_team_id", "user_api_key_team_alias", "user_api_key_org_id", "user_api_key_end_user_id",
    "user_api_key_request_route", "spend_logs_metadata", "requester_ip_address", "requester_custom_headers",
    "applied_guardrails", "prompt_management_metadata", "mcp_tool_call_metadata", "vector_store_request_metadata",
)  # fmt: skip


def payload(kwargs: Json, response: Any, hidden: Mapping[str, Any]) -> StandardLoggingPayload:
    """`kwargs` is the call's dict after its end, `response` what came back (None of a failure), `hidden` its
    `_hidden_params`."""
    metadata: Json = kwargs["litellm_params"]["metadata"]
    error: BaseException | None = kwargs.get("exception")
    start, end = cast(datetime, kwargs["start_time"]), cast(datetime, kwargs["end_time"])
    usage = usage_of(response)
    status = "failure" if error is not None else "success"
    guardrails = metadata.get("standard_logging_guardrail_information")
    return {
        "id": _get(response, "id") or kwargs["litellm_call_id"],
        "trace_id": kwargs["litellm_trace_id"],
        "session_id": kwargs["litellm_params"]["litellm_session_id"],
        "litellm_call_id": kwargs["litellm_call_id"],
        "call_type": kwargs["call_type"],
        "stream": kwargs["stream"],
        "response_cost": kwargs["response_cost"] or 0.0,
        "cost_breakdown": kwargs["cost_breakdown"],
        "response_cost_failure_debug_info": kwargs.get("response_cost_failure_debug_information"),
        "status": status,
        "status_fields": {"llm_api_status": status, "guardrail_status": "success" if guardrails else "not_run"},
        "custom_llm_provider": kwargs["custom_llm_provider"],
        "total_tokens": _count(usage, "total_tokens"),
        "prompt_tokens": _count(usage, "prompt_tokens"),
        "completion_tokens": _count(usage, "completion_tokens"),
        "startTime": start.timestamp(),
        "endTime": end.timestamp(),
        "completionStartTime": cast(datetime, kwargs["completion_start_time"]).timestamp(),
        "response_time": (end - start).total_seconds(),
        "model_map_information": {"model_map_key": kwargs["model"], "model_map_value": kwargs.get("model_map_value")},
        "model": kwargs["model"],
        "model_id": hidden.get("model_id"),
        "model_group": metadata.get("model_group"),
        "api_base": kwargs["api_base"],
        "metadata": cast(
            Any,
            {name: metadata.get(name) for name in _WHO}
            | {"requester_metadata": metadata.get("requester_metadata", metadata) or None, "usage_object": usage},
        ),
        "cache_hit": kwargs["cache_hit"],
        "cache_key": hidden.get("cache_key"),
        "saved_cache_cost": 0.0,
        "request_tags": list(metadata.get("tags") or kwargs["litellm_params"]["tags"] or ()),
        "end_user": kwargs["user"],
        "requester_ip_address": metadata.get("requester_ip_address"),
        "user_agent": metadata.get("user_agent"),
        "messages": kwargs["messages"],
        "response": plain(response),
        "error_str": None if error is None else str(error),
        "error_information": None if error is None else _error(error),
        "model_parameters": kwargs["optional_params"],
        "hidden_params": {
            "model_id": hidden.get("model_id"),
            "cache_key": hidden.get("cache_key"),
            "api_base": hidden.get("api_base"),
            "response_cost": kwargs["response_cost"],
            "litellm_overhead_time_ms": hidden.get("litellm_overhead_time_ms"),
            "additional_headers": hidden.get("additional_headers"),
            "batch_models": None,
            "litellm_model_name": hidden.get("litellm_model_name"),
            "usage_object": usage,
        },
        "guardrail_information": guardrails,
    }


def usage_of(response: Any) -> Json | None:
    usage = _get(response, "usage")
    return plain(usage) if usage else None


def plain(value: Any) -> Any:
    """A result object as JSON; anything else as it is."""
    return value.model_dump() if isinstance(value, BaseModel) else value


def _get(response: Any, name: str) -> Any:
    return cast(Json, response).get(name) if isinstance(response, dict) else getattr(response, name, None)


def _count(usage: Json | None, name: str) -> int:
    value = (usage or {}).get(name)
    return value if isinstance(value, int) else 0


def _error(error: BaseException) -> StandardLoggingPayloadErrorInformation:
    status = getattr(error, "status_code", None)
    return {
        "error_code": None if status is None else str(status),
        "error_class": type(error).__name__,
        "llm_provider": getattr(error, "llm_provider", None),
        "traceback": trace_of(error),
        "error_message": str(error),
    }


def trace_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


# What a call's dict holds of prompts and answers.
_PROMPTS: Final[dict[str, Any]] = {
    "messages": [{"role": "user", "content": REDACTED}],
    "input": REDACTED,
    "prompt": REDACTED,
}
_ANSWERS: Final = ("complete_streaming_response", "async_complete_streaming_response", "original_response")


def redacted(kwargs: Json) -> Json:
    """The call's dict without what was asked and answered; the same dict otherwise, metadata included."""
    hidden = {**kwargs, **{name: value for name, value in _PROMPTS.items() if name in kwargs}}
    for name in _ANSWERS:
        if name in hidden:
            hidden[name] = redacted_response(hidden[name])
    arguments: Json = kwargs["additional_args"]
    sent: Json = arguments.get("complete_input_dict") or {}
    cut = {name: _PROMPTS.get(name, value) for name, value in sent.items()}
    hidden["additional_args"] = {**arguments, "complete_input_dict": cut}
    logged: Json | None = kwargs.get("standard_logging_object")
    if logged is not None:
        answer = None if logged["response"] is None else redacted_response(logged["response"])
        hidden["standard_logging_object"] = {**logged, "messages": _PROMPTS["messages"], "response": answer}
    return hidden


def redacted_response(response: Any) -> Any:
    """A copy whose texts are hidden; ids, counts and reasons stay."""
    if isinstance(response, BaseModel | dict):
        copy: Any = deepcopy(cast(Any, response))
        for choice in _get(copy, "choices") or ():
            _hide(choice)
        if _get(copy, "data"):
            copy["data"] = []
        return copy
    return None if response is None else REDACTED


_KEPT: Final = frozenset({"role"})


def _hide(choice: Any) -> None:
    """The texts of one choice: a message, a delta, or a text completion's."""
    if choice.get("text") is not None:
        choice["text"] = REDACTED
    for part in filter(None, (choice.get("message"), choice.get("delta"))):
        for name in list(part.keys()):
            if name not in _KEPT and part.get(name) is not None:
                part[name] = REDACTED if name == "content" else None
