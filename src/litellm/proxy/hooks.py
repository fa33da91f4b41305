"""Hooks of a config's callbacks that stand in a request's way: they change it, refuse it, or change its answer.

A gateway whose callbacks have none of them has no Hooks, and nothing here is loaded. Hooks of one kind are asked in the
config's order, each with what the one before it made. What a hook raises refuses the request: with its own status if it
has one (`HTTPException`); else it is an error of the gateway's, told to the caller only where it is a bare `Exception`.
The `cache` that a hook is handed is None.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import orjson

from litellm import exceptions as e
from litellm.catalog.cost import dollars
from litellm.integrations.custom_logger import overrides
from litellm.proxy import body, headers
from litellm.proxy.errors import ProxyError, said
from litellm.proxy.exchange import Exchange
from litellm.proxy.keys.identity import Identity
from litellm.types import utils as types
from litellm.types.calls import Json, Op, as_list, as_object
from litellm.types.guardrails import GuardrailEventHooks
from litellm.types.who import UserAPIKeyAuth

if TYPE_CHECKING:  # there is a charge only if there is a store
    from litellm.proxy.charge import Charge

T = TypeVar("T")

_log: Final = logging.getLogger("litellm.proxy")

CALLED: Final = (
    "async_pre_call_hook", "async_moderation_hook", "async_post_call_success_hook", "async_post_call_failure_hook",
    "async_post_call_streaming_hook", "async_post_call_streaming_iterator_hook",
    "async_post_call_response_headers_hook",
)  # fmt: skip
_STREAMING: Final = ("async_post_call_streaming_hook", "async_post_call_streaming_iterator_hook")

# When a guardrail says that it looks. The other hooks of one are asked always.
_WHEN: Final = {
    "async_pre_call_hook": GuardrailEventHooks.pre_call,
    "async_moderation_hook": GuardrailEventHooks.during_call,
    "async_post_call_success_hook": GuardrailEventHooks.post_call,
    "async_post_call_streaming_iterator_hook": GuardrailEventHooks.post_call,
}

_CALL_TYPES: Final[dict[Op, str]] = {"chat": "completion", "completion": "text_completion", "embedding": "embeddings"}
_ANSWERS: Final[dict[Op, Callable[[Json], Any]]] = {
    "chat": types.model_response,
    "completion": types.text_completion_response,
    "embedding": types.embedding_response,
}


@dataclass(frozen=True, slots=True)
class Hooks:
    """Who overrides which hook."""

    at: Mapping[str, tuple[Any, ...]]

    def passage(self, exchange: Exchange, identity: Identity, op: Op) -> "Passage":
        exchange.passage = made = Passage(self, identity, op, exchange.path)
        return made

    async def watched(self, exchange: Exchange, call: Awaitable[T]) -> T:
        """The call; raises what the failure hooks make of its failure, once it has got as far as to them."""
        try:
            return await call
        except Exception as error:  # whatever it is, the hooks are told, and it is raised again
            if exchange.passage is None:
                raise
            raise await exchange.passage.failed(error) from error


def gather(loggers: Sequence[Any]) -> Hooks | None:
    """None if none of them overrides a hook that is called here."""
    distinct = list({id(logger): logger for logger in loggers}.values())
    at = {
        hook: tuple(logger for logger in distinct if hasattr(logger, hook) and overrides(logger, hook))
        for hook in CALLED
    }
    found = {hook: owners for hook, owners in at.items() if owners}
    return Hooks(found) if found else None


class Passage:
    """One request on its way past the hooks. `data` is its body as they see it, and as they have changed it."""

    __slots__ = ("_at", "_op", "_path", "_who", "data")

    def __init__(self, hooks: Hooks, identity: Identity, op: Op, path: str) -> None:
        self._at = hooks.at
        self._op: Op = op
        self._path = path
        self._who = who(identity, path)
        self.data: Json = {}

    @property
    def on_streams(self) -> bool:
        """Whether the parts of a stream pass a hook."""
        return any(hook in self._at for hook in _STREAMING)

    async def before(self, raw: bytes, named: str | None, default: str | None) -> bytes:
        """The request's body as the hooks want it. `named` is the model in the address, which wins over the body's."""
        self.data = data = body.parse(raw)
        model = named or data.get("model") or default
        if model is not None:
            data["model"] = model
        data.setdefault("metadata", {})
        for ask in self._hooks("async_pre_call_hook"):
            made = await _asked(
                ask(user_api_key_dict=self._who, cache=None, data=self.data, call_type=_CALL_TYPES[self._op])
            )
            if isinstance(made, Exception):
                raise refusal(made)
            if isinstance(made, str):
                self.data = self._answering(made)
                break
            self.data = made if isinstance(made, dict) else self.data
        return orjson.dumps(self._sendable(), default=str)

    def _answering(self, text: str) -> Json:
        """The request with its answer: nothing is sent to a provider."""
        if self._op == "embedding":
            raise ProxyError(400, text)
        return {**self.data, "mock_response": text}

    def _sendable(self) -> Json:
        """Without the guardrails that it asks for, if each of them is one of ours: else it is refused for it."""
        asked: Any = self.data.get("guardrails")
        ours = {getattr(logger, "guardrail_name", None) for owners in self._at.values() for logger in owners}
        if not isinstance(asked, list) or not all(isinstance(name, str) and name in ours for name in cast(Any, asked)):
            return self.data
        return {name: value for name, value in self.data.items() if name != "guardrails"}

    async def beside(self, call: Awaitable[T], charge: "Charge | None") -> T:
        """The call, while the moderators look at its request; whoever fails first ends both. What they refuse has been
        sent, and is charged."""
        judges = self._hooks("async_moderation_hook")
        if not judges:
            return await call
        judging = asyncio.ensure_future(self._judge(judges))
        calling = asyncio.ensure_future(call)
        try:
            await asyncio.wait((judging, calling), return_when=asyncio.FIRST_EXCEPTION)
            if judging.done():
                judging.result()
            return calling.result()
        except BaseException as error:  # refused, or the caller hung up: nobody takes a stream that has begun
            if charge is not None and isinstance(error, Exception) and not _failed(calling):
                charge.abandoned(said(error))
            _close(calling)
            raise
        finally:
            judging.cancel()
            calling.cancel()

    async def _judge(self, judges: Sequence[Callable[..., Any]]) -> None:
        for ask in judges:
            await _asked(ask(data=self.data, user_api_key_dict=self._who, call_type=_CALL_TYPES[self._op]))

    async def answered(self, wire: Json) -> tuple[Json, bytes]:
        """The answer as the hooks want it, and the header lines that they add."""
        changers = self._hooks("async_post_call_success_hook")
        if not changers and "async_post_call_response_headers_hook" not in self._at:
            return wire, b""
        response: Any = _ANSWERS[self._op](wire)
        unchanged = written(response) if changers else None
        for ask in changers:
            made = await _asked(ask(data=self.data, user_api_key_dict=self._who, response=response))
            response = response if made is None else made
        if changers and (changed := written(response)) != unchanged:
            wire = changed
        return wire, await self.lines(response)

    async def lines(self, response: Any = None) -> bytes:
        """Header lines; of a stream before there is a response."""
        lines: list[bytes] = []
        for ask in self._hooks("async_post_call_response_headers_hook"):
            made = as_object(await _asked(ask(data=self.data, user_api_key_dict=self._who, response=response)))
            lines += [headers.line(_name(name), str(value)) for name, value in (made or {}).items()]
        return b"".join(lines)

    def chunk(self, wire: Json) -> Any:
        """One of a stream's chunks, as hooks see it."""
        return types.text_completion_response(wire) if self._op == "completion" else types.stream_chunk(wire)

    def filtered(self, chunks: Any) -> Any:
        """A stream's chunks as the hooks want them."""
        for ask in self._hooks("async_post_call_streaming_iterator_hook"):
            chunks = ask(user_api_key_dict=self._who, response=chunks, request_data=self.data)
        for ask in self._hooks("async_post_call_streaming_hook"):
            chunks = self._each(ask, chunks)
        return chunks

    async def _each(self, ask: Callable[..., Any], chunks: Any) -> Any:
        """Each chunk that has text, once a hook has seen the text so far. It may raise, or return an error event."""
        text = ""
        async for chunk in chunks:
            added = _text_of(chunk)
            text += added
            made = await _asked(ask(user_api_key_dict=self._who, response=text)) if added else None
            if isinstance(made, str) and made.startswith(_ERROR_EVENT):
                raise ProxyError(500, _message(made), "internal_server_error")
            yield chunk

    async def failed(self, error: Exception) -> Exception:
        """What is to be told to the caller. A hook that fails itself is only logged, unless it says a status."""
        trace = "".join(traceback.format_exception(error))
        for ask in self._hooks("async_post_call_failure_hook"):
            try:
                made = await ask(
                    request_data=self.data, original_exception=error, user_api_key_dict=self._who, traceback_str=trace
                )
            except Exception as raised:  # the user's code, which may fail in any way
                made = raised
            if isinstance(made, Exception) and _status(made) is not None:
                error = refusal(made)
            elif isinstance(made, Exception):
                _log.warning("async_post_call_failure_hook failed", exc_info=made)
        return error

    def _hooks(self, hook: str) -> list[Callable[..., Any]]:
        """A hook of all that have it, without the guardrails that do not look at this request."""
        when = _WHEN.get(hook)
        return [
            getattr(owner, hook)
            for owner in self._at.get(hook, ())
            if when is None or not hasattr(owner, "should_run_guardrail") or owner.should_run_guardrail(self.data, when)
        ]


