"""Answers to questions that mean the same: what of a chat is its question, and which kept ones are near it. Pure.

A question is compared with all that differ from it in nothing but the question. First by the signs of the embeddings'
numbers, which takes a third of a millisecond for 2,000 of 1,536 numbers; the nearest few then by their cosine, of which
all 2,000 would take a tenth of a second.
"""

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from heapq import nsmallest
from operator import mul
from typing import Any, Final, NamedTuple, Protocol

from litellm.caching.base import Store
from litellm.types.calls import Json, as_list, as_object

MAX_TEXT: Final = 8000
"""Characters of a question. Embedding models take no more than some thousand tokens, and a long text's embedding tells
little of a small difference."""
MAX_NUMBERS: Final = 4096
"""The longest embedding that is kept."""
CANDIDATES: Final = 32
"""How many are compared by their cosine, where there are more. At a cosine of 0.8 among 2,000 that are alike by 0.3
the nearest was always one of them."""
MOST: Final = 4
"""How many are handed back: the answer of the first may be gone."""


@dataclass(frozen=True, slots=True)
class Vector:
    """An embedding of length 1, as float32; `signs` has a bit for each number, set where it is above 0."""

    numbers: "array[float]"
    signs: int


class Near(NamedTuple):
    """A kept answer's key, and the cosine of its question and the asked one."""

    key: str
    similarity: float


class SemanticStore(Store, Protocol):
    """A store that also finds by likeness. An answer that is gone may still be told as near."""

    async def place(self, bucket: str, key: str, vector: Vector, ttl: float) -> None:
        """The entry at `key`, which has just been set, answers the question that `vector` is of."""
        ...

    async def near(self, bucket: str, asked: Vector, least: float) -> list[Near]:
        """The nearest first; `least` is the cosine from which on two questions are the same."""
        ...


def question(params: Json) -> tuple[str, Json] | None:
    """The last message's text, if a user has written it, and all else that was asked; None for any other chat."""
    messages = as_list(params.get("messages"))
    last = as_object(messages[-1]) if messages else None
    if not messages or last is None or last.get("role") != "user":
        return None
    text = _text(last.get("content"))
    if not text or len(text) > MAX_TEXT:
        return None
    return text, {**params, "messages": [*messages[:-1], {**last, "content": None}]}


def _text(content: Any) -> str | None:
    """None if there is anything but text in it."""
    if isinstance(content, str):
        return content.strip()
    parts = [as_object(part) or {} for part in as_list(content) or ()]
    texts = [part.get("text") if part.keys() == {"type", "text"} else None for part in parts]
    known = [text for text in texts if isinstance(text, str)]
    return "\n".join(known).strip() if len(known) == len(texts) else None


def vector(wire: Json) -> Vector | None:
    """The first embedding of an embedding model's answer; None for what is none."""
    data = as_list(wire.get("data"))
    numbers = as_list((as_object(data[0]) or {}).get("embedding")) if data else None
    if not numbers or len(numbers) > MAX_NUMBERS:
        return None
    try:
        length = math.hypot(*numbers)
        made = array("f", [number / length for number in numbers])
    except (TypeError, OverflowError, ZeroDivisionError):
        return None
    signs = int("".join("1" if number > 0 else "0" for number in made), 2)
    return Vector(made, signs) if math.isfinite(sum(made)) else None


def nearest(asked: Vector, kept: Mapping[str, Vector], least: float) -> list[Near]:
    """Of those by key, at most MOST."""
    signs = asked.signs
    keys = nsmallest(CANDIDATES, kept, key=lambda key: (signs ^ kept[key].signs).bit_count())
    like = (Near(key, _cosine(asked, kept[key])) for key in keys)
    return sorted((one for one in like if one.similarity >= least), key=lambda one: -one.similarity)[:MOST]


def _cosine(one: Vector, other: Vector) -> float:
    """0 for embeddings of two models."""
    if len(one.numbers) != len(other.numbers):
        return 0.0
    return min(1.0, sum(map(mul, one.numbers, other.numbers)))
