"""The splicer against a naive one that parses and writes every event, whatever the stream and wherever it is cut."""

import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm import exceptions as e
from litellm.formats.sse import MAX_EVENT_BYTES
from litellm.proxy.splice import DONE, Splicer
from litellm.types.calls import Json

FRAME: Json = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1732300000, "model": "up-1"}


def decode(data: bytes) -> Json:
    """What the provider's decoder does, in short."""
    try:
        chunk: Any = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise e.APIResponseValidationError(f"malformed event: {error}") from None
    if chunk.get("error"):
        raise e.APIError(500, chunk["error"]["message"])
    return chunk


def delta(content: Any, index: int = 0, finish: str | None = None, **more: Any) -> Json:
    return {**FRAME, "choices": [{"index": index, "delta": {"content": content}, "finish_reason": finish}], **more}


def event(chunk: Any) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def events_of(stream: bytes) -> list[Any]:
    """A well-formed stream of ours as values; comments as their bytes."""
    assert stream.endswith(b"\n\n") or not stream
    out: list[Any] = []
    for block in stream.split(b"\n\n")[:-1]:
        if block.startswith(b"data: "):
            assert b"\n" not in block, "one line an event"
            out.append(b"[DONE]" if block == b"data: [DONE]" else orjson.loads(block[6:]))
        else:
            out.append(block)
    return out


def naive(chunks: list[Json], model: str, usage_wanted: bool) -> list[Json]:
    """What the caller is to get, by parsing and dumping."""
    kept = (c for c in chunks if usage_wanted or not (c.get("usage") and not c.get("choices")))
    return [{**c, "model": model} if "model" in c else c for c in kept]


def run(
    pieces: Iterator[bytes] | list[bytes], model: str = "mine", usage_wanted: bool = False
) -> tuple[bytes, Splicer]:
    splicer = Splicer(model, usage_wanted, decode)
    out = b""
    for piece in pieces:
        out += splicer.feed(piece)
        if splicer.error or splicer.done:
            return out, splicer
    return out + splicer.flush(), splicer


def cut(data: bytes, *sizes: int) -> list[bytes]:
    """`data` in pieces of these sizes, over and over."""
    pieces: list[bytes] = []
    at = turn = 0
    while at < len(data):
        pieces.append(data[at : at + sizes[turn % len(sizes)]])
        at += sizes[turn % len(sizes)]
        turn += 1
    return pieces


# Streams of every kind, by hypothesis.

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ['"model"', '"model":"up-1"', "\\", '\\"', "data: [DONE]", "\n\n", "\r\n", "é", "😀", '{"error":1}', "", " tok"]
)
models = st.sampled_from(["up-1", "a/b", 'qu"ote', "ünï", "m" * 40])
usages = st.just({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7})


@st.composite
def chunk_of(draw: st.DrawFn, index: int) -> Json:
    """A chunk as some vendor may write it, without a finish."""
    frame: Json = {"id": "x", "created": 1}
    if draw(st.integers(0, 9)):
        frame["model"] = draw(models)
    fields = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "role": st.just("assistant"),
                "content": texts | st.none(),
                "reasoning_content": texts,
                "tool_calls": st.lists(
                    st.fixed_dictionaries(
                        {"index": st.just(0), "function": st.fixed_dictionaries({"arguments": texts})}
                    ),
                    max_size=2,
                ),
            },
        )
    )
    choice: Json = {"index": index, "finish_reason": None}
    choice |= {"text": draw(texts)} if draw(st.booleans()) else {"delta": fields}
    more = draw(
        st.fixed_dictionaries(
            {}, optional={"usage": st.none() | usages, "vendor": st.dictionaries(texts, texts, max_size=2)}
        )
    )
    items = list((frame | {"choices": [choice]} | more).items())
    return dict(draw(st.permutations(items)))


@st.composite
def streams(draw: st.DrawFn) -> list[Json]:
    """Some chunks many times over with other texts, as streams are; finishes; perhaps usage."""
    chunks: list[Json] = []
    count = draw(st.integers(1, 2))
    for _ in range(draw(st.integers(1, 4))):
        base = draw(chunk_of(draw(st.integers(0, count - 1))))
        for text in draw(st.lists(texts, min_size=1, max_size=5)):
            again = orjson.loads(orjson.dumps(base))
            for choice in again["choices"]:
                fields = choice.get("delta", choice)
                for name in ("content", "text", "reasoning_content"):
                    if isinstance(fields.get(name), str):
                        fields[name] = text
            chunks.append(again)
    seen = {choice["index"] for chunk in chunks for choice in chunk["choices"]}
    chunks += [delta(None, index, "stop") for index in sorted(seen)]
    if draw(st.booleans()):
        chunks.append({**FRAME, "choices": [], "usage": draw(usages)})
    return chunks


