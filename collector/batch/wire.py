"""The protobuf wire format, compiled: varints, lengths, UTF-8 and checks of what is skipped.

Nothing here decides what is malformed: where a body is broken or merely unusual these functions
say so (``BROKEN``), and the reference decoder has the word.
Source: https://protobuf.dev/programming-guides/encoding/
"""

from typing import Any

import numpy as np

from collector.batch.compiled import compiled
from collector.batch.memory import byte_at, fixed64

BROKEN = -1
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
MAX_DEPTH = 16
"""Messages in messages that are followed here; deeper ones are left to the reference decoder."""

ANY_VALUE, ARRAY, KEY_VALUES, KEY_VALUE, SPAN_EVENT, SPAN_LINK = range(6)
"""Kinds of message that are checked but not read."""

_U = np.uint64
_LONGEST_LENGTH = 5
"""Bytes of a length: longer ones, though they may be zeros, protobuf refuses."""
_TEXT, _BYTES, _NUMBER, _FIXED64, _DOUBLE, _FIXED32 = 100, 101, 102, 103, 104, 105
_FIELDS = 12
SKIPPED = np.full((6, _FIELDS), BROKEN, np.int64)
"""Message kind and field number -> what the field is; anything else is unusual."""
SKIPPED[ANY_VALUE, 1:8] = _TEXT, _NUMBER, _NUMBER, _FIXED64, ARRAY, KEY_VALUES, _BYTES
SKIPPED[ARRAY, 1] = ANY_VALUE
SKIPPED[KEY_VALUES, 1] = KEY_VALUE
SKIPPED[KEY_VALUE, 1:3] = _TEXT, ANY_VALUE
SKIPPED[SPAN_EVENT, 1:5] = _FIXED64, _TEXT, KEY_VALUE, _NUMBER
SKIPPED[SPAN_LINK, 1:7] = _BYTES, _BYTES, _TEXT, KEY_VALUE, _NUMBER, _FIXED32


@compiled
def varint(buf: int, at: int, end: int) -> Any:
    """Return a varint's value and the position behind it, or ``BROKEN`` for the position."""
    if at < end and byte_at(buf, at) < 0x80:
        return _U(byte_at(buf, at)), at + 1
    value = _U(0)
    for i in range(10):
        if at + i >= end:
            return value, BROKEN
        byte = byte_at(buf, at + i)
        value |= _U(byte & 0x7F) << _U(7 * i)
        if byte < 0x80:
            if i == 9 and byte > 1:
                return value, BROKEN
            return value, at + i + 1
    return value, BROKEN


@compiled
def tag(buf: int, at: int, end: int) -> Any:
    """Return a field's number, its wire type, and the position behind its tag.

    All of OTLP's fields have tags of one byte or two; longer ones are unusual.
    """
    if at >= end:
        return 0, 0, BROKEN
    low = np.int64(byte_at(buf, at))
    if 8 <= low < 0x80:
        return low >> 3, low & 7, at + 1
    if low < 8 or at + 1 >= end or byte_at(buf, at + 1) >= 0x80:
        return 0, 0, BROKEN
    number = np.int64(byte_at(buf, at + 1)) << 4 | (low & 0x7F) >> 3
    return number, low & 7, at + 2 if number else BROKEN


@compiled
def length(buf: int, at: int, end: int) -> Any:
    """Return where a length-delimited field begins and ends, or an end of ``BROKEN``."""
    size, begin = varint(buf, at, end)
    if begin == BROKEN or begin > at + _LONGEST_LENGTH or size > _U(end - begin):
        return 0, BROKEN
    return begin, begin + np.int64(size)


@compiled
def is_utf8(buf: int, start: int, end: int) -> bool:
    """Whether bytes are UTF-8 as protobuf demands of strings: shortest forms, no surrogates."""
    high = _U(0)
    at = start
    while at + 8 <= end:
        high |= fixed64(buf, at)
        at += 8
    while at < end:
        high |= _U(byte_at(buf, at))
        at += 1
    return high & _U(0x8080808080808080) == _U(0) or _is_wide_utf8(buf, start, end)


@compiled
def _is_wide_utf8(buf: int, start: int, end: int) -> bool:
    i = start
    while i < end:
        lead = byte_at(buf, i)
        if lead < 0x80:
            i += 1
            continue
        more, low, high = 1, 0x80, 0xBF
        if lead < 0xC2 or lead > 0xF4:
            return False
        if lead >= 0xF0:
            more = 3
            low = 0x90 if lead == 0xF0 else 0x80
            high = 0x8F if lead == 0xF4 else 0xBF
        elif lead >= 0xE0:
            more = 2
            low = 0xA0 if lead == 0xE0 else 0x80
            high = 0x9F if lead == 0xED else 0xBF
        if i + more >= end:
            return False
        if byte_at(buf, i + 1) < low or byte_at(buf, i + 1) > high:
            return False
        for k in range(2, more + 1):
            if byte_at(buf, i + k) & 0xC0 != 0x80:
                return False
        i += more + 1
    return True


@compiled
def is_name(buf: int, start: int, end: int) -> bool:
    """Whether a text is kept as it is: printable ASCII or Chinese characters, of valid UTF-8."""
    i = start
    while i < end:
        byte = byte_at(buf, i)
        if 0x20 <= byte <= 0x7E:
            i += 1
        elif 0xE4 <= byte <= 0xE9:
            i += 3
        else:
            return False
    return True


@compiled
def is_sound(buf: int, start: int, end: int, kind: int) -> bool:
    """Whether a message that is not read is well formed, without recursion."""
    ends = np.empty(MAX_DEPTH, np.int64)
    kinds = np.empty(MAX_DEPTH, np.int64)
    depth = 0
    ends[0], kinds[0] = end, kind
    at = start
    while True:
        while at == ends[depth]:
            if depth == 0:
                return True
            depth -= 1
        number, wire, at = tag(buf, at, ends[depth])
        if at == BROKEN or number >= _FIELDS:
            return False
        field = SKIPPED[kinds[depth], number]
        if field == BROKEN:
            return False
        if field >= _TEXT:
            at = _skipped(buf, at, ends[depth], wire, field)
            if at == BROKEN:
                return False
            continue
        if wire != LENGTH or depth + 1 == MAX_DEPTH:
            return False
        at, inner_end = length(buf, at, ends[depth])
        if inner_end == BROKEN:
            return False
        depth += 1
        ends[depth], kinds[depth] = inner_end, field


@compiled
def _skipped(buf: int, at: int, end: int, wire: int, field: int) -> int:
    """Return the position behind a field that holds no message."""
    if field == _NUMBER and wire == VARINT:
        _, at = varint(buf, at, end)
        return at
    if (field == _FIXED64 and wire == FIXED64) or (field == _FIXED32 and wire == FIXED32):
        at += 8 if wire == FIXED64 else 4
        return at if at <= end else BROKEN
    if field > _BYTES or wire != LENGTH:
        return BROKEN
    at, stop = length(buf, at, end)
    if stop == BROKEN or (field == _TEXT and not is_utf8(buf, at, stop)):
        return BROKEN
    return stop
