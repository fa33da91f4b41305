"""One call as its callbacks are told of it: a Record, from the first news (input) to the last (success or failure).

There is a Record only if somebody listens. All it does in the call's own time is to note values; what callbacks see is
put together when the news is delivered (`delivery.py`).
"""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from datetime import datetime
from functools import partial
from typing import Any, Final

from litellm.engine import standard
from litellm.engine.delivery import Job, delivery
from litellm.engine.listeners import Heard, Listeners, Moment
from litellm.types.calls import Ask, Json, Op, Target

Price = Callable[[Any, float], Json | None]
"""(response, seconds) -> what the call cost, as a CostBreakdown; None for a model without a known price."""

_CONTENT: Final[dict[Op, str]] = {"chat": "messages", "completion": "prompt", "embedding": "input"}
_CALL_TYPES: Final[dict[Op, str]] = {"chat": "completion", "completion": "text_completion", "embedding": "embedding"}
_EVENT_TYPES: Final[dict[Moment, str]] = {
    "input": "pre_api_call",
    "post": "post_api_call",
    "stream": "stream",
    "success": "successful_api_call",
    "failure": "failed_api_call",
}


class Record:
    """`kwargs` is the dict that all callbacks of the call are given. `metadata` and what `ours` has of the names that
    steer us go into its `litellm_params`. `price` says what it cost; without one the hidden parameters do.

    Methods return at once and raise nothing of a callback's.
    """

    __slots__ = ("_context", "_done", "_first", "_listeners", "_loop", "_redact", "kwargs", "price")

    def __init__(
        self,
        listeners: Listeners,
        op: Op,
        asynchronous: bool,
        ours: Json,
        *,
        redact: bool = False,
    ) -> None:
        self._listeners = listeners
        self.price: Price | None = None
        self._redact = redact
        self._context = copy_context()
        self._loop = asyncio.get_running_loop()
        if listeners.any_async:
            delivery.enter(self._loop)
        self._first: datetime | None = None
        self._done = False
        self.kwargs = _kwargs(op, asynchronous, ours)

    @property
    def usage_wanted(self) -> bool:
        """Somebody will ask what the call cost."""
        return "success" in self._listeners.at

    def began(self, ask: Ask, target: Target | None, group: str | None = None) -> None:
        """What is asked is known, and before it is sent. `target` is None while a router has yet to choose."""
        kwargs = self.kwargs
        content = ask.params.get(_CONTENT[ask.op])
        params = {name: value for name, value in ask.params.items() if name != _CONTENT[ask.op]}
        kwargs.update(
            {name: value for name, value in params.items() if name not in kwargs},
            model=ask.model if target is None else target.model,
            messages=[{"role": "user", "content": content}] if ask.op == "completion" else content,
            input=content,
            optional_params=params,
            litellm_call_id=ask.call_id,
            stream=ask.stream,
            user=params.get("user"),
        )
        kwargs["litellm_trace_id"] = kwargs["litellm_trace_id"] or ask.call_id
        kwargs["litellm_params"]["litellm_call_id"] = ask.call_id
        kwargs["additional_args"] = {"complete_input_dict": {**ask.params, "model": kwargs["model"]}, "headers": {}}
        if group is not None:
            kwargs["litellm_params"]["metadata"].setdefault("model_group", group)
        if target is not None:
            self.goes_to(target)
        self._tell("input", None)

    def goes_to(self, target: Target) -> None:
        kwargs = self.kwargs
        kwargs["model"] = target.model
        for values in (kwargs, kwargs["litellm_params"]):
            values["custom_llm_provider"] = target.provider
            values["api_base"] = target.base_url
        kwargs["additional_args"]["api_base"] = target.base_url

    def first(self) -> None:
        """The first part of a stream has come."""
        self._first = datetime.now()

    def chunk(self, chunk: Any) -> None:
        """A part of a stream has reached the caller."""
        if self._first is None:
            self.first()
        if "stream" in self._listeners.at:
            self._tell("stream", chunk)

    def succeeded(self, response: Any, hidden: Json) -> None:
        """`response` is the answer, or a function that makes it: then it is called when the news is delivered."""
        if not self._done:
            self._done = True
            self._end("success", response, hidden, None)

    def failed(self, error: BaseException, hidden: Json | None = None) -> None:
        if not self._done:
            self._done = True
            self._end("failure", None, hidden or {}, error)

    def _end(self, moment: Moment, response: Any, hidden: Json, error: BaseException | None) -> None:
        if moment in self._listeners.at or "post" in self._listeners.at:
            ended = datetime.now()
            self._tell(moment, response, partial(self._complete, response, hidden, error, ended))

    def _complete(self, response: Any, hidden: Json, error: BaseException | None, ended: datetime) -> Any:
        """The call's end, written into its dict; the response."""
        kwargs = self.kwargs
        whole = response() if callable(response) else response
        streamed = kwargs["stream"] and error is None
        kwargs.update(
            end_time=ended,
            completion_start_time=self._first or ended,
            original_response=whole,
            response_headers=hidden.get("additional_headers"),
        )
        kwargs["litellm_params"]["model_info"].setdefault("id", hidden.get("model_id"))
        if error is not None:
            kwargs.update(exception=error, traceback_exception=standard.trace_of(error))
        else:
            seconds = (ended - kwargs["start_time"]).total_seconds()
            parts = self.price(whole, seconds) if self.price else None
            kwargs["response_cost"] = parts["total_cost"] if parts else hidden.get("response_cost")
            kwargs["cost_breakdown"] = parts
        kwargs["standard_logging_object"] = standard.payload(kwargs, whole, hidden)
        if streamed:
            kwargs["complete_streaming_response"] = kwargs["async_complete_streaming_response"] = whole
        return whole

    def _tell(self, moment: Moment, response: Any, complete: Callable[[], Any] | None = None) -> None:
        at = self._listeners.at
        news = _News(self, moment, response, complete)
        post = at.get("post", ()) if complete is not None and moment == "success" and not self.kwargs["stream"] else ()
        heard = at.get(moment, ())
        steps = [(one.name, partial(news.post, one)) for one in post if not one.is_async]
        steps += [(one.name, partial(news.call, one)) for one in heard if not one.is_async]
        async_steps = [(one.name, partial(news.acall, one)) for one in heard if one.is_async]
        if steps or async_steps:
            job = Job(news.prepare, steps, async_steps, self._context, self._loop)
            delivery.post(job, threaded=self._listeners.any_sync)