def python_style(chunk: Json) -> bytes:
    import json

    return json.dumps(chunk).encode()


@given(streams(), st.lists(st.integers(1, 200), min_size=1, max_size=4), st.booleans(), models, st.data())
def test_it_says_what_parsing_and_writing_would(
    chunks: list[Json], sizes: list[int], usage_wanted: bool, model: str, data: st.DataObject
) -> None:
    dumps = data.draw(st.sampled_from([orjson.dumps, python_style]), label="dumps")
    end = data.draw(st.sampled_from([b"\n", b"\r\n", b"\r"]), label="line end")
    noise = data.draw(st.sampled_from([b"", b": a comment%b%b" % (end, end), b"event: message%b" % end, end]))
    prefix = data.draw(st.sampled_from([b"data: ", b"data:"]))
    wire = b"".join(b"%b%b%b%b%b" % (noise, prefix, dumps(chunk), end, end) for chunk in chunks)
    done = data.draw(st.booleans(), label="[DONE]")
    if done:
        wire += b"data: [DONE]" + end + end
    out, splicer = run(cut(wire, *sizes), model, usage_wanted)
    said = [item for item in events_of(out) if not isinstance(item, bytes)]
    assert said == naive(chunks, model, usage_wanted)
    assert splicer.error is None and splicer.ended_well and splicer.done == done
    assert splicer.events == len(chunks)
    reported = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert splicer.usage == (reported[-1] if reported else None)


def typical(count: int, **more: Any) -> list[Json]:
    return [delta(f" word{i % 7} é\n", **more) for i in range(count)]


def test_every_byte_is_a_place_to_cut() -> None:
    wire = b"".join(map(event, typical(4))) + event(delta(None, finish="stop")) + DONE
    whole, _ = run([wire])
    for at in range(len(wire)):
        assert run([wire[:at], wire[at:]])[0] == whole
    assert run(cut(wire, 1))[0] == whole


def test_only_the_name_changes_and_not_another_byte() -> None:
    """Spaces, order, unknown fields, `created`, nulls: as they came."""
    odd = (
        b'data: {"z": null, "model": "up-1", "created": 1.50, "big": 123456789012345678901234567890, '
        b'"choices": [ {"delta": {"content": "a"}, "finish_reason": null} ]}\n\n'
    )
    out, _ = run([odd * 5])
    assert out == odd.replace(b'"up-1"', b'"mine"') * 5


@pytest.mark.parametrize("place", ["content", "arguments", "vendor", "key"])
def test_the_word_model_elsewhere_is_left_alone(place: str) -> None:
    chunks = [
        {
            "content": delta('he said "model":"up-1" and "model": "up-1"'),
            "arguments": {**FRAME, "choices": [{"index": 0, "delta": {"tool_calls": [{"a": '{"model":"up-1"}'}]}}]},
            "vendor": {"vendor": {"model": "up-1"}, **delta("x")},
            "key": {"model-2": "up-1", "amodel": "up-1", **delta("x")},
        }[place]
    ] * 3
    out, _ = run(list(map(event, chunks)))
    assert events_of(out) == naive(chunks, "mine", False)


def test_two_names_in_one_event_become_one() -> None:
    out, _ = run([b'data: {"model":"a","choices":[],"model":"b"}\n\n'])
    assert out == b'data: {"model":"mine","choices":[]}\n\n'


@pytest.mark.parametrize("value", [None, 5, {"id": "x"}, ["a"], ""])
def test_a_model_that_is_no_name_is_replaced_too(value: Any) -> None:
    chunk = {**delta("x"), "model": value}
    assert events_of(run([event(chunk) * 2])[0]) == [{**chunk, "model": "mine"}] * 2


def test_several_data_lines_stay_one_event() -> None:
    out, _ = run([b'data: {"model":"up-1",\ndata: "choices":[]}\n\n'])
    assert events_of(out) == [{"model": "mine", "choices": []}]


