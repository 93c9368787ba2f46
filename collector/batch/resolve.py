"""From the attributes of a record to its row, compiled: of several names for a thing the best."""

from typing import Any

import numpy as np

from collector.batch import wire
from collector.batch.attributes import DOUBLE, INT, NONE, STRING, key_seed, value_shape
from collector.batch.compiled import compiled
from collector.batch.hashes import mixed
from collector.batch.keys import (
    CACHED,
    COUNT,
    EVENT_ID,
    FIELD,
    INPUT,
    KEY_WIDTH,
    MEANING,
    NANOS,
    OBJECT,
    ODD_WHEN_SAID,
    ORDER,
    OUTPUT,
    REASONING,
    RESPONSE_ID,
    SCALE,
    SHAPE,
    TEXT,
    TOTAL,
    TTFT,
    WRITTEN,
    WRITTEN_1H,
    WRITTEN_5M,
)
from collector.batch.memory import as_double, byte_at, get, put
from collector.batch.rows import (
    AT_COUNTS,
    AT_IDS,
    AT_KIND,
    AT_NANOS,
    AT_STARTS,
    AT_STOPS,
    KIND,
    ODD,
    PLAIN,
    PRESENT,
    STOP,
    UNSAID,
    VALUE,
    WIDTH,
    noted_of,
)
from metering.event import MAX_COUNT

MAX_TEXT = 500
"""Bytes of a text that is kept as it is."""

_SAID = np.uint64(0x5A1D)
"""Stands in a shape for any value of a name whose values have columns of their own."""
_SPAN = 1
_BRACE = ord("{")
_U = np.uint64


@compiled
def resolve(buf: int, read: Any, to: Any, told: Any) -> Any:
    """Turn what is noted into the row's columns and return the record's shape."""
    keys, noted, count = read
    rows, row = to
    shape, is_odd = told
    here = rows + 8 * row * WIDTH
    for i in range(count):
        key = noted_of(noted, i, PRESENT)
        meaning = _column(keys, key, MEANING)
        if meaning == SHAPE or noted_of(noted, key, KIND) == NONE:
            shape += value_shape(buf, keys, noted, key)
        elif _is_said(keys, noted, key):
            shape += mixed(key_seed(keys, key), _SAID)
            if meaning in (OBJECT, ODD_WHEN_SAID):
                is_odd |= meaning == ODD_WHEN_SAID or _may_be_object(buf, noted, key)
            elif meaning in (COUNT, NANOS, TEXT) and _is_first(keys, noted, (key, count)):
                is_odd |= not _fill(buf, (keys, noted, key), here)
    is_odd |= not _is_plain(here + 8 * AT_COUNTS)
    put(here, AT_KIND, (ODD if is_odd else PLAIN) if count else UNSAID)
    return shape + mixed(keys[4], _pattern(here))


@compiled
def _column(keys: Any, key: int, column: int) -> int:
    return get(keys[3], key * KEY_WIDTH + column)


@compiled
def _is_said(keys: Any, noted: int, key: int) -> bool:
    """Whether a name has a value: an empty text says nothing where a text is wanted."""
    kind = noted_of(noted, key, KIND)
    if kind == STRING and _column(keys, key, MEANING) == TEXT:
        return noted_of(noted, key, STOP) > noted_of(noted, key, VALUE)
    return kind != NONE


@compiled
def _may_be_object(buf: int, noted: int, key: int) -> bool:
    start, stop = noted_of(noted, key, VALUE), noted_of(noted, key, STOP)
    return noted_of(noted, key, KIND) == STRING and start < stop and byte_at(buf, start) == _BRACE


@compiled
def _is_first(keys: Any, noted: int, what: Any) -> bool:
    """Whether no better name of the same field is said."""
    key, count = what
    order = _column(keys, key, ORDER)
    if order == 0:
        return True
    for i in range(count):
        other = noted_of(noted, i, PRESENT)
        is_better = _column(keys, other, ORDER) < order
        if is_better and _is_same_field(keys, key, other) and _is_said(keys, noted, other):
            return False
    return True


@compiled
def _is_same_field(keys: Any, key: int, other: int) -> bool:
    return _column(keys, other, FIELD) == _column(keys, key, FIELD) and (
        _column(keys, other, MEANING) == _column(keys, key, MEANING)
    )


@compiled
def _fill(buf: int, what: Any, row: int) -> bool:
    """Put a count, duration or text into its column; False where it is none of the plain kind."""
    keys, noted, key = what
    kind, value = noted_of(noted, key, KIND), noted_of(noted, key, VALUE)
    meaning, field = _column(keys, key, MEANING), _column(keys, key, FIELD)
    if meaning == COUNT:
        put(row, AT_COUNTS + field, value)
        return kind == INT and 0 <= value < MAX_COUNT
    if meaning == NANOS:
        return _fill_duration((kind, value), (field, _column(keys, key, SCALE)), row)
    stop = noted_of(noted, key, STOP)
    put(row, AT_STARTS + field, value)
    put(row, AT_STOPS + field, stop)
    return kind == STRING and stop - value <= MAX_TEXT and wire.is_name(buf, value, stop)


@compiled
def _fill_duration(said: Any, how: Any, row: int) -> bool:
    """Put a duration into its column; False where other names may say it better.

    A scale of 0 takes whole numbers for nanoseconds and fractions for seconds.
    """
    kind, value = said
    field, scale = how
    if kind == INT:
        if not 0 <= value < MAX_COUNT:
            return False
        number = np.float64(value) * max(scale, 1)
    elif kind == DOUBLE and scale != 1:
        number = as_double(value) * (scale or 1e9)
    else:
        return False
    if not 0.0 <= number < 1e15:
        return False
    put(row, AT_NANOS + field, np.int64(np.rint(number)))
    return field != TTFT or number >= 1.0


@compiled
def _is_plain(counts: int) -> bool:
    """Whether details lie within their totals, so that taking them off is all there is to do."""
    split = get(counts, WRITTEN_5M) + get(counts, WRITTEN_1H)
    if get(counts, WRITTEN) >= 0 and split != -2:
        return False
    inside = _count(counts, CACHED) + _count(counts, WRITTEN)
    inside += _count(counts, WRITTEN_5M) + _count(counts, WRITTEN_1H)
    given, made = _count(counts, INPUT), _count(counts, OUTPUT)
    if inside > given or _count(counts, REASONING) > made:
        return False
    return get(counts, TOTAL) < 0 or get(counts, TOTAL) == given + made


@compiled
def _count(counts: int, field: int) -> int:
    return max(get(counts, field), 0)


@compiled
def _pattern(row: int) -> Any:
    """Return which counts, durations and ids are said, and which counts are zero."""
    pattern = _U(1 + (get(row, AT_IDS + _SPAN) >= 0))
    for at in range(AT_COUNTS, AT_COUNTS + REASONING + 1):
        pattern = pattern * _U(3) + _U(min(get(row, at), 1) + 1)
    for at in range(AT_NANOS, AT_STARTS):
        pattern = pattern * _U(2) + _U(get(row, at) > 0)
    for at in range(RESPONSE_ID, EVENT_ID + 1):
        pattern = pattern * _U(2) + _U(get(row, AT_STOPS + at) > get(row, AT_STARTS + at))
    return pattern
