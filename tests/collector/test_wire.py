"""The compiled primitives, each against a plain statement of the same in Python."""

from collections.abc import Callable
from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest
from any_request import any_value, pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from variations import varint
from xxhash import xxh64_intdigest

from collector.batch import hashes, wire
from collector.batch.memory import address, get, put
from metering import hashing

UNHURRIED = settings(deadline=None, max_examples=200)
BROKEN = wire.BROKEN


def read(function: Callable[..., Any], raw: bytes, *others: Any) -> Any:
    """Call a compiled function on all of some bytes, which lie between other ones."""
    around = np.frombuffer(b"\x80\xff" + raw + b"\x80\xff", np.uint8)
    found = function(address(around), 2, 2 + len(raw), *others)
    if not isinstance(found, tuple):
        return found
    return tuple(part - 2 if part != BROKEN else BROKEN for part in map(int, found))


def varint_of(raw: bytes) -> tuple[int, int]:
    """Return a varint and its size as ``wire.varint`` does, position 0 where it begins."""
    value, at = read(wire.varint, raw)
    return value + 2, at


@UNHURRIED
@given(st.integers(0, 2**64 - 1), st.binary(max_size=3))
def test_a_varint_is_read_back(value: int, behind: bytes) -> None:
    raw = varint(value)

    assert varint_of(raw + behind) == (value, len(raw))


@UNHURRIED
@given(st.integers(0, 2**64 - 1))
def test_a_varint_that_is_cut_is_broken(value: int) -> None:
    assert varint_of(varint(value)[:-1])[1] == BROKEN


@pytest.mark.parametrize(
    ("raw", "size"),
    [
        (b"\x80\x00", 2),
        (b"\x80" * 9 + b"\x00", 10),
        (b"\xff" * 9 + b"\x01", 10),
        (b"\xff" * 9 + b"\x02", BROKEN),
        (b"\xff" * 10 + b"\x00", BROKEN),
        (b"", BROKEN),
    ],
)
def test_a_varint_has_ten_bytes_and_64_bits_at_most(raw: bytes, size: int) -> None:
    assert varint_of(raw)[1] == size


@pytest.mark.parametrize("number", [1, 2, 15, 16, 126, 1000, 2047])
@pytest.mark.parametrize("kind", range(8))
def test_a_tag_is_read_back(number: int, kind: int) -> None:
    raw = varint(number << 3 | kind)
    found_number, found_kind, at = read(wire.tag, raw + b"\xff")

    assert (found_number + 2, found_kind + 2, at) == (number, kind, len(raw))


@pytest.mark.parametrize("raw", [b"", b"\x07", b"\x80", b"\x80\x00", b"\x80\x80\x01", b"\xfa\xff"])
def test_a_tag_that_no_known_field_has_is_unusual(raw: bytes) -> None:
    assert read(wire.tag, raw)[2] == BROKEN


@pytest.mark.parametrize(
    ("raw", "begin", "end"),
    [
        (b"\x00", 1, 1),
        (b"\x02ab", 1, 3),
        (b"\x02abc", 1, 3),
        (b"\x82\x80\x80\x80\x00ab", 5, 7),
        (b"\x82\x80\x80\x80\x80\x00ab", 0, BROKEN),
        (b"\x03ab", 0, BROKEN),
        (b"\xff\xff\xff\xff\x0fab", 0, BROKEN),
        (b"\xff" * 9 + b"\x01ab", 0, BROKEN),
        (b"", 0, BROKEN),
    ],
)
def test_a_length_ends_inside_what_holds_it(raw: bytes, begin: int, end: int) -> None:
    found = read(wire.length, raw)

    assert found[1] == end
    assert end == BROKEN or found[0] == begin


def is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_every_short_run_of_bytes_is_utf8_as_python_has_it() -> None:
    for size in (0, 1, 2):
        for raw in map(bytes, product(range(256), repeat=size)):
            assert read(wire.is_utf8, raw) == is_text(raw)


def test_longer_runs_of_bytes_are_utf8_as_python_has_it() -> None:
    """Every lead byte of three and four, with continuations at the edges of what may follow."""
    edges = (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF)
    for lead in range(0xDF, 0x100):
        for rest in product(edges, repeat=3):
            for size in (3, 4):
                raw = bytes([lead, *rest])[:size]
                assert read(wire.is_utf8, raw) == is_text(raw)


@UNHURRIED
@given(st.text() | st.binary(), st.binary(max_size=2), st.integers(0, 40))
def test_any_text_is_utf8_as_python_has_it(text: str | bytes, odd: bytes, at: int) -> None:
    raw = text.encode() if isinstance(text, str) else text

    for one in (raw, raw[:at] + odd + raw[at:], raw[:at]):
        assert read(wire.is_utf8, one) == is_text(one)


def test_a_name_is_printable_to_the_last_character() -> None:
    """All that is taken for a name must be what ``reading.text`` keeps as it is."""
    characters = map(chr, (*range(0xD800), *range(0xE000, 0x11000)))
    named = [one for one in characters if read(wire.is_name, one.encode())]

    assert all(one.isprintable() for one in named)
    assert {"a", "~", " ", "千", "鿿", "䷀"} < set(named)
    assert not {"\t", "\x7f", "\x00", "é", "\u3000", "\u200b"} & set(named)


@UNHURRIED
@given(st.binary(max_size=200))
def test_the_text_hash_is_xxh64(raw: bytes) -> None:
    assert int(read(hashes.text_hash, raw)) == xxh64_intdigest(raw)