def test_an_event_goes_out_with_its_last_byte() -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        splicer = Splicer("mine", False, decode)
        wire = b"data: " + orjson.dumps(delta("x")) + end + end
        assert splicer.feed(wire[:-1]) == b"" or end == b"\r\n"  # a blank line is one at its CR
        assert splicer.feed(wire[-1:]) or end == b"\r\n"
        assert splicer.events == 1
    assert splicer.feed(b"\n" + wire) != b"", "a LF after the CR belongs to it"


def test_comments_pass_through() -> None:
    out, splicer = run([b": PROCESSING\n\n", b"retry: 5\n\n", event(delta("x")), b":\n\n"])
    assert events_of(out)[:2] == [b": PROCESSING", b"retry: 5"] and out.endswith(b":\n\n")
    assert splicer.events == 1


@pytest.mark.parametrize("wanted", [False, True])
def test_usage_reaches_the_caller_only_if_asked_for(wanted: bool) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    chunks = [delta("x", usage=None), delta(None, finish="stop"), {**FRAME, "choices": [], "usage": usage}]
    out, splicer = run([b"".join(map(event, chunks)) + DONE], usage_wanted=wanted)
    assert len(events_of(out)) == 3 + wanted
    assert splicer.usage == usage


def test_the_last_usage_wins_and_the_finish_event_may_hold_it() -> None:
    early, late = {"total_tokens": 1}, {"total_tokens": 9}
    chunks = [delta("x", usage=early), delta("y", usage=early), delta("z", finish="stop", usage=late)]
    out, splicer = run(list(map(event, chunks)))
    assert events_of(out) == naive(chunks, "mine", False), "it is part of events that hold more"
    assert splicer.usage == late


@pytest.mark.parametrize("usage", [5, "many", [1], {}, False])
def test_usage_that_is_none_is_not_taken_for_one(usage: Any) -> None:
    _, splicer = run([event(delta("x", usage=usage))])
    assert splicer.usage is None and splicer.error is None


def test_several_choices_have_all_to_finish() -> None:
    chunks = [delta("a", 0), delta("b", 1), delta(None, 0, "stop")]
    assert not run(list(map(event, chunks)))[1].ended_well
    assert run(list(map(event, [*chunks, delta(None, 1, "length")])))[1].ended_well
    assert run([*map(event, chunks), DONE])[1].ended_well


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (b'data: {"choices": [{"delta"\n\n', e.APIResponseValidationError),
        (b"data: nonsense\n\n", e.APIResponseValidationError),
        (b'data: {"error":{"message":"overloaded"}}\n\n', e.APIError),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_what_breaks_a_stream_comes_after_all_that_was_good(bad: bytes, kind: type[Exception], size: int) -> None:
    good = b"".join(map(event, typical(3)))
    splicer = Splicer("mine", False, decode)
    out = b""
    for piece in cut(good + bad + event(delta("never")), size):
        out += splicer.feed(piece)
        if splicer.error:
            break
    assert isinstance(splicer.error, kind)
    assert events_of(out) == naive(typical(3), "mine", False)
    assert not splicer.ended_well


def test_known_events_are_not_trusted_where_they_differ() -> None:
    """Of the form of the one before, but no JSON, or no UTF-8: looked at like any other."""
    first = event(delta("a"))
    for text in (b'"}', b"\\q", b"\\u12", b"\x01", b"\\"):
        broken = first.replace(b'"content":"a"', b'"content":"%b"' % text)
        _, splicer = run([first * 3 + broken])
        assert splicer.error is not None, text
    broken = first.replace(b'"content":"a"', b'"content":"\xff\xfe"')
    assert run([first * 3 + broken + first])[1].error is not None
    other = event({**delta("b"), "error": {"message": "no"}})
    assert isinstance(run([first * 3 + other])[1].error, e.APIError)


def test_nothing_follows_done() -> None:
    splicer = Splicer("mine", False, decode)
    assert splicer.feed(event(delta("a")) + DONE + event(delta("b")) + DONE).count(DONE) == 1
    assert splicer.done and splicer.events == 1


