"""Compressed bodies: what comes out is what went in, and never more than the limit."""

import gzip
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.inflate import BadCompressionError, BodyTooLargeError, UnknownEncodingError, inflate

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

UNHURRIED = settings(deadline=None)
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}
encodings = st.sampled_from(sorted(COMPRESS))

MIB = 1024 * 1024
bodies = st.binary(max_size=300) | st.binary(max_size=20).map(lambda b: b * 5000)


@UNHURRIED
@given(bodies, encodings)
def test_inflating_undoes_compression(body: bytes, encoding: str) -> None:
    assert inflate(COMPRESS[encoding](body), encoding, len(body)) == body


@UNHURRIED
@given(st.lists(bodies, min_size=1, max_size=4), encodings)
def test_all_members_of_a_body_are_read(members: list[bytes], encoding: str) -> None:
    whole = b"".join(members)
    sent = b"".join(map(COMPRESS[encoding], members))

    assert inflate(sent, encoding, len(whole)) == whole


def test_a_plain_body_over_the_limit_is_refused() -> None:
    assert inflate(b"abc", "identity", 3) == b"abc"
    with pytest.raises(BodyTooLargeError):
        inflate(b"abcd", "", 3)


@UNHURRIED
@given(st.lists(bodies, min_size=1, max_size=4), st.integers(0, 100_000), encodings)
def test_nothing_larger_than_the_limit_comes_out(
    members: list[bytes], limit: int, encoding: str
) -> None:
    whole = b"".join(members)
    sent = b"".join(map(COMPRESS[encoding], members))

    if len(whole) <= limit:
        assert inflate(sent, encoding, limit) == whole
    else:
        with pytest.raises(BodyTooLargeError, match=f"at most {limit} bytes when inflated"):
            inflate(sent, encoding, limit)


@UNHURRIED
@given(bodies, st.integers(0, 400))
def test_an_uncompressed_body_passes_up_to_the_limit(body: bytes, limit: int) -> None:
    if len(body) <= limit:
        assert inflate(body, "", limit) == body
    else:
        with pytest.raises(BodyTooLargeError):
            inflate(body, "identity", limit)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", " gzip ", "x-gzip"])
def test_gzip_has_several_spellings(encoding: str) -> None:
    assert inflate(gzip.compress(b"spans", mtime=0), encoding, 5) == b"spans"


@pytest.mark.parametrize("encoding", ["deflate", "zlib", "ZLIB"])
def test_deflate_is_also_called_by_its_format(encoding: str) -> None:
    assert inflate(zlib.compress(b"spans"), encoding, 5) == b"spans"


@UNHURRIED
@given(bodies, st.lists(encodings | st.just("identity"), max_size=3))
def test_a_list_of_encodings_is_undone_from_its_end(body: bytes, layers: list[str]) -> None:
    sent = body
    for name in layers:
        sent = COMPRESS.get(name, bytes)(sent)

    assert inflate(sent, " , ".join(layers), 10 * len(sent) + len(body)) == body


def test_the_limit_holds_inside_a_list_of_encodings() -> None:
    bomb = gzip.compress(gzip.compress(bytes(10 * MIB)))

    with pytest.raises(BodyTooLargeError):
        inflate(bomb, "gzip, gzip", MIB)
    with pytest.raises(BodyTooLargeError):
        inflate(gzip.compress(gzip.compress(bytes(100))), "gzip, identity, gzip", 20)


@pytest.mark.parametrize("encoding", ["gzip, br", "br, gzip", "gzip, gzip, gzip, gzip"])
def test_a_list_with_an_unknown_encoding_or_a_long_one_is_refused(encoding: str) -> None:
    with pytest.raises(UnknownEncodingError, match="must be gzip, zstd, deflate or identity"):
        inflate(b"", encoding, 5)


@pytest.mark.parametrize("encoding", ["", "identity", "Identity", " "])
def test_no_encoding_has_several_spellings(encoding: str) -> None:
    assert inflate(b"spans", encoding, 5) == b"spans"


@pytest.mark.parametrize("encoding", ["br", "snappy", "gzip;q=1", "gzipp"])
def test_another_encoding_is_refused_by_name(encoding: str) -> None:
    with pytest.raises(UnknownEncodingError, match=f"deflate or identity, found '{encoding}'"):
        inflate(b"spans", encoding, 5)


@UNHURRIED
@given(st.binary(min_size=1, max_size=300), encodings, st.data())
def test_a_body_cut_short_is_refused(body: bytes, encoding: str, data: st.DataObject) -> None:
    sent = COMPRESS[encoding](body)
    kept = data.draw(st.integers(1, len(sent) - 1))

    with pytest.raises(BadCompressionError, match=f"must be valid {encoding}, found: its end in"):
        inflate(sent[:kept], encoding, 1000)


@pytest.mark.parametrize(
    "sent",
    [
        b"plain text",
        gzip.compress(b"spans", mtime=0) + b"trailing",
        gzip.compress(b"spans", mtime=0)[:-8] + bytes(8),
        gzip.compress(b"spans", mtime=0)[2:],
    ],
)
def test_what_is_no_gzip_is_refused(sent: bytes) -> None:
    with pytest.raises(BadCompressionError, match="must be valid gzip, found: Error -3"):
        inflate(sent, "gzip", 1000)


@UNHURRIED
@given(st.binary(max_size=200), st.integers(0, 500), encodings)
def test_any_bytes_are_inflated_or_refused(sent: bytes, limit: int, encoding: str) -> None:
    try:
        body = inflate(sent, encoding, limit)
    except (BadCompressionError, BodyTooLargeError):
        return
    assert len(body) <= limit


@pytest.mark.parametrize("encoding", sorted(COMPRESS))
def test_a_bomb_is_refused_without_being_inflated(encoding: str) -> None:
    bomb = COMPRESS[encoding](bytes(64 * MIB)) * 4
    tracemalloc.start()
    with pytest.raises(BodyTooLargeError):
        inflate(bomb, encoding, MIB)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 8 * MIB


def test_a_frame_that_asks_for_a_huge_window_is_refused() -> None:
    options = {zstd.CompressionParameter.window_log: 26, zstd.CompressionParameter.checksum_flag: 1}
    compressor = zstd.ZstdCompressor(options=options)
    frame = compressor.compress(bytes(range(256)) * 4096) + compressor.flush()

    with pytest.raises(BadCompressionError, match="must be valid zstd"):
        inflate(frame, "zstd", 2 * MIB)


def test_many_empty_members_cost_no_more_than_their_length() -> None:
    """Twenty bytes a member; copying the rest behind each would take minutes at 64 MiB."""
    sent = gzip.compress(b"", mtime=0) * 150_000
    began = time.process_time()

    assert inflate(sent, "gzip", MIB) == b""
    assert time.process_time() - began < 3
