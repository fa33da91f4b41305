"""Several calls at once for a synchronous caller: many prompts to one model, or one prompt to many models."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Final

from litellm import exceptions as e
from litellm.sdk import portal, public

MAX_WORKERS: Final = 100

_log: Final = logging.getLogger("litellm")


def batch_completion(
    model: str,
    messages: Sequence[Any] = (),
    functions: list[Any] | None = None,
    function_call: Any = None,
    temperature: float | None = None,
    top_p: float | None = None,
    n: int | None = None,
    stream: bool | None = None,
    stop: Any = None,
    max_tokens: int | None = None,
    presence_penalty: float | None = None,
    frequency_penalty: float | None = None,
    logit_bias: dict[Any, Any] | None = None,
    user: str | None = None,
    deployment_id: str | None = None,
    request_timeout: float | None = None,
    timeout: Any = None,
    max_workers: int | None = MAX_WORKERS,
    **kwargs: Any,
) -> list[Any]:
    """One completion per list of messages, at most `max_workers` at once. In the place of one that fails stands its
    exception."""
    given = {**locals()}
    further = {**given.pop("kwargs")}
    prompts, workers = given.pop("messages"), given.pop("max_workers") or MAX_WORKERS
    arguments = {**{name: value for name, value in given.items() if value is not None}, **further}

    def one(prompt: Any) -> Any:
        try:
            return public.function("completion")(messages=prompt, **arguments)
        except Exception as error:  # the caller finds it in the list, whatever it is
            return error

    if not prompts:
        return []
    with ThreadPoolExecutor(min(workers, len(prompts)), thread_name_prefix="litellm-batch") as pool:
        running = [pool.submit(copy_context().run, one, prompt) for prompt in prompts]
        return [future.result() for future in running]


def batch_completion_models(*args: Any, **kwargs: Any) -> Any:
    """One prompt to several `models` (names), or `deployments` (dicts of arguments), at once: the first answer.

    The other calls are cancelled. If all fail, the last one's error is raised.
    """
    asked = _asked(kwargs)
    return portal.run_sync(lambda: first_of(_calls(asked, args)))


def batch_completion_models_all_responses(*args: Any, **kwargs: Any) -> list[Any]:
    """One prompt to several `models` at once: all answers, in the order of the models. Those that failed are left out,
    and logged."""
    asked = _asked(kwargs)
    return portal.run_sync(lambda: _all(asked, args))


def _asked(kwargs: dict[str, Any]) -> list[dict[str, Any]]:
    """The arguments of each call."""
    models: Any = kwargs.pop("models", None) or kwargs.pop("model", None)
    deployments: Any = kwargs.pop("deployments", None)
    if deployments:
        kwargs.pop("model_list", None)
        return [{**kwargs, **deployment} for deployment in deployments]
    names: list[str] = [models] if isinstance(models, str) else list(models or ())
    if not names:
        raise e.BadRequestError(message="`models` or `deployments` must say whom to ask", llm_provider="", model="")
    return [{**kwargs, "model": name} for name in names]


def _calls(asked: list[dict[str, Any]], args: tuple[Any, ...]) -> list[Coroutine[Any, Any, Any]]:
    acompletion = public.function("acompletion")
    rest = {"messages": args[0]} if args else {}
    return [acompletion(**rest, **arguments) for arguments in asked]


async def first_of(calls: Sequence[Coroutine[Any, Any, Any]]) -> Any:
    """The first answer of several calls, at least one; the others are cancelled. If all fail, the last one's error."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    error: Exception | None = None
    try:
        for done in asyncio.as_completed(tasks):
            try:
                return await done
            except e.LiteLLMError as raised:
                error = raised
        assert error is not None, "somebody was asked"
        raise error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _all(asked: list[dict[str, Any]], args: tuple[Any, ...]) -> list[Any]:
    answers = await asyncio.gather(*_calls(asked, args), return_exceptions=True)
    for arguments, answer in zip(asked, answers, strict=True):
        if isinstance(answer, BaseException):
            _log.warning("litellm: no answer from %s: %s", arguments["model"], type(answer).__name__)
    return [answer for answer in answers if not isinstance(answer, BaseException)]
