"""What the server finds in a request's head, and what it keeps of it."""

import tracemalloc

import pytest

from litellm.proxy.refusals import Refused, split_target

LONG = b"/" + b"p" * 300


@pytest.mark.parametrize(
    ("target", "split"),
    [
        (b"/v1/models", ("/v1/models", b"/v1/models", b"")),
        (b"/v1/models?a=1&b=%20?", ("/v1/models", b"/v1/models", b"a=1&b=%20?")),
        (b"/a%20b", ("/a b", b"/a%20b", b"")),
        (b"*", ("*", b"*", b"")),
        (b"http://h/x?y", ("/x", b"/x", b"y")),
        (b"http://h", ("/", b"/", b"")),
        (LONG, (LONG.decode(), LONG, b"")),
    ],
)
def test_a_target_is_the_same_each_time(target: bytes, split: tuple[str, bytes, bytes]) -> None:
    assert [split_target(target) for _ in range(3)] == [split] * 3


@pytest.mark.parametrize("target", [b"/a#b", b"/\xff", b"nonsense", b"/" + b"x" * 300 + b"#"])
def test_what_is_none_is_refused_each_time(target: bytes) -> None:
    for _ in range(3):
        with pytest.raises(Refused):
            split_target(target)


@pytest.mark.parametrize("form", [b"/%06d" + b"x" * 60_000, b"/?key=%06d" + b"x" * 60_000, b"/%06d"])
def test_callers_cannot_fill_the_memory_with_targets(form: bytes) -> None:
    tracemalloc.start()
    try:
        for number in range(3000):
            split_target(form % number)
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()
