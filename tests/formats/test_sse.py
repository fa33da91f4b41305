"""Server-sent events, cut everywhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm.formats import sse
from litellm.formats.sse import Event, EventTooLarge, SSEDecoder, encode_event


def decoded(data: bytes, size: int | None = None) -> list[Event]:
    """All events of a stream that arrives in pieces of `size` bytes."""
    decoder, out = SSEDecoder(), []
    size = size or len(data) or 1
    for start in range(0, len(data), size):
        out += decoder.feed(data[start : start + size])
    return out + decoder.end()


CASES: dict[str, tuple[bytes, list[Event]]] = {
    "one": (b"data: a\n\n", [Event(b"a")]),
    "two": (b"data: a\n\ndata: b\n\n", [Event(b"a"), Event(b"b")]),
    "no space": (b"data:a\n\n", [Event(b"a")]),
    "two spaces": (b"data:  a\n\n", [Event(b" a")]),
    "several lines": (b"data: a\ndata: b\ndata\n\n", [Event(b"a\nb\n")]),
    "named": (b"event: x\ndata: a\n\n", [Event(b"a", "x")]),
    "comments": (b": hi\n\n:\n\ndata: a\n\n", [Event(b"a")]),
    "other fields": (b"id: 1\nretry: 10\ndata: a\n\nid: 2\n\n", [Event(b"a")]),
    "many blank lines": (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [Event(b"a"), Event(b"b")]),
    "no blank line at the end": (b"data: a\n\ndata: b", [Event(b"a"), Event(b"b")]),
    "one line end at the end": (b"data: a\n", [Event(b"a")]),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [Event(b"a")]),
    "not utf-8": (b"data: \xff\n\n", [Event(b"\xff")]),
    "colons": (b"data: a: b\n\n", [Event(b"a: b")]),
    "nothing": (b"", []),
    "no data": (b"event: x\n\n", []),
    "html": (b"<html>\n\n</html>", []),
}
ENDS = (b"\n", b"\r\n", b"\r")


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 4096])
@pytest.mark.parametrize(("data", "expected"), CASES.values(), ids=CASES)
def test_events(data: bytes, expected: list[Event], size: int, end: bytes) -> None:
    assert decoded(data.replace(b"\n", end), size) == expected


def test_an_event_comes_at_once() -> None:
    for end in ENDS:
        decoder = SSEDecoder()
        wire = b"data: a" + end + end
        assert decoder.feed(wire[:-1]) == ([] if end != b"\r\n" else [Event(b"a")])
        assert decoder.feed(wire[-1:]) == ([Event(b"a")] if end != b"\r\n" else [])


lines = st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"").replace(b"\r", b""))


@settings(deadline=None)
@given(st.lists(lines), st.sampled_from(ENDS), st.lists(st.integers(1, 9)))
def test_borders_do_not_matter(texts: list[bytes], end: bytes, sizes: list[int]) -> None:
    wire = b"".join(b"data: " + text + end + end for text in texts)
    decoder, out, at = SSEDecoder(), [], 0
    for size in [*sizes, len(wire) + 1]:
        piece = wire[at : at + size]
        at += size
        out += decoder.feed(piece) if piece else []
    assert [event.data for event in out + decoder.end()] == texts


@settings(deadline=None)
@given(st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"").replace(b"\r", b"")), st.none() | st.just("x"))
def test_what_is_encoded_is_decoded(data: bytes, name: str | None) -> None:
    assert decoded(encode_event(data, name)) == [Event(data, name)]


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(1, 5))
def test_any_bytes_are_read_the_same_in_one_piece_and_in_many(data: bytes, size: int) -> None:
    assert decoded(data) == decoded(data, size)


@pytest.mark.parametrize("piece", [1, 100, 65536])
def test_an_event_has_a_largest_size(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100_000)
    decoder = SSEDecoder()
    with pytest.raises(EventTooLarge):
        for _ in range(200_000 // piece):
            decoder.feed(b"x" * piece)