def who(identity: Identity, path: str) -> UserAPIKeyAuth:
    """Who asks, as hooks see it. The master key has no hash."""
    own = next((scope for scope in identity.scopes if scope.id.startswith("key:")), None)
    return UserAPIKeyAuth(
        api_key=identity.key or None,
        token=identity.key or None,
        key_alias=identity.key_alias,
        user_id=identity.user_id,
        user_role=identity.role,
        team_id=identity.team_id,
        org_id=identity.organization_id,
        models=[model for rule in identity.access.rules if rule.owner == "key" for model in rule.models],
        team_models=[model for rule in identity.access.rules if rule.owner == "team" for model in rule.models],
        aliases=dict(identity.aliases),
        metadata=dict(identity.metadata),
        max_budget=dollars(own.budget) if own and own.budget is not None else None,
        rpm_limit=own.rpm if own else None,
        tpm_limit=own.tpm if own else None,
        max_parallel_requests=own.parallel if own else None,
        request_route=path,
    )


def refusal(error: Exception) -> Exception:
    """What a hook raised, as what the caller is told."""
    status = _status(error)
    if isinstance(error, e.LiteLLMError):
        return error
    if status is not None:
        given = as_object(getattr(error, "headers", None)) or {}
        return ProxyError(status, _text(error), headers={name.lower(): str(value) for name, value in given.items()})
    if type(error) is Exception:  # nothing but a hook's own words
        return ProxyError(500, str(error), "internal_server_error")
    return error


