"""The calls: `completion`, `embedding`, `text_completion` and their asynchronous forms.

There is one implementation, the asynchronous one; the synchronous functions run it on the portal's loop. The parameters
spelt out are OpenAI's, for editors and introspection; what else is passed goes to the endpoint, or steers us if its
name is one of ours (`catalog/params.py`).
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from litellm import exceptions as e
from litellm.engine.engine import Reply
from litellm.engine.streams import EventStream
from litellm.router.deployments import Deployment
from litellm.sdk import callbacks, fallbacks, portal, sessions, special
from litellm.sdk.ask import Request, request_of
from litellm.sdk.client import client
from litellm.sdk.hidden import hidden_params
from litellm.sdk.streaming import CustomStreamWrapper
from litellm.settings import settings
from litellm.types import utils as types
from litellm.types.calls import Ask, Json, Op, Target

if TYPE_CHECKING:
    from litellm.engine.events import Record
    from litellm.router.router import Served
    from litellm.sdk.cached import Use

OPENAI_HOST: Final = "://api.openai.com"


async def acompletion(
    model: str,
    messages: Sequence[Any] = (),
    timeout: Any = None,
    temperature: float | None = None,
    top_p: float | None = None,
    n: int | None = None,
    stream: bool | None = None,
    stream_options: dict[str, Any] | None = None,
    stop: Any = None,
    max_completion_tokens: int | None = None,
    max_tokens: int | None = None,
    modalities: list[str] | None = None,
    prediction: Any = None,
    audio: Any = None,
    presence_penalty: float | None = None,
    frequency_penalty: float | None = None,
    logit_bias: dict[Any, Any] | None = None,
    user: str | None = None,
    reasoning_effort: str | None = None,
    verbosity: str | None = None,
    response_format: Any = None,
    seed: int | None = None,
    tools: list[Any] | None = None,
    tool_choice: Any = None,
    parallel_tool_calls: bool | None = None,
    web_search_options: Any = None,
    logprobs: bool | None = None,
    top_logprobs: int | None = None,
    deployment_id: str | None = None,
    extra_headers: dict[str, str] | None = None,
    safety_identifier: str | None = None,
    service_tier: str | None = None,
    store: bool | None = None,
    prompt_cache_key: str | None = None,
    functions: list[Any] | None = None,
    function_call: Any = None,
    base_url: str | None = None,
    api_version: str | None = None,
    api_key: str | None = None,
    model_list: list[Any] | None = None,
    thinking: Any = None,
    shared_session: Any = None,
    enable_json_schema_validation: bool | None = None,
    **kwargs: Any,
) -> Any:
    """One chat completion.

    `model` is `provider/name` (`openai/mistral`); `base_url` wins over `api_base`. Unknown keywords go to the endpoint.
    Returns a ModelResponse, or with `stream=True` a CustomStreamWrapper. Raises the errors of `litellm.exceptions`.
    """
    return await _call("chat", True, locals())


def completion(
    model: str,
    messages: Sequence[Any] = (),
    timeout: Any = None,
    temperature: float | None = None,
    top_p: float | None = None,
    n: int | None = None,
    stream: bool | None = None,
    stream_options: dict[str, Any] | None = None,
    stop: Any = None,
    max_completion_tokens: int | None = None,
    max_tokens: int | None = None,
    modalities: list[str] | None = None,
    prediction: Any = None,
    audio: Any = None,
    presence_penalty: float | None = None,
    frequency_penalty: float | None = None,
    logit_bias: dict[Any, Any] | None = None,
    user: str | None = None,
    reasoning_effort: str | None = None,
    verbosity: str | None = None,
    response_format: Any = None,
    seed: int | None = None,
    tools: list[Any] | None = None,
    tool_choice: Any = None,
    parallel_tool_calls: bool | None = None,
    web_search_options: Any = None,
    logprobs: bool | None = None,
    top_logprobs: int | None = None,
    deployment_id: str | None = None,
    extra_headers: dict[str, str] | None = None,
    safety_identifier: str | None = None,
    service_tier: str | None = None,
    store: bool | None = None,
    prompt_cache_key: str | None = None,
    functions: list[Any] | None = None,
    function_call: Any = None,
    base_url: str | None = None,
    api_version: str | None = None,
    api_key: str | None = None,
    model_list: list[Any] | None = None,
    thinking: Any = None,
    shared_session: Any = None,
    enable_json_schema_validation: bool | None = None,
    **kwargs: Any,
) -> Any:
    """One chat completion.

    `model` is `provider/name` (`openai/mistral`); `base_url` wins over `api_base`. Unknown keywords go to the endpoint.
    Returns a ModelResponse, or with `stream=True` a CustomStreamWrapper. Raises the errors of `litellm.exceptions`.
    """
    given = locals()
    return portal.run_sync(lambda: _call("chat", False, given))


async def aembedding(
    model: str,
    input: Any = None,
    dimensions: int | None = None,
    encoding_format: str | None = None,
    timeout: Any = None,
    api_base: str | None = None,
    api_version: str | None = None,
    api_key: str | None = None,
    api_type: str | None = None,
    user: str | None = None,
    custom_llm_provider: str | None = None,
    **kwargs: Any,
) -> Any:
    """Embeddings of `input`: a string, a list of strings, or token ids. Raises as `completion`."""
    return await _call("embedding", True, locals())


def embedding(
    model: str,
    input: Any = None,
    dimensions: int | None = None,
    encoding_format: str | None = None,
    timeout: Any = None,
    api_base: str | None = None,
    api_version: str | None = None,
    api_key: str | None = None,
    api_type: str | None = None,
    user: str | None = None,
    custom_llm_provider: str | None = None,
    **kwargs: Any,
) -> Any:
    """Embeddings of `input`: a string, a list of strings, or token ids. Raises as `completion`."""
    given = locals()
    return portal.run_sync(lambda: _call("embedding", False, given))


async def atext_completion(
    prompt: Any,
    model: str,
    best_of: int | None = None,
    echo: bool | None = None,
    frequency_penalty: float | None = None,
    logit_bias: dict[Any, Any] | None = None,
    logprobs: int | None = None,
    max_tokens: int | None = None,
    n: int | None = None,
    presence_penalty: float | None = None,
    stop: Any = None,
    stream: bool | None = None,
    stream_options: dict[str, Any] | None = None,
    suffix: str | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    user: str | None = None,
    seed: int | None = None,
    timeout: Any = None,
    api_base: str | None = None,
    api_version: str | None = None,
    api_key: str | None = None,
    model_list: list[Any] | None = None,
    custom_llm_provider: str | None = None,
    **kwargs: Any,
) -> Any:
    """One text completion of `prompt`: a string, a list of strings, or token ids. Returns, raises as `completion`."""
    return await _call("completion", True, locals())


def text_completion(
    prompt: Any,
    model: str,
    best_of: int | None = None,
    echo: bool | None = None,
    frequency_penalty: float | None = None,
    logit_bias: dict[Any, Any] | None = None,
    logprobs: int | None = None,
    max_tokens: int | None = None,
    n: int | None = None,
    presence_penalty: float | None = None,
    stop: Any = None,
    stream: bool | None = None,
    stream_options: dict[str, Any] | None = None,
    suffix: str | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    user: str | None = None,
    seed: int | None = None,
    timeout: Any = None,
    api_base: str | None = None,
    api_version: str | None = None,
    api_key: str | None = None,
    model_list: list[Any] | None = None,
    custom_llm_provider: str | None = None,
    **kwargs: Any,
) -> Any:
    """One text completion of `prompt`: a string, a list of strings, or token ids. Returns, raises as `completion`."""
    given = locals()
    return portal.run_sync(lambda: _call("completion", False, given))


async def _call(op: Op, asynchronous: bool, given: dict[str, Any]) -> Any:
    """`given` is a function's `locals()`: its named arguments and `kwargs`."""
    further = given.pop("kwargs")  # first: what is unpacked must not hold it any more
    given = {**given, **further}
    if not special.perhaps(further, given):
        return await _carry(op, asynchronous, given)
    if fallbacks.asked(given):
        return await fallbacks.tried(given, partial(_one, op, asynchronous))
    return await _one(op, asynchronous, given)


