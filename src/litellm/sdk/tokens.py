"""Tokens: `token_counter`, `encode`, `decode`, `trim_messages`, and tokenizers of the caller's own.

Exact for OpenAI's models with the `tokenizers` extra (`pip install 'litellm[tokenizers]'`), an estimate without; for
other vendors' models a stand-in for their own tokenizer either way. Nothing here is on a call's path.
"""

import struct
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from litellm.catalog import models, tokens, vocabulary
from litellm.sdk.models import edited
from litellm.types.calls import Json, as_list, as_object

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

DEFAULT_IMAGE: Final = 250
"""An image nobody looks at: `use_default_image_token_count`."""


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
    image = _unseen if use_default_image_token_count else image_tokens
    total = sum(_message(message, count, image) for message in plain)
    if tools:
        total += _tools(tools, tool_choice, plain, count)
    return total + (0 if count_response_tokens else tokens.PRIMING)


Count = Callable[[str], int]


def _counter(model: str, custom: Mapping[str, Any] | None) -> Count:
    own = _own(custom)
    if own is not None:
        return lambda text: len(getattr(made := own.encode(text), "ids", made))
    exact = vocabulary.tokenizer(vocabulary.name_for(model))
    if isinstance(exact, vocabulary.StandIn):
        return tokens.estimate_tokens
    return lambda text: len(exact.encode(text, disallowed_special=()))


def _message(message: Any, count: Count, image: Callable[[Json], int]) -> int:
    """OpenAI cookbook, "How to count tokens with tiktoken": three for the wrapping, one more for a name."""
    fields = as_object(message) or {}
    return tokens.PER_MESSAGE + sum(_value(name, value, count, image) for name, value in fields.items())


def _value(name: str, value: Any, count: Count, image: Callable[[Json], int]) -> int:
    if isinstance(value, str):
        return 0 if name in _LABELS else count(value) + (1 if name == "name" else 0)
    fields = as_object(value)
    if fields is not None:
        if fields.get("type") in ("image_url", "input_image", "image"):
            return image(fields)
        return sum(_value(key, item, count, image) for key, item in fields.items())
    return sum(_value(name, item, count, image) for item in as_list(value) or ())


_LABELS: Final = frozenset({"type", "id", "tool_call_id", "detail", "cache_control"})


# ---- images (OpenAI's guide to vision, "Calculating costs": GPT-4o and 4.1)


def _unseen(part: Json) -> int:
    return DEFAULT_IMAGE


TILE: Final = 170
UNSEEN: Final = (1024, 1024)
"""Pixels of an image that is only linked to: it is not fetched."""


def image_tokens(part: Json) -> int:
    """Of an image part. At high detail by tiles of 512 pixels, else the fixed price of low detail."""
    source: Any = part.get("image_url") or part.get("source")
    fields = as_object(source) or {"url": source}
    if fields.get("detail", part.get("detail")) != "high":
        return tokens.PER_IMAGE
    width, height = pixels(str(fields.get("url", ""))) or UNSEEN
    shrunk = min(1.0, 2048 / max(width, height))
    shrunk = min(shrunk, 768 / min(width, height))
    tiles = -(-round(width * shrunk) // 512) * -(-round(height * shrunk) // 512)
    return tokens.PER_IMAGE + TILE * tiles


def pixels(url: str) -> tuple[int, int] | None:
    """(width, height) of a data URL's PNG, GIF, WebP or JPEG."""
    kind, _, data = url.partition(";base64,")
    if not kind.startswith("data:"):
        return None
    try:
        head = b64decode(data[: 4 * 65536])
    except (Base64Error, ValueError):
        return None
    found = next((read(head) for magic, read in _FORMATS if head.startswith(magic)), None)
    return found if found and min(found) > 0 else None


def get_image_dimensions(data: str) -> tuple[int, int]:
    """(width, height) of a data URL, or of an image in base64; UNSEEN of one that cannot be read. Fetches nothing."""
    url = data if ":" in data[:16] else f"data:image;base64,{data}"
    return pixels(url) or UNSEEN


def _jpeg(head: bytes) -> tuple[int, int] | None:
    """The first frame header (SOF0 to SOF15, without the tables DHT, JPG and DAC between them)."""
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:
        if 0xC0 <= head[at + 1] <= 0xCF and head[at + 1] not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    if head[12:16] == b"VP8X" and len(head) >= 30:
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if head[12:16] == b"VP8L" and len(head) >= 25:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if head[12:16] == b"VP8 " and len(head) >= 30:
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _at(form: str, start: int) -> Callable[[bytes], tuple[int, int] | None]:
    end = start + struct.calcsize(form)
    return lambda head: struct.unpack(form, head[start:end]) if len(head) >= end else None  # pyright: ignore


_FORMATS: Final = ((b"\x89PNG", _at(">II", 16)), (b"GIF8", _at("<HH", 6)), (b"RIFF", _webp), (b"\xff\xd8", _jpeg))


# ---- tools: OpenAI shows them to the model as TypeScript in a system message; measured by several people alike

TOOLS_FRAME: Final = 9
SYSTEM_SHARED: Final = 4  # what a system message of the caller's own saves


def _tools(tools: list[Any], choice: Any, messages: list[Any], count: Count) -> int:
    functions = [as_object((as_object(tool) or {}).get("function")) or as_object(tool) or {} for tool in tools]
    total = count(_typescript(functions)) + TOOLS_FRAME
    if any((as_object(message) or {}).get("role") == "system" for message in messages):
        total -= SYSTEM_SHARED
    if choice == "none":
        return total + 1
    named = as_object((as_object(choice) or {}).get("function")) or {}
    return total + (7 + count(str(named.get("name", ""))) if named else 0)


def _typescript(functions: list[Json]) -> str:
    lines = ["namespace functions {", ""]
    for function in functions:
        if function.get("description"):
            lines.append(f"// {function['description']}")
        schema = as_object(function.get("parameters")) or {}
        fields = "\n".join(_fields(schema, 0))
        name = function.get("name", "")
        lines += [f"type {name} = (_: {{", fields, "}) => any;", ""] if fields else [f"type {name} = () => any;", ""]
    return "\n".join([*lines, "} // namespace functions"])


def _fields(schema: Json, depth: int) -> Iterator[str]:
    required = as_list(schema.get("required")) or []
    for name, value in (as_object(schema.get("properties")) or {}).items():
        field = as_object(value) or {}
        if field.get("description") and depth < 2:
            yield f"// {field['description']}"
        yield f"{' ' * depth}{name}{'' if name in required else '?'}: {_type(field, depth)},"


def _type(field: Json, depth: int) -> str:
    choices = as_list(field.get("enum"))
    if choices:
        return " | ".join(f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in choices)
    kind = field.get("type")
    if kind == "array":
        return f"{_type(as_object(field.get('items')) or {}, depth)}[]"
    if kind == "object":
        return "\n".join(["{", *_fields(field, depth + 2), "}"])
    return {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}.get(
        str(kind), "any"
    )


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
