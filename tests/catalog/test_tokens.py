"""The estimate of token counts, against counts of OpenAI's o200k vocabulary taken once."""

import pytest

from litellm.catalog.tokens import estimate_messages, estimate_tokens
from litellm.types.utils import Message


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("The quick brown fox jumps over the lazy dog.", 10),
        ("Hello, how are you doing today? I hope that everything is going well for you and your family.", 21),
        ("def add(a, b):\n    return a + b\n", 12),
        ('{"name": "get_weather", "arguments": {"city": "Paris"}}', 16),
        ("今天天气很好,我们去公园散步吧。", 13),
        ("https://example.com/a/b?c=d&e=f#g 0x7f3a9c 3.14159265358979", 29),
    ],
)
def test_within_half_of_the_truth(text: str, counted: int):
    assert counted / 1.5 <= estimate_tokens(text) <= counted * 1.5


def test_the_ends():
    assert estimate_tokens("") == 0
    assert estimate_tokens("a") == 1
    assert estimate_tokens("a" * 4000) == 1000
    assert estimate_tokens("\ud800") >= 1  # a lone surrogate, which JSON allows


def test_messages():
    assert estimate_messages([]) == 3
    one = estimate_messages([{"role": "user", "content": "hi"}])
    assert one == 3 + 3 + 1 + 1
    assert estimate_messages([{"role": "user", "content": [{"type": "text", "text": "hi"}]}]) == one
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    assert estimate_messages([{"role": "user", "content": [{"type": "text", "text": "hi"}, image]}]) == one + 85
    assert estimate_messages([Message("hi", role="user")]) == one
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert estimate_messages([{"role": "assistant", "content": None, "tool_calls": [call]}]) > 6
    assert estimate_messages(["odd", None, 5]) == 3 + 9 + 1
