"""`CustomGuardrail`: the base of callbacks that may refuse or change a request of the gateway."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, cast

from litellm.integrations.custom_logger import CustomLogger
from litellm.types.guardrails import GuardrailEventHooks, Mode

EventHook = GuardrailEventHooks | str
EventHooks = EventHook | Iterable[EventHook] | Mode


class CustomGuardrail(CustomLogger):
    """`event_hook` says when it looks (one of GuardrailEventHooks, several, or a Mode: by the request's tags).

    With `default_on` it looks at every request, else at those that name it in `guardrails`. Raises ValueError if
    `event_hook` is not among `supported_event_hooks`.
    """

    def __init__(
        self,
        guardrail_name: str | None = None,
        supported_event_hooks: list[GuardrailEventHooks] | None = None,
        event_hook: EventHooks | None = None,
        default_on: bool = False,
        mask_request_content: bool = False,
        mask_response_content: bool = False,
        violation_message_template: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.guardrail_name = guardrail_name
        self.supported_event_hooks = supported_event_hooks
        self.event_hook = event_hook
        self.default_on = default_on
        self.mask_request_content = mask_request_content
        self.mask_response_content = mask_response_content
        self.violation_message_template = violation_message_template
        self.optional_params = kwargs
        if supported_event_hooks and event_hook is not None:
            _refuse_unsupported(event_hook, supported_event_hooks)

    def should_run_guardrail(self, data: Mapping[str, Any], event_type: GuardrailEventHooks) -> bool:
        """Whether it looks at the request `data` at this point."""
        if not self.default_on and self._asked_for(data) is None:
            return False
        if isinstance(self.event_hook, Mode):
            return event_type.value in _hooks_of_tags(self.event_hook, _metadata(data).get("tags"))
        return self.event_hook is None or event_type.value in _values(self.event_hook)

    def get_guardrail_from_metadata(self, data: Mapping[str, Any]) -> list[Any]:
        """What the request says under `guardrails`: names, or objects `{name: {"extra_body": {...}}}`."""
        said: Any = data.get("guardrails") or _metadata(data).get("guardrails")
        return list(cast(list[Any], said)) if isinstance(said, list | tuple) else []

    def get_guardrail_dynamic_request_body_params(self, request_data: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that a request gives this guardrail; empty if none."""
        said = self._asked_for(request_data)
        if not isinstance(said, Mapping):
            return {}
        return dict(cast(Mapping[str, Any], said).get("extra_body") or {})

    def _asked_for(self, data: Mapping[str, Any]) -> Any:
        """The request's entry that names this guardrail."""
        for entry in self.get_guardrail_from_metadata(data):
            if entry == self.guardrail_name:
                return entry
            if isinstance(entry, Mapping) and self.guardrail_name in entry:
                return cast(Mapping[str | None, Any], entry)[self.guardrail_name]
        return None

    async def apply_guardrail(
        self,
        inputs: Any = None,
        request_data: dict[str, Any] | None = None,
        input_type: Literal["request", "response"] = "request",
        logging_obj: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Look at texts outside a request: return them, changed or not, or raise."""
        return inputs

    def add_standard_logging_guardrail_information_to_request_data(
        self,
        guardrail_json_response: Any,
        request_data: dict[str, Any],
        guardrail_status: str,
        start_time: float | None = None,
        end_time: float | None = None,
        duration: float | None = None,
        masked_entity_count: dict[str, int] | None = None,
        **kwargs: Any,
    ) -> None:
        """Note a result in the request's metadata: it is `guardrail_information` of the StandardLoggingPayload."""
        metadata = request_data.setdefault("metadata", {})
        metadata.setdefault("standard_logging_guardrail_information", []).append(
            {
                "guardrail_name": self.guardrail_name,
                "guardrail_mode": self.event_hook,
                "guardrail_response": guardrail_json_response,
                "guardrail_status": guardrail_status,
                "start_time": start_time,
                "end_time": end_time,
                "duration": duration,
                "masked_entity_count": masked_entity_count,
                **kwargs,
            }
        )


def log_guardrail_information(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a hook of a CustomGuardrail: whether it passed or raised is noted in the request's metadata.

    The request is the argument `data` or `request_data`.
    """
    signature = inspect.signature(hook)

    def note(args: tuple[Any, ...], kwargs: dict[str, Any], status: str, said: Any) -> None:
        given = signature.bind_partial(*args, **kwargs).arguments
        data = given.get("data", given.get("request_data"))
        guardrail = args[0] if args else None
        if isinstance(guardrail, CustomGuardrail) and isinstance(data, dict):
            guardrail.add_standard_logging_guardrail_information_to_request_data(
                said, cast(dict[str, Any], data), status
            )

    @functools.wraps(hook)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            result = await hook(*args, **kwargs)
        except Exception as error:
            note(args, kwargs, "guardrail_intervened", str(error))
            raise
        note(args, kwargs, "success", None)
        return result

    return wrapped


def _metadata(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return data.get("metadata") or data.get("litellm_metadata") or {}


def _values(hooks: Any) -> set[str]:
    several = [hooks] if isinstance(hooks, str) else list(hooks or ())
    return {hook.value if isinstance(hook, GuardrailEventHooks) else str(hook) for hook in several}


def _hooks_of_tags(mode: Mode, tags: Any) -> set[str]:
    named = [mode.tags[tag] for tag in tags or () if tag in mode.tags]
    return set[str]().union(*map(_values, named)) if named else _values(mode.default)


def _refuse_unsupported(event_hook: EventHooks, supported: list[GuardrailEventHooks]) -> None:
    if isinstance(event_hook, Mode):
        asked = set[str]().union(_values(event_hook.default), *map(_values, event_hook.tags.values()))
    else:
        asked = _values(event_hook)
    unknown = asked - _values(supported)
    if unknown:
        raise ValueError(f"event hook {', '.join(sorted(unknown))} is not supported (are: {_values(supported)})")