@pytest.mark.parametrize(
    "texts",
    [
        ['a "', '"', 'x"y"', "\\", '\\"', "", "\\\\"],
        ["x" * 500, "y", "z" * 70_000, 'q"' * 400, "w" * 300],
        ["é", "\u2028", "😀", "\n\t", "\x7f"],
        ['"' * 300_000, "a", '"b"'],
    ],
)
def test_a_packet_of_any_texts_is_rewritten_without_parsing_them(texts: list[str]) -> None:
    parsed: list[bytes] = []

    def decoding(data: bytes) -> Json:
        parsed.append(data)
        return decode(data)

    chunks = [delta("first"), *map(delta, texts), delta("last")]
    splicer = Splicer("mine", False, decoding)
    out = splicer.feed(b"".join(map(event, chunks)))
    assert events_of(out) == naive(chunks, "mine", False) and splicer.events == len(chunks)
    if sum(map(len, texts)) < 100_000:
        assert len(parsed) == 1


def test_halves_of_a_surrogate_pair_in_two_events_pass() -> None:
    """As servers that cut UTF-16 send them."""
    first = event(delta("a"))
    halves = [first.replace(b'"content":"a"', b'"content":"\\u%b"' % half) for half in (b"d83d", b"de00")]
    out, splicer = run([first, *halves, first + halves[0] + halves[1] + first])
    assert splicer.error is None and splicer.events == 7
    assert out == b"".join((first, *halves, first, *halves, first)).replace(b'"up-1"', b'"mine"')


def test_a_known_beginning_is_not_trusted_where_the_name_stands_twice_or_goes_on() -> None:
    """Events that begin alike, with another model after all."""
    start = orjson.dumps(delta("a"))[:-1]
    twice = b'data: %b,"model":"up-2"}\n\n' % start
    escaped = b'data: %b,"mod\\u0065l":"up-2"}\n\n' % start
    nested = b'data: %b,"vendor":{"model":"up-2"}}\n\n' % start
    out, _ = run([event(delta("a")), twice, escaped, nested])
    assert [(one["model"], one.get("vendor")) for one in events_of(out)] == [("mine", None)] * 3 + [
        ("mine", {"model": "up-2"})
    ]
    numbers = [b'data: {"model":%d,"choices":[]}\n\n' % number for number in (1, 12, 1)]
    assert run(numbers)[0] == b'data: {"model":"mine","choices":[]}\n\n' * 3


def test_the_last_event_may_lack_its_blank_line() -> None:
    wire = event(delta("a")) + event(delta(None, finish="stop"))
    for ending in (b"\n", b"\n\n"):
        out, splicer = run([wire.removesuffix(ending)])
        assert len(events_of(out)) == 2 and splicer.ended_well
    out, splicer = run([wire + b"data: [DONE]"])
    assert out.endswith(DONE) and splicer.done


def test_a_last_event_that_was_cut_off_is_not_malformed() -> None:
    out, splicer = run([event(delta("a")) + event(delta("b"))[:30]])
    assert len(events_of(out)) == 1
    assert splicer.error is None and not splicer.ended_well


def test_an_event_has_a_largest_size() -> None:
    splicer = Splicer("mine", False, decode)
    piece = b"data: " + b"x" * (1024 * 1024)
    fed = 0
    while splicer.error is None:
        assert splicer.feed(piece) == b""
        fed += len(piece)
    assert MAX_EVENT_BYTES < fed <= MAX_EVENT_BYTES + len(piece)
    assert isinstance(splicer.error, e.APIResponseValidationError)


def test_a_large_event_below_it_passes() -> None:
    chunk = delta("x" * (MAX_EVENT_BYTES - 1000))
    out, splicer = run(cut(event(chunk), 65536))
    assert splicer.error is None and events_of(out) == [{**chunk, "model": "mine"}]


def seconds(work: list[bytes]) -> float:
    splicer = Splicer("mine", False, decode)
    started = time.perf_counter()
    for piece in work:
        splicer.feed(piece)
    assert splicer.error is None
    return time.perf_counter() - started


def test_time_grows_with_the_bytes_and_no_faster() -> None:
    """Quadratic ones take hundreds of times as long; the bounds are far from both."""
    one = event({**delta("x" * 1_000_000)})
    assert seconds(cut(one, 40)) < 5, "a large event in tiny packets"
    differing = b"".join(event({**delta("x"), "t": 10_000 + i}) for i in range(4000))
    assert seconds([differing]) < 2, "events of one length that differ beside their text"