class _News:
    """One moment of one call, on its way to the callbacks."""

    __slots__ = ("_complete", "_record", "_response", "moment")

    def __init__(self, record: Record, moment: Moment, response: Any, complete: Callable[[], Any] | None) -> None:
        self._record = record
        self.moment: Moment = moment
        self._response = response
        self._complete = complete

    def prepare(self) -> None:
        if self._complete is not None:
            self._response = self._complete()
        self._record.kwargs["log_event_type"] = _EVENT_TYPES[self.moment]

    def call(self, heard: Heard) -> Any:
        """Call a callback with what its kind takes. An asynchronous one gives a coroutine."""
        kwargs, response = self._shown(heard)
        if self.moment == "input":
            if heard.is_logger:
                return heard.hook(kwargs["model"], kwargs["messages"], kwargs)
            return heard.hook(kwargs)
        end = kwargs.get("end_time") or datetime.now()
        return heard.hook(kwargs, response, kwargs["start_time"], end)

    async def acall(self, heard: Heard) -> None:
        await self.call(heard)

    def post(self, heard: Heard) -> None:
        kwargs, _ = self._shown(heard)
        heard.hook(kwargs, None, kwargs["start_time"], kwargs["end_time"])

    def _shown(self, heard: Heard) -> tuple[Json, Any]:
        record = self._record
        if not record._redact and not getattr(heard.listener, "turn_off_message_logging", False):  # pyright: ignore[reportPrivateUsage]
            return record.kwargs, self._response
        return standard.redacted(record.kwargs), standard.redacted_response(self._response)


def _kwargs(op: Op, asynchronous: bool, ours: Json) -> Json:
    metadata: Json = dict(ours.get("metadata") or {})
    prefix = "a" if asynchronous else ""
    return {
        "model": "",
        "messages": None,
        "input": None,
        "optional_params": {},
        "litellm_params": {
            "metadata": metadata,
            "litellm_metadata": ours.get("litellm_metadata"),
            "acompletion": asynchronous and op == "chat",
            "aembedding": asynchronous and op == "embedding",
            "api_base": "",
            "custom_llm_provider": None,
            "litellm_call_id": "",
            "litellm_session_id": ours.get("litellm_session_id"),
            "tags": ours.get("tags"),
            "model_info": dict(ours.get("model_info") or {}),
            "proxy_server_request": ours.get("proxy_server_request"),
            "base_model": ours.get("base_model"),
            **{name: value for name, value in ours.items() if "cost_per" in name and value is not None},
        },
        "call_type": prefix + _CALL_TYPES[op],
        "litellm_call_id": "",
        "litellm_trace_id": ours.get("litellm_trace_id"),
        "stream": False,
        "user": None,
        "custom_llm_provider": None,
        "api_base": "",
        "additional_args": {},
        "start_time": datetime.now(),
        "end_time": None,
        "completion_start_time": None,
        "response_cost": None,
        "cost_breakdown": None,
        "cache_hit": None,
        "standard_logging_object": None,
        "log_event_type": None,
    }
