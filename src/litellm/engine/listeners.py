"""Who is to be told of a call: the callbacks that are set, sorted by what they want to hear."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from litellm.integrations import registry
from litellm.integrations.custom_logger import overrides
from litellm.settings import Settings
from litellm.types.calls import Json

Moment = Literal["input", "post", "stream", "success", "failure"]

_SYNC_HOOKS: dict[Moment, str] = {
    "input": "log_pre_api_call",
    "post": "log_post_api_call",
    "stream": "log_stream_event",
    "success": "log_success_event",
    "failure": "log_failure_event",
}
_ASYNC_HOOKS: dict[Moment, str] = {
    "stream": "async_log_stream_event",
    "success": "async_log_success_event",
    "failure": "async_log_failure_event",
}

# `callbacks` hear everything; the names with an underscore are LiteLLM's own lists, which some packages fill.
_LISTS: tuple[tuple[str, tuple[Moment, ...]], ...] = (
    ("callbacks", ("input", "post", "stream", "success", "failure")),
    ("input_callback", ("input",)),
    ("_async_input_callback", ("input",)),
    ("success_callback", ("post", "stream", "success")),
    ("_async_success_callback", ("post", "stream", "success")),
    ("failure_callback", ("failure",)),
    ("_async_failure_callback", ("failure",)),
)


@dataclass(slots=True)
class Heard:
    """One callback at one moment. `hook` is what to call: a function, or a logger's bound method."""

    name: str
    hook: Any
    listener: Any
    is_async: bool
    is_logger: bool


@dataclass(slots=True)
class Listeners:
    """Of one call. `any_sync`: some run in a worker thread; `any_async`: some on the loop."""

    at: dict[Moment, list[Heard]] = field(default_factory=dict[Moment, list[Heard]])
    any_sync: bool = False
    any_async: bool = False

    def add(self, moment: Moment, heard: Heard) -> None:
        self.at.setdefault(moment, []).append(heard)
        self.any_sync = self.any_sync or not heard.is_async
        self.any_async = self.any_async or heard.is_async


def of(settings: Settings, asynchronous: bool) -> Listeners:
    """The listeners of one call. Raises ValueError for a name that stands for no callback."""
    return gather(((getattr(settings, name), moments) for name, moments in _LISTS), asynchronous)


def gather(lists: Iterable[tuple[Any, tuple[Moment, ...]]], asynchronous: bool) -> Listeners:
    made = Listeners()
    seen: set[tuple[int, Moment]] = set()
    for items, moments in lists:
        for item in items or ():
            listener = registry.named(item) if isinstance(item, str) else item
            for moment in moments:
                if (id(listener), moment) not in seen:
                    seen.add((id(listener), moment))
                    _add(made, moment, listener, asynchronous)
    return made


def add_own(made: Listeners, function: Callable[[Json], Any]) -> None:
    """A call's `logger_fn`: given the call's dict before it is sent, and again when an answer is back."""
    name = getattr(function, "__qualname__", "logger_fn")
    for moment in ("input", "post"):
        made.add(moment, Heard(name, lambda kwargs, *_: function(kwargs), function, False, False))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]


def _add(made: Listeners, moment: Moment, listener: Any, asynchronous: bool) -> None:
    if is_logger(listener):
        hook = _hook_of(listener, moment, asynchronous)
        if hook is not None:
            name = f"{type(listener).__name__}.{hook}"
            made.add(moment, Heard(name, getattr(listener, hook), listener, hook.startswith("async_"), True))
    elif callable(listener) and moment in ("input", "success", "failure"):
        name = getattr(listener, "__qualname__", type(listener).__name__)
        made.add(moment, Heard(name, listener, listener, _is_async(listener), False))


def is_logger(listener: Any) -> bool:
    """A CustomLogger, or an object with its hooks."""
    return not isinstance(listener, type) and any(hasattr(listener, hook) for hook in _SYNC_HOOKS.values())


def _hook_of(logger: Any, moment: Moment, asynchronous: bool) -> str | None:
    """The form that fits the call, else the other one; None if the logger has neither."""
    forms = (_ASYNC_HOOKS.get(moment), _SYNC_HOOKS[moment])
    ordered = forms if asynchronous else forms[::-1]
    return next((hook for hook in ordered if hook is not None and overrides(logger, hook)), None)


def _is_async(function: Any) -> bool:
    """A coroutine function, or an object whose call is one."""
    kind: Any = type(function)  # pyright: ignore[reportUnknownVariableType]
    call = getattr(kind, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
