"""Token counts: exact with the `tokenizers` extra, estimated without."""

import base64
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

import litellm
from litellm.catalog import vocabulary

SRC = Path(litellm.__file__).parent.parent
needs_extra = pytest.mark.skipif(
    isinstance(vocabulary.tokenizer("cl100k_base"), vocabulary.StandIn), reason="the tokenizers extra is not installed"
)
HI = [{"role": "user", "content": "hi"}]


def without_extra(code: str) -> str:
    """Run where tiktoken cannot be imported; what it prints."""
    blocked = f"import sys; sys.modules['tiktoken'] = None\nimport litellm\n{code}"
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    done = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@needs_extra
@pytest.mark.parametrize(
    ("model", "text", "tokens"),
    [  # the ids that OpenAI's own tokenizer gives
        ("gpt-4o", "hello world", [24912, 2375]),
        ("gpt-4", "hello world", [15339, 1917]),
        ("openai/gpt-4o-mini", "hello world", [24912, 2375]),
        ("mistral/whatever", "hello world", [15339, 1917]),
        ("", "", []),
        ("gpt-4o", "x<|endoftext|>y", [87, 27, 91, 419, 1440, 919, 91, 29, 88]),
    ],
)
def test_encode(model: str, text: str, tokens: list[int]):
    assert litellm.encode(model=model, text=text) == tokens
    assert litellm.decode(model=model, tokens=tokens) == text
    assert litellm.token_counter(model=model, text=text) == len(tokens)


@needs_extra
@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("The quick brown fox jumps over the lazy dog.", 10),
        ("Hello, how are you doing today? I hope that everything is going well for you and your family.", 21),
        ("def add(a, b):\n    return a + b\n", 12),
        ('{"name": "get_weather", "arguments": {"city": "Paris"}}', 16),
        ("今天天气很好,我们去公园散步吧。", 13),
        ("https://example.com/a/b?c=d&e=f#g 0x7f3a9c 3.14159265358979", 29),
        ("IT'S it's don't  \n\n  ok\t\tYES123456", None),
        ("é́ 👨‍👩‍👧 ǅungla हिन्दी", None),
    ],
)
def test_counts_and_ways_back(text: str, counted: int | None):
    for model in ("gpt-4o", "gpt-4"):
        assert litellm.decode(model, litellm.encode(model, text)) == text
    assert counted is None or litellm.token_counter("gpt-4o", text=text) == counted


@needs_extra
def test_hostile_texts_do_not_take_long():
    assert litellm.token_counter("gpt-4o", text="今" * 100_000) == 100_000
    assert litellm.token_counter("gpt-4o", text="a" * 100_000) == 12_500


@needs_extra
def test_the_installed_vocabularies_are_the_published_ones():
    for name in vocabulary.SHA256:
        assert vocabulary.tokenizer(name).name == name  # refused otherwise


@needs_extra
def test_messages_as_openai_s_cookbook_counts_them():
    """Its examples: "How to count tokens with tiktoken", section 6, counts as the API reported them."""
    assert litellm.token_counter("gpt-4o", messages=HI) == 3 + (3 + 1 + 1)
    named = [{"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."}]
    words = litellm.token_counter("gpt-4", text="New synergies will help drive top-line growth.")
    assert (
        litellm.token_counter("gpt-4", messages=named)
        == 3 + 3 + 1 + words + litellm.token_counter("gpt-4", text="example_user") + 1
    )
    assert litellm.token_counter("gpt-4o", messages=HI, count_response_tokens=True) == 5
    assert litellm.token_counter("gpt-4o", messages=[litellm.Message("hi", role="user")]) == 8
    assert litellm.token_counter("gpt-4o", text=["hello", " world"]) == 2
    with pytest.raises(ValueError, match="cannot both be None"):
        litellm.token_counter("gpt-4o")


def test_tools_are_counted():
    schema = {
        "type": "object",
        "required": ["city"],
        "properties": {
            "city": {"type": "string", "description": "where"},
            "unit": {"type": "string", "enum": ["c", "f"]},
            "days": {"type": "array", "items": {"type": "integer"}},
            "how": {"type": "object", "properties": {"exact": {"type": "boolean"}}},
        },
    }
    tool = {"type": "function", "function": {"name": "weather", "description": "Tell it", "parameters": schema}}
    plain, system = litellm.token_counter("gpt-4o", messages=HI), [{"role": "system", "content": "x"}, *HI]

    def extra(messages: list[Any], **more: Any) -> int:
        return litellm.token_counter("gpt-4o", messages=messages, **more) - litellm.token_counter(
            "gpt-4o", messages=messages
        )

    one = extra(HI, tools=[tool])
    assert 40 < one < 100
    assert extra(HI, tools=[tool, tool]) > one + 20
    assert extra(HI, tools=[tool], tool_choice="auto") == one
    assert extra(HI, tools=[tool], tool_choice="none") == one + 1
    assert extra(HI, tools=[tool], tool_choice={"type": "function", "function": {"name": "weather"}}) == one + 8
    assert extra(system, tools=[tool]) == one - 4
    assert plain == litellm.token_counter("gpt-4o", messages=HI, tools=[])


def png(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(head)) + chunk + struct.pack(">I", zlib.crc32(chunk))


JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\0" * 10 + b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", 512, 513) + b"\0" * 9
GIF = b"GIF89a" + struct.pack("<HH", 10, 20)
WEBP_X = b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + (2047).to_bytes(3, "little") + (4095).to_bytes(3, "little")
WEBP_L = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + (599 | 599 << 14).to_bytes(4, "little")
WEBP = b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 10 + struct.pack("<HH", 1024, 1024)


