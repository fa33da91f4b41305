"""Tokens: `token_counter`, `encode`, `decode`, `trim_messages`, and tokenizers of the caller's own.

Exact for OpenAI's models with the `tokenizers` extra (`pip install 'litellm[tokenizers]'`), an estimate without; for
other vendors' models a stand-in for their own tokenizer either way. Nothing here is on a call's path.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from litellm.catalog import counting, models, tokens, vocabulary
from litellm.catalog.counting import get_image_dimensions as get_image_dimensions
from litellm.sdk.models import edited
from litellm.types.calls import Json

__all__ = [
    "create_pretrained_tokenizer",
    "create_tokenizer",
    "decode",
    "encode",
    "encoding",
    "token_counter",
    "trim_messages",
]

if TYPE_CHECKING:
    encoding: vocabulary.Tokenizer

HUGGINGFACE: Final = "huggingface_tokenizer"


def __getattr__(name: str) -> Any:
    if name == "encoding":  # what LiteLLM's users know as the tokenizer of no model in particular
        return vocabulary.tokenizer("cl100k_base")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def encode(model: str = "", text: str = "", custom_tokenizer: Mapping[str, Any] | None = None) -> Any:
    """The tokens of a text, as ints; a Hugging Face tokenizer's `Encoding` for a custom one."""
    own = _own(custom_tokenizer)
    if own is not None:
        return own.encode(text)
    return vocabulary.tokenizer(vocabulary.name_for(model)).encode(text, disallowed_special=())


def decode(model: str = "", tokens: Sequence[int] = (), custom_tokenizer: Mapping[str, Any] | None = None) -> str:
    """What `encode` made of a text, as text again."""
    own = _own(custom_tokenizer)
    return own.decode(tokens) if own else vocabulary.tokenizer(vocabulary.name_for(model)).decode(tokens)


def create_tokenizer(json: str) -> dict[str, Any]:
    """A tokenizer of the text of a `tokenizer.json`, to be passed as `custom_tokenizer`. Needs `tokenizers`."""
    tokenizers: Any = import_module("tokenizers")
    return {"type": HUGGINGFACE, "tokenizer": tokenizers.Tokenizer.from_str(json)}


def create_pretrained_tokenizer(
    identifier: str, revision: str = "main", auth_token: str | None = None
) -> dict[str, Any]:
    """A tokenizer from the Hugging Face hub (a download), to be passed as `custom_tokenizer`. Needs `tokenizers`."""
    tokenizers: Any = import_module("tokenizers")
    made = tokenizers.Tokenizer.from_pretrained(identifier, revision=revision, token=auth_token)
    return {"type": HUGGINGFACE, "tokenizer": made}


def _own(custom: Mapping[str, Any] | None) -> Any:
    return custom["tokenizer"] if custom else None


def token_counter(
    model: str = "",
    custom_tokenizer: Mapping[str, Any] | None = None,
    text: str | list[str] | None = None,
    messages: list[Any] | None = None,
    count_response_tokens: bool | None = False,
    tools: list[Any] | None = None,
    tool_choice: Any = None,
    use_default_image_token_count: bool | None = False,
    default_token_count: int | None = None,
) -> int:
    """How many tokens a text, or a list of messages with its tools, makes as a prompt.

    With `count_response_tokens=True` messages are answers, which prime none of their own. Raises ValueError if there is
    neither text nor messages.
    """
    if text is None and messages is None:
        raise ValueError("text and messages cannot both be None")
    count = _counter(model, custom_tokenizer)
    if text is not None:
        return count("".join(text) if isinstance(text, list) else text)
    if default_token_count is not None:
        return default_token_count
    plain = [tokens.plain(message) for message in messages or ()]
    image = counting.unseen if use_default_image_token_count else None
    total = counting.unprimed(plain, tools, tool_choice, count, image)
    return total + (0 if count_response_tokens else tokens.PRIMING)


def _counter(model: str, custom: Mapping[str, Any] | None) -> counting.Count:
    own = _own(custom)
    if own is not None:
        return lambda text: len(getattr(made := own.encode(text), "ids", made))
    return counting.counter(model)


# ---- trimming

SHORTEST: Final = 16  # tokens; less of a message is not worth sending


def trim_messages(
    messages: list[Any],
    model: str | None = None,
    trim_ratio: float = 0.75,
    return_response_tokens: bool = False,
    max_tokens: int | None = None,
) -> Any:
    """The messages that fit into `trim_ratio` of a model's window, or into `max_tokens`: the last, and the system's.

    The oldest that still fits in part is cut in its middle; tool calls and their results stay together at the end.
    Messages are returned as they are if nothing is known of the model. With `return_response_tokens=True`:
    (messages, tokens left for the answer).
    """
    name = model or ""
    window = max_tokens if max_tokens is not None else _window(name)
    if window is None:
        return (messages, 0) if return_response_tokens else messages
    limit = window if max_tokens is not None else int(window * trim_ratio)
    kept = messages if token_counter(name, messages=messages) <= limit else _trimmed(messages, name, limit)
    left = window - token_counter(name, messages=kept)
    return (kept, max(left, 0)) if return_response_tokens else kept


def _window(model: str) -> int | None:
    table = edited()
    name = models.find(model, None, table)
    found = (models.rows() if table is None else table)[name] if name else {}
    return found.get("max_input_tokens")


def _trimmed(messages: list[Any], model: str, limit: int) -> list[Any]:
    """From the end towards the beginning, for as long as there is room. The end itself goes before the system's."""

    def size(some: list[Any]) -> int:
        return token_counter(model, messages=some)

    system = [message for message in messages if _role(message) == "system"]
    others = [message for message in messages if _role(message) != "system"]
    tail = _end(others)
    if len(tail) == 1 and size([*system, *tail]) > limit:
        cut = _shortened(tail[0], model, limit - size(system))
        if cut is not None:
            return [*system, cut]
    while system and size([*system, *tail]) > limit:
        system.pop()
    room = limit - size([*system, *tail])
    kept: list[Any] = []
    for message in reversed(others[: len(others) - len(tail)]):
        if size([message]) - tokens.PRIMING > room:
            cut = _shortened(message, model, room)
            return [*system, *([cut] if cut is not None else []), *reversed(kept), *tail]
        kept.append(message)
        room -= size([message]) - tokens.PRIMING
    return [*system, *reversed(kept), *tail]


def _end(messages: list[Any]) -> list[Any]:
    """The last message; if it is a tool's result, all such and the message that called for them: an endpoint takes
    them together only."""
    start = len(messages)
    while start and _role(messages[start - 1]) == "tool":
        start -= 1
    return messages[max(start - 1, 0) :]


def _role(message: Any) -> Any:
    return message.get("role") if hasattr(message, "get") else getattr(message, "role", None)


def _shortened(message: Any, model: str, room: int) -> Any:
    """A copy with the middle of its text left out; None if too little would remain."""
    fields: Json = dict(tokens.plain(message))
    text = fields.get("content")
    room -= tokens.PER_MESSAGE + 1 + 2  # its role, and the dots
    if not isinstance(text, str) or room < SHORTEST:
        return None
    count = _counter(model, None)
    share = len(text)
    while share and count(text[: share // 2] + text[len(text) - share // 2 :]) > room:
        share = share * 9 // 10
    return {**fields, "content": f"{text[: share // 2]}..{text[len(text) - share // 2 :]}"}