async def _one(op: Op, asynchronous: bool, given: dict[str, Any]) -> Any:
    if callbacks.anybody(given):
        return await _told(op, asynchronous, given)
    return await _carry(op, asynchronous, given, plain=False)


async def _told(op: Op, asynchronous: bool, given: dict[str, Any]) -> Any:
    """The same, with callbacks that are told of it."""
    record = callbacks.record_of(op, asynchronous, given)
    try:
        made = await _carry(op, asynchronous, given, record, plain=False)
    except BaseException as error:
        if record is not None:
            record.failed(error)
        raise
    if record is not None and not isinstance(made, CustomStreamWrapper):
        record.succeeded(made, made._hidden_params)
    return made


async def _carry(
    op: Op, asynchronous: bool, given: dict[str, Any], record: "Record | None" = None, plain: bool = True
) -> Any:
    """`plain`: there is nothing about the call that most have not (`special.py`)."""
    started = time.perf_counter()
    own = None if plain else sessions.own(given, asynchronous)
    if own is not None:
        given = sessions.with_clients_own(own, given)
    request = request_of(op, given)
    ask = request.ask
    if op == "chat" and not given.get("messages"):
        raise e.BadRequestError(message="messages must be a non-empty list", llm_provider="", model=ask.model)
    deployment = Deployment(
        "" if plain else _id(given), ask.model, client.target(request.wish, ask.mock is not None, asynchronous)
    )
    if not plain:
        await _mocked_delay(given, request)
    if ask.stream:
        _ask_for_usage(ask.params, deployment.target, record)
    if record is not None:
        record.began(ask, deployment.target)
    use = None
    if not plain and (settings.cache is not None or given.get("caching")):
        use = _cached(op, given, ask, deployment)
    router: Any = await client.router() if own is None else sessions.router_over(own, ask.model)
    if use is not None:
        router = use.over(router)
    if not ask.stream:
        served = await router.send(ask, (deployment,), request.num_retries)
        made = _response(op, request, served, started, {} if plain else given)
    else:
        streamed = await router.stream(ask, (deployment,), request.num_retries)
        made = _stream(op, request, deployment, streamed.result, record, {} if plain else given)
    if use is not None:
        use.mark(made._hidden_params, record)  # pyright: ignore[reportPrivateUsage]
    return made


