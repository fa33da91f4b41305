"""How many tokens a prompt has: its messages, their images, its tools.

Exact for OpenAI's models with the `tokenizers` extra, an estimate without; for other vendors' models a stand-in for
their own tokenizer either way.
"""

import struct
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from litellm.catalog import tokens, vocabulary
from litellm.types.calls import Json, as_list, as_object

Count = Callable[[str], int]

DEFAULT_IMAGE: Final = 250
"""An image nobody looks at: `use_default_image_token_count`."""


def counter(model: str) -> Count:
    """What counts a text's tokens for a model."""
    exact = vocabulary.tokenizer(vocabulary.name_for(model))
    if isinstance(exact, vocabulary.StandIn):
        return tokens.estimate_tokens
    return lambda text: len(exact.encode(text, disallowed_special=()))


def unprimed(
    messages: Sequence[Any],
    tools: list[Any] | None,
    tool_choice: Any,
    count: Count,
    image: Callable[[Json], int] | None = None,
) -> int:
    """Of messages (as JSON) with their tools; without the few tokens that begin the answer (`tokens.PRIMING`)."""
    total = sum(_message(message, count, image or image_tokens) for message in messages)
    return total + (_tools(tools, tool_choice, messages, count) if tools else 0)


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


def unseen(part: Json) -> int:
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


def _tools(tools: list[Any], choice: Any, messages: Sequence[Any], count: Count) -> int:
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
