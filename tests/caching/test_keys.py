"""What makes two asks the same, and what a call may say about the cache."""

import pytest

from litellm.caching.controls import NOTHING, Controls, controls
from litellm.caching.keys import cache_key

ASK = {"messages": [{"role": "user", "content": "hi"}], "temperature": 0}


def test_what_does_not_alter_the_answer_is_no_part_of_the_key():
    key = cache_key("t", "chat", "m", ASK)
    more = {"stream": True, "stream_options": {"include_usage": True}, "user": "u", "metadata": {"a": 1}, "seed": None}
    assert key == cache_key("t", "chat", "m", {**more, **dict(reversed(ASK.items()))})
    assert key is not None
    assert len(key) == 64


@pytest.mark.parametrize(
    "other",
    [
        cache_key("other tenant", "chat", "m", ASK),
        cache_key("t", "completion", "m", ASK),
        cache_key("t", "chat", "n", ASK),
        cache_key("t", "chat", "m", {**ASK, "temperature": 1}),
        cache_key("t", "chat", "m", {**ASK, "top_k": 1}),
        cache_key("t", "chat", "m", ASK, namespace="n"),
        cache_key("t", "chat", "m", ASK, mock="hello"),
    ],
)
def test_whatever_else_differs_is_another_key(other: str):
    assert other != cache_key("t", "chat", "m", ASK)


def test_what_cannot_be_written_down_has_no_key():
    assert cache_key("t", "chat", "m", {"messages": object()}) is None


def test_controls_of_the_body_and_of_the_header():
    said = {"no-cache": True, "ttl": 5, "s-maxage": 2.5, "namespace": "n", "use-cache": True}
    assert controls(said, "no-store, max-age=0") == Controls(True, True, 5.0, 2.5, "n", True)
    assert controls(None) is NOTHING
    assert controls({}) == NOTHING


@pytest.mark.parametrize(
    ("said", "name"),
    [([], "cache"), ({"ttl": 0}, "cache.ttl"), ({"s-maxage": "1"}, "cache.s-maxage"), ({"ttl": True}, "cache.ttl"),
     ({"no-cache": "yes"}, "cache.no-cache"), ({"namespace": 1}, "cache.namespace")],
)  # fmt: skip
def test_what_is_wrong_is_named(said: object, name: str):
    with pytest.raises(ValueError, match=f"^'{name}' must be"):
        controls(said)
