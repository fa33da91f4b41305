"""What a call may try besides the model it names: `fallbacks`, `context_window_fallback_dict`, `model_list`.

    litellm.completion(model="openai/a", fallbacks=["openai/b", {"model": "groq/c", "api_key": "..."}], ...)

They are tried in order, each with its own retries, until one answers; the last one's error is raised. A name is called
as the first model was; but key, address and organization were given for that model's provider, and do not go along to
another one. A dict replaces what it says.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, cast

from litellm import exceptions as e
from litellm.engine.resolve import split_model
from litellm.router import mocking
from litellm.settings import settings
from litellm.types.calls import Json

Call = Callable[[Json], Awaitable[Any]]

_NAMES: Final = ("fallbacks", "context_window_fallback_dict", "model_list")
_PRIVATE: Final = ("api_key", "api_base", "base_url", "organization", "extra_headers", "headers", "client",
                   "custom_llm_provider")  # fmt: skip


def asked(given: Json) -> bool:
    return bool(
        given.get("fallbacks")
        or given.get("context_window_fallback_dict")
        or given.get("model_list")
        or settings.__dict__.get("model_fallbacks")
    )


async def tried(given: Json, call: Call) -> Any:
    """The first answer. `call` makes one call of the arguments it is given."""
    windows: Mapping[str, str] = given.get("context_window_fallback_dict") or {}
    error: e.LiteLLMError | None = None
    for count, attempt in enumerate(_attempts(given)):
        try:
            made = await _with_larger_window(attempt, windows, call)
        except e.LiteLLMError as raised:
            error = raised
        else:
            if count:
                made._hidden_params["additional_headers"]["x-litellm-attempted-fallbacks"] = count
            return made
    assert error is not None, "there is always a first attempt"
    raise error


async def _with_larger_window(given: Json, windows: Mapping[str, str], call: Call) -> Any:
    try:
        return await call(given)
    except e.ContextWindowExceededError:
        larger = windows.get(given["model"])
        if larger is None:
            raise
        return await call(_changed(given, {"model": larger}))


def _attempts(given: Json) -> Iterator[Json]:
    """The call itself (through each deployment of its name, if it has a `model_list`), then its fallbacks."""
    first = {name: value for name, value in given.items() if name not in _NAMES}
    rows = [row for row in given.get("model_list") or () if row.get("model_name") == given["model"]]
    for row in rows:
        yield {**first, **row["litellm_params"]}
    if not rows:
        yield first
    for fallback in given.get("fallbacks") or settings.model_fallbacks or ():
        yield _changed(first, {"model": fallback} if isinstance(fallback, str) else fallback)


def _changed(given: Json, fallback: Any) -> Json:
    """Raises BadRequestError for a fallback that names no model."""
    if not isinstance(fallback, Mapping):
        raise e.BadRequestError(
            message=f"fallbacks are names or dicts with `model`, not {fallback!r}",
            llm_provider="",
            model=given["model"],
        )
    change = dict(cast(Mapping[str, Any], fallback))
    same = _provider(given) == _provider({**{n: v for n, v in given.items() if n not in _PRIVATE}, **change})
    dropped = mocking.FAILURES.keys() if same else {*_PRIVATE, *mocking.FAILURES}
    kept = {name: value for name, value in given.items() if name not in dropped}
    return {**kept, **change}


def _provider(given: Json) -> str | None:
    """None for a model whose provider only the call itself can tell; that call says what is wrong."""
    try:
        return split_model(str(given.get("model")), given.get("custom_llm_provider"), given.get("api_base"))[0]
    except e.LiteLLMError:
        return None