_ERROR_EVENT: Final = 'data: {"error":'


def _message(event: str) -> str:
    """What an error event, written by a hook, says."""
    said = as_object(body.parse(event.removeprefix("data: ").encode()).get("error")) or {}
    return str(said.get("message") or "the stream was stopped by a hook")


def _text_of(chunk: Any) -> str:
    """What a chunk adds to its first choice."""
    choices = as_list((as_object(chunk) or written(chunk)).get("choices"))
    choice = as_object(choices[0]) if choices else None
    if choice is None:
        return ""
    return str((as_object(choice.get("delta")) or choice).get("text" if "text" in choice else "content") or "")


def _status(error: Exception) -> int | None:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) and 400 <= status < 600 else None


def _text(error: Exception) -> str:
    detail: Any = getattr(error, "detail", None) or getattr(error, "message", None) or str(error)
    said = as_object(detail)
    if said is not None and isinstance(said.get("error"), str):
        return said["error"]
    return detail if isinstance(detail, str) else orjson.dumps(detail, default=str).decode()


async def _asked(answer: Awaitable[Any]) -> Any:
    try:
        return await answer
    except Exception as error:  # the user's code, which may fail in any way
        raise refusal(error) from error


def written(response: Any) -> Json:
    """An answer or a chunk as JSON, with the nulls that clients look for. Raises TypeError for what is neither."""
    wire = as_object(response.model_dump(exclude_none=True) if hasattr(response, "model_dump") else response)
    if wire is None:
        raise TypeError(f"a hook gave a {type(response).__name__} for an answer")
    for choice in map(as_object, as_list(wire.get("choices")) or ()):
        if choice is not None:
            choice.setdefault("finish_reason", None)
            (as_object(choice.get("message")) or {}).setdefault("content", None)
    return wire


def _failed(calling: "asyncio.Future[Any]") -> bool:
    return calling.done() and (calling.cancelled() or calling.exception() is not None)


def _close(calling: "asyncio.Future[Any]") -> None:
    """A stream that began beside a refusal must not be left open."""
    if calling.done() and not _failed(calling):
        close = getattr(getattr(calling.result(), "result", None), "close", None)
        if close is not None:
            close()


def _name(name: str) -> str:
    """A header's name, without what would end it."""
    return "".join(char for char in name.lower() if char.isascii() and (char.isalnum() or char in "-_")) or "x-unnamed"