def _cached(op: Op, given: Json, ask: Ask, deployment: Deployment) -> "Use | None":
    """Loaded for a program that has a cache."""
    from litellm.sdk import cached

    return cached.use(op, given, ask, deployment)


def _id(given: Json) -> str:
    """A deployment's, if the call goes to one of a Router's."""
    info: Json = given.get("model_info") or {}
    return info.get("id") or ""


def _response(op: Op, request: Request, served: "Served[Reply]", started: float, given: Json) -> Any:
    deployment, reply = served.deployment, served.result
    made = _MADE[op](reply.wire)
    hidden = hidden_params(deployment, reply.headers, request.ask.params, request.ask.call_id, given)
    hidden.usage = made.usage
    hidden.tier = reply.wire.get("service_tier")
    elapsed = (time.perf_counter() - started) * 1000
    hidden["_response_ms"] = elapsed
    hidden["litellm_overhead_time_ms"] = elapsed - (reply.seconds + served.lost) * 1000
    made._hidden_params = hidden
    made._response_ms = elapsed
    return made


_MADE: Final[dict[Op, Callable[[Json], Any]]] = {
    "chat": types.model_response,
    "completion": types.text_completion_response,
    "embedding": types.embedding_response,
}


def _stream(
    op: Op, request: Request, deployment: Deployment, stream: EventStream, record: "Record | None", given: Json
) -> CustomStreamWrapper:
    return CustomStreamWrapper(
        stream,
        op=op,
        model=deployment.target.model,
        provider=deployment.target.provider,
        usage_asked=request.usage_asked,
        hidden_params=hidden_params(deployment, stream.headers, request.ask.params, request.ask.call_id, given),
        record=record,
    )


def _ask_for_usage(params: Json, target: Target, record: "Record | None") -> None:
    """OpenAI itself always knows `stream_options`; another endpoint is asked if the caller or a callback wants it."""
    if OPENAI_HOST in target.base_url or (record is not None and record.usage_wanted):
        params["stream_options"] = {"include_usage": True, **(params.get("stream_options") or {})}


async def _mocked_delay(given: dict[str, Any], request: Request) -> None:
    """`mock_delay` waits for so many seconds; `mock_timeout` for the call's own timeout, and raises that."""
    if given.get("mock_delay"):
        await asyncio.sleep(float(given["mock_delay"]))
    if given.get("mock_timeout"):
        bounds = request.wish.timeouts if given.get("timeout") is not None else None
        await asyncio.sleep((bounds.first_byte if bounds else None) or 0)
        raise e.Timeout(message="This is a mock timeout error", llm_provider="", model=request.ask.model)
