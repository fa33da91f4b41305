"""Content codings, undone piece by piece and within bounds."""

import gzip
import zlib

import pytest

from litellm.transport.base import NotHTTP
from litellm.transport.decompress import FREE, Decoder, decoder_for

TEXT = b"".join(b"data: token %d\n\n" % number for number in range(5000))


def coded(coding: str, data: bytes) -> bytes:
    return {"gzip": gzip.compress, "deflate": zlib.compress}[coding](data)


def decode(decoder: Decoder | None, data: bytes, step: int) -> bytes:
    assert decoder is not None
    out = b"".join(decoder.feed(data[at : at + step]) for at in range(0, len(data), step))
    decoder.finish()
    return out


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("step", [1, 7, 4096, 1 << 20])
def test_pieces(coding: str, step: int) -> None:
    assert decode(decoder_for(coding.encode()), coded(coding, TEXT), step) == TEXT


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 131072, 131073, 1_000_000])
def test_nothing_is_held_back_at_the_steps_of_the_output(size: int) -> None:
    assert decode(decoder_for(b"gzip"), gzip.compress(bytes(size)), 1 << 20) == bytes(size)


def test_what_has_arrived_is_decoded_at_once() -> None:
    """A stream's events are flushed one by one; none may wait for the next."""
    packer = zlib.compressobj(wbits=31)
    decoder = decoder_for(b"gzip")
    assert decoder is not None
    for event in (b"data: 1\n\n", b"data: 2\n\n"):
        assert decoder.feed(packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH)) == event


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("step", [100, 1 << 20])
def test_a_bomb_is_stopped_early(coding: str, step: int) -> None:
    bomb = coded(coding, bytes(50_000_000))
    decoder = decoder_for(coding.encode())
    assert decoder is not None
    made = 0
    with pytest.raises(NotHTTP, match="200 times"):
        for at in range(0, len(bomb), step):
            made += len(decoder.feed(bomb[at : at + step]))
    assert made <= FREE + 200 * step


def test_dull_text_is_no_bomb() -> None:
    dull = b'{"delta": {"content": " the"}}\n' * 3000
    assert decode(decoder_for(b"gzip"), gzip.compress(dull), 4096) == dull


@pytest.mark.parametrize("coding", [b"identity", b"br", b"zstd", b"gzip, gzip", b"", b"nonsense"])
def test_other_codings_pass(coding: bytes) -> None:
    assert decoder_for(coding) is None


def test_no_coding() -> None:
    assert decoder_for(None) is None