@pytest.mark.parametrize(
    ("image", "detail", "tokens"),
    [
        (png(1024, 1024), "high", 765),  # OpenAI's examples: 4 tiles
        (png(2048, 4096), "high", 1105),  # 6 tiles
        (png(4096, 8192), "low", 85),
        (png(10, 10), "high", 255),
        (JPEG, "high", 425),
        (GIF, "high", 255),
        (WEBP_X, "high", 1105),
        (WEBP_L, "high", 765),
        (WEBP, "high", 765),
        (b"\x89PNG", "high", 765),  # cut short: as one of 1024 x 1024
        (b"what", "high", 765),
        (png(0, 0), "high", 765),
        (png(1024, 1024), "auto", 85),
    ],
)
def test_images(image: bytes, detail: str, tokens: int):
    url = f"data:image/any;base64,{base64.b64encode(image).decode()}"
    part = {"type": "image_url", "image_url": {"url": url, "detail": detail}}
    bare = [{"role": "user", "content": []}]
    with_image = [{"role": "user", "content": [part]}]
    counted = litellm.token_counter("gpt-4o", messages=with_image) - litellm.token_counter("gpt-4o", messages=bare)
    assert counted == tokens
    default = litellm.token_counter("gpt-4o", messages=with_image, use_default_image_token_count=True)
    assert default - litellm.token_counter("gpt-4o", messages=bare) == 250


def test_images_that_are_links_are_not_fetched():
    linked = {"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/never.png", "detail": "high"}}
    text = [{"role": "user", "content": [linked]}]
    assert litellm.token_counter("gpt-4o", messages=text) == 765 + litellm.token_counter(
        "gpt-4o", messages=[{"role": "user", "content": []}]
    )
    assert litellm.token_counter("gpt-4o", messages=[{"role": "user", "content": [{"type": "image_url"}]}]) > 85


def test_a_tokenizer_of_the_caller_s_own():
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"one": 0, "two": 1, "?": 2}, unk_token="?"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    own = litellm.create_tokenizer(made.to_str())
    assert own["type"] == "huggingface_tokenizer"
    assert litellm.token_counter(custom_tokenizer=own, text="one two three") == 3
    assert litellm.encode(text="one two", custom_tokenizer=own).ids == [0, 1]
    assert litellm.decode(tokens=[0, 1], custom_tokenizer=own) == "one two"


@needs_extra
def test_the_encoding_of_no_model_in_particular():
    assert litellm.encoding.encode("hello world", disallowed_special=()) == [15339, 1917]
    assert litellm.encoding.name == "cl100k_base"


def test_without_the_extra():
    assert without_extra("print(litellm.encoding.name)") == "estimate"
    assert without_extra("print(litellm.token_counter('gpt-4o', text='hello world, how are you?'))") == "7"
    text = "Ünïcödé 今天 \\n and more"
    code = f"t = '{text}'; e = litellm.encode('gpt-4o', t); print(len(e) == litellm.token_counter(text=t), end=' ')\n"
    assert without_extra(code + "print(litellm.decode('gpt-4o', e) == t)") == "True True"


@pytest.mark.parametrize("text", ["", "a", "hello world", "\0\0\0\0", "今天天气很好", "\ud800", "a" * 1000])
def test_the_stand_in_gives_every_text_back(text: str):
    stand_in = vocabulary.StandIn()
    tokens = stand_in.encode(text)
    assert stand_in.decode(tokens) == text
    assert all(token > 0 for token in tokens)
    assert isinstance(stand_in.decode(tokens[: len(tokens) // 2]), str)


LONG = "word " * 2000


def test_messages_that_fit_are_left_alone():
    assert litellm.trim_messages(HI, "gpt-4o") is HI
    assert litellm.trim_messages(HI, "no-such-model") is HI
    assert litellm.trim_messages(HI, "gpt-4o", return_response_tokens=True)[1] > 100_000


def test_the_last_messages_and_the_system_s_are_kept():
    system = {"role": "system", "content": "be brief"}
    messages = [system, {"role": "user", "content": LONG}, {"role": "assistant", "content": "ok"}, *HI]
    kept = litellm.trim_messages(messages, "gpt-4o", max_tokens=200)
    assert kept[0] == system and kept[-2:] == messages[-2:]
    assert len(kept) == 4 and ".." in kept[1]["content"] and len(kept[1]["content"]) < len(LONG)
    assert litellm.token_counter("gpt-4o", messages=kept) <= 200
    assert messages[1]["content"] == LONG  # the caller's own are not touched
    assert litellm.trim_messages(messages, "gpt-4o", max_tokens=30) == [system, *messages[-2:]]
    assert litellm.trim_messages(messages, "gpt-4o", max_tokens=12) == HI


def test_a_last_message_that_is_too_long_is_cut():
    system = {"role": "system", "content": "be brief"}
    kept = litellm.trim_messages([system, {"role": "user", "content": LONG}], "gpt-4o", max_tokens=100)
    assert kept[0] == system and ".." in kept[1]["content"]
    assert 50 < litellm.token_counter("gpt-4o", messages=kept) <= 100


def test_a_ratio_of_the_window():
    litellm.register_model({"tiny": {"max_input_tokens": 100}})
    kept, left = litellm.trim_messages([{"role": "user", "content": LONG}], "tiny", return_response_tokens=True)
    used = litellm.token_counter("tiny", messages=kept)
    assert 40 < used <= 75 and left == 100 - used
    vars(litellm).pop("model_cost", None)


def test_tool_results_stay_with_their_call():
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    exchange = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "result"},
    ]
    kept = litellm.trim_messages([{"role": "user", "content": LONG}, *exchange], "gpt-4o", max_tokens=80)
    assert kept[-2:] == exchange
    assert litellm.trim_messages([{"role": "user", "content": LONG}, *exchange], "gpt-4o", max_tokens=20) == exchange