@UNHURRIED
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_mixing_is_the_same_as_in_python(seed: int, value: int) -> None:
    assert int(hashes.mixed(np.uint64(seed), np.uint64(value))) == hashing.mixed(seed, value)


def test_keyed_hashes_of_different_texts_differ_under_a_random_key() -> None:
    """Texts of every length, of one byte and of its neighbours: none looks like another."""
    changes = [(size, at, one) for size in range(70) for at in range(size) for one in (1, 128)]
    texts = [bytes(at) + bytes([one]) + bytes(size - at - 1) for size, at, one in changes]
    texts += [bytes(size) for size in range(70)]
    for key in (Random(seed).getrandbits(64) for seed in range(4)):
        found = {int(read(hashes.keyed_hash, text, np.uint64(key))) for text in texts}

        assert len(found) == len(texts)


def test_a_keyed_hash_depends_on_its_key() -> None:
    found = {int(read(hashes.keyed_hash, b"qwen3-32b", np.uint64(key))) for key in range(1, 1001)}

    assert len(found) == 1000


def test_half_of_the_bits_turn_with_any_bit_of_the_text() -> None:
    key = np.uint64(Random(3).getrandbits(64))
    for size in (1, 3, 4, 7, 8, 15, 16, 17, 40):
        text = Random(size).randbytes(size)
        before = int(read(hashes.keyed_hash, text, key))
        for bit in range(8 * size):
            turned = (int.from_bytes(text) ^ 1 << bit).to_bytes(size)
            after = int(read(hashes.keyed_hash, turned, key))

            assert 12 <= (before ^ after).bit_count() <= 52


def test_names_are_the_same_only_if_every_byte_is() -> None:
    for size in range(20):
        name = bytes(range(size))
        other = np.frombuffer(b"?" + name, np.uint8)
        same = np.frombuffer(name + b"!", np.uint8)

        assert hashes.is_same(address(same), 0, address(other), 1, size)
        for at in range(size):
            changed = np.array(same)
            changed[at] ^= 0x40
            assert not hashes.is_same(address(changed), 0, address(other), 1, size)


def test_names_of_any_length_are_hashed() -> None:
    names = [b"", *(b"gen_ai.usage.input_tokens"[:size] for size in range(1, 26))]

    assert len({int(read(hashes.name_hash, name)) for name in names}) == len(names)


def test_memory_is_read_as_it_was_written() -> None:
    words = np.array([1, 2**32 + 5, -7], np.int64)
    put(address(words), 0, -(2**63))

    assert [get(address(words), i) for i in range(3)] == [-(2**63), 2**32 + 5, -7]


def nested(depth: int) -> AnyValue:
    """Wrap a text into so many lists."""
    value = AnyValue(string_value="x")
    for _ in range(depth):
        value = AnyValue(array_value=ArrayValue(values=[value]))
    return value


def is_sound(raw: bytes, kind: int) -> bool:
    return bool(read(wire.is_sound, raw, kind))


EVENT = Span.Event(
    time_unix_nano=1, name="千", attributes=pairs([("a", {"b": [1, b"", None, 0.5, True]})]),
    dropped_attributes_count=2,
)  # fmt: skip
LINK = Span.Link(
    trace_id=b"t" * 16, span_id=b"s", trace_state="a=b", attributes=pairs([("a", "b")]),
    dropped_attributes_count=2, flags=3,
)  # fmt: skip


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (any_value({"a": [1, {"b": "c"}]}), wire.ANY_VALUE),
        (ArrayValue(values=[AnyValue(), any_value("x")]), wire.ARRAY),
        (any_value({"a": 1, "b": None}).kvlist_value, wire.KEY_VALUES),
        (pairs([("a", 1)])[0], wire.KEY_VALUE),
        (EVENT, wire.SPAN_EVENT),
        (LINK, wire.SPAN_LINK),
    ],
)
def test_what_is_skipped_is_checked_as_protobuf_would(message: Any, kind: int) -> None:
    """Each byte is set to each of a few others: sound ones must be readable."""
    raw: bytes = message.SerializeToString()
    assert is_sound(raw, kind)
    for at, byte in product(range(len(raw)), (0x00, 0x01, 0x0A, 0x12, 0x7F, 0x80, 0xFF)):
        changed = raw[:at] + bytes([byte]) + raw[at + 1 :]
        if is_sound(changed, kind):
            type(message).FromString(changed)
    for at in range(len(raw)):
        if is_sound(raw[:at], kind):
            type(message).FromString(raw[:at])


def test_values_are_followed_to_a_depth() -> None:
    depths = [is_sound(nested(depth).SerializeToString(), wire.ANY_VALUE) for depth in range(12)]

    assert depths == sorted(depths, reverse=True)
    assert depths.count(True) == (wire.MAX_DEPTH + 1) // 2


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"\x0a\x01\xff", wire.ANY_VALUE),
        (b"\x40\x01", wire.ANY_VALUE),
        (b"\x62\x00", wire.ANY_VALUE),
        (b"\x12\x00", wire.ANY_VALUE),
        (b"\x25\x00\x00\x00\x00", wire.ANY_VALUE),
        (b"\x2a\x02\x0a\x01", wire.ANY_VALUE),
        (b"\x2b\x2c", wire.ANY_VALUE),
        (b"\x0d\x00\x00\x00\x00", wire.SPAN_EVENT),
        (b"\x35\x00\x00\x00", wire.SPAN_LINK),
    ],
)
def test_the_unusual_is_left_to_others(raw: bytes, kind: int) -> None:
    """Bad text, unknown fields, other wire types, groups, and what has no end."""
    assert not is_sound(raw, kind)
