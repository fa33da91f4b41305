"""`CustomLogger`: subclass it, override what you need, put an instance into `litellm.callbacks`.

Every hook does nothing. The first group hears about each call, in the SDK and in the gateway; nothing a hook does can
change, delay or fail the call. The second group belongs to the gateway: those hooks stand in a request's way.

In all of them `kwargs` is one dict per call, the same object from `log_pre_api_call` to the end. Its keys: `model`,
`messages`, `input`, `optional_params`, `litellm_params` (with `metadata`), `additional_args`, `litellm_call_id`,
`call_type`, `stream`, `user`, `custom_llm_provider`, `api_base`, `start_time`, and after the call `end_time`,
`completion_start_time`, `response_cost` (dollars or None), `standard_logging_object`
(`types/standard_logging.py`), `cache_hit`; of a stream `complete_streaming_response` and
`async_complete_streaming_response`; of a failure `exception` and `traceback_exception`. The parameters of the call
stand in it under their own names too. API keys do not.

Times are naive local `datetime`s.
"""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

Kwargs = dict[str, Any]


class CustomLogger:
    """`turn_off_message_logging` (or `message_logging=False`) hides prompts and answers from this logger alone."""

    def __init__(self, turn_off_message_logging: bool = False, message_logging: bool = True, **kwargs: Any) -> None:
        self.turn_off_message_logging = turn_off_message_logging or not message_logging
        self.message_logging = not self.turn_off_message_logging

    # Every call. A synchronous call is told to the `log_` form, an asynchronous one to `async_log_`; a class that
    # overrides one form only is told of both kinds there. `async_` hooks run on the loop of the call.

    def log_pre_api_call(self, model: str, messages: Any, kwargs: Kwargs) -> None:
        """Before the provider is called."""

    def log_post_api_call(
        self, kwargs: Kwargs, response_obj: Any, start_time: datetime, end_time: datetime | None
    ) -> None:
        """After a call whose answer came whole, before `log_success_event`."""

    def log_stream_event(self, kwargs: Kwargs, response_obj: Any, start_time: datetime, end_time: datetime) -> None:
        """For each chunk of a stream that the SDK has handed to its caller."""

    def log_success_event(self, kwargs: Kwargs, response_obj: Any, start_time: datetime, end_time: datetime) -> None:
        """After a call that succeeded; of a stream once it ended, with the answer that its chunks add up to."""

    def log_failure_event(self, kwargs: Kwargs, response_obj: Any, start_time: datetime, end_time: datetime) -> None:
        """After a call that failed for good, whatever the reason; `response_obj` is None."""

    async def async_log_stream_event(
        self, kwargs: Kwargs, response_obj: Any, start_time: datetime, end_time: datetime
    ) -> None:
        """As `log_stream_event`."""

    async def async_log_success_event(
        self, kwargs: Kwargs, response_obj: Any, start_time: datetime, end_time: datetime
    ) -> None:
        """As `log_success_event`."""

    async def async_log_failure_event(
        self, kwargs: Kwargs, response_obj: Any, start_time: datetime, end_time: datetime
    ) -> None:
        """As `log_failure_event`."""

    # The gateway's requests. `user_api_key_dict` says who asks (`types/who.py`), `data` is the request's body, `cache`
    # is None. What is raised refuses the request: with its own `status_code`, if it has one. A config that names a
    # callback with one of the last three is refused, for they are not called yet.

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> Exception | str | dict[str, Any] | None:
        """Before the call: return changed `data`, a str to answer with instead, or raise to refuse."""

    async def async_moderation_hook(self, data: dict[str, Any], user_api_key_dict: Any, call_type: str) -> Any:
        """Beside the call: raise to refuse its answer."""

    async def async_post_call_success_hook(self, data: dict[str, Any], user_api_key_dict: Any, response: Any) -> Any:
        """Before the answer goes out: return another one, or raise."""

    async def async_post_call_failure_hook(
        self,
        request_data: dict[str, Any],
        original_exception: Exception,
        user_api_key_dict: Any,
        traceback_str: str | None = None,
    ) -> Any:
        """Before an error goes out as the answer: return or raise another one, with a `status_code`."""

    async def async_post_call_streaming_hook(self, user_api_key_dict: Any, response: str) -> Any:
        """Before a part of a stream goes out. `response` is the text so far: raise, or return an error event
        (`data: {"error": {"message": ...}}`), to end the stream there."""

    async def async_post_call_streaming_iterator_hook(
        self, user_api_key_dict: Any, response: Any, request_data: dict[str, Any]
    ) -> AsyncGenerator[Any, None]:
        """Around a whole stream: yield what is to go out."""
        async for item in response:
            yield item

    async def async_post_call_response_headers_hook(
        self, data: dict[str, Any], user_api_key_dict: Any, response: Any, **kwargs: Any
    ) -> dict[str, str] | None:
        """Further headers for the answer; of a stream before there is a `response`: it is None."""

    async def async_filter_deployments(
        self,
        model: str,
        healthy_deployments: list[Any],
        messages: list[Any] | None,
        request_kwargs: dict[str, Any] | None = None,
        parent_otel_span: Any = None,
    ) -> list[Any]:
        """Which of the deployments may serve this call."""
        return healthy_deployments

    async def async_pre_routing_hook(
        self,
        model: str,
        request_kwargs: dict[str, Any],
        messages: list[dict[str, str]] | None = None,
        input: str | list[Any] | None = None,
        specific_deployment: bool | None = False,
    ) -> Any:
        """Before a deployment is chosen: another model name or other messages."""

    async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> dict[str, Any] | None:
        """After a deployment was chosen: changed parameters for it."""


GATEWAY_HOOKS = (
    "async_pre_call_hook", "async_moderation_hook", "async_post_call_success_hook", "async_post_call_failure_hook",
    "async_post_call_streaming_hook", "async_post_call_streaming_iterator_hook",
    "async_post_call_response_headers_hook", "async_filter_deployments", "async_pre_routing_hook",
    "async_pre_call_deployment_hook",
)  # fmt: skip
"""Hooks that stand in a request's way: whoever overrides one relies on being asked."""


def overrides(logger: object, hook: str) -> bool:
    """Whether a logger does anything at a hook. One that is no CustomLogger does if it has the hook at all."""
    own = getattr(type(logger), hook, None)
    if hook in getattr(logger, "__dict__", ()):  # set on the instance
        return True
    return own is not None and own is not getattr(CustomLogger, hook, None)
