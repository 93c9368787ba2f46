"""One span or log record, compiled: its ids, times and attributes into its row."""

from typing import Any

import numpy as np

from collector.batch import wire
from collector.batch.attributes import read_attribute
from collector.batch.compiled import compiled
from collector.batch.hashes import keyed_hash
from collector.batch.memory import fixed64, get, put
from collector.batch.resolve import resolve
from collector.batch.rows import AT_IDS, AT_SHAPE, AT_TIMES, ODD, PLAIN, WIDTH
from collector.batch.wire import BROKEN, FIXED32, FIXED64, LENGTH, VARINT

_TRACE_ID, _SPAN_ID, _PARENT, NAME, _START, _END, _ATTRIBUTE, _STATUS = range(1, 9)
_NUMBER, _TEXT, _EVENT, _LINK, _STATE, _FLAGS, _BODY, _OBSERVED = range(9, 17)
SPAN_FIELDS = np.array(
    [0, _TRACE_ID, _SPAN_ID, _STATE, _PARENT, NAME, _NUMBER, _START, _END, _ATTRIBUTE, _NUMBER,
     _EVENT, _NUMBER, _LINK, _NUMBER, _STATUS, _FLAGS],
)  # fmt: skip
LOG_FIELDS = np.array(
    [0, _START, _NUMBER, _TEXT, 0, _BODY, _ATTRIBUTE, _NUMBER, _FLAGS, _TRACE_ID, _SPAN_ID,
     _OBSERVED, NAME, 0, 0, 0, 0],
)  # fmt: skip
"""What each field number of a span and of a log record is; 0 where it is unusual."""
IDENTIFYING = (_TRACE_ID, _SPAN_ID, _PARENT, NAME, _START, _END, _OBSERVED)
"""What tells which record it is; no part of it but the name can be wrong in itself."""
_FIELDS = len(SPAN_FIELDS)

_ERROR_STATUS = 2
_NAME_SALT = np.uint64(1)
_U = np.uint64


@compiled
def read_record(buf: int, where: Any, to: Any, under: Any) -> bool:
    """Read one span or log record into its row; False where the body is unusual."""
    fields, keys, rows, noted = to
    row, shape = under
    at, end = where
    is_odd = False
    has_name = False
    count = 0
    while at < end:
        number, kind, at = wire.tag(buf, at, end)
        if at == BROKEN or number >= _FIELDS or get(fields, number) == 0:
            return False
        field = get(fields, number)
        if kind != LENGTH:
            at = _scalar(buf, (at, end), (kind, field), rows + 8 * row * WIDTH)
            if at == BROKEN:
                return False
            continue
        at, stop = wire.length(buf, at, end)
        if stop == BROKEN:
            return False
        if field == _ATTRIBUTE:
            count = read_attribute(buf, (at, stop), (keys, noted), (row, count))
            found = min(count, PLAIN)
        else:
            found = _part(buf, (at, stop), field, rows + 8 * row * WIDTH)
        if found == BROKEN or (field == NAME and has_name):
            return False
        if field == NAME:
            has_name = True
            shape += keyed_hash(buf, at, stop, keys[4] ^ _NAME_SALT)
        is_odd |= found == ODD
        at = stop
    shape = resolve(buf, (keys, noted, count), (rows, row), (shape, is_odd))
    put(rows, row * WIDTH + AT_SHAPE, np.int64(shape))
    return True


@compiled
def _part(buf: int, where: Any, field: int, row: int) -> int:
    """Read or check a part of a record; return whether it is PLAIN, ODD or, unusual, BROKEN."""
    at, stop = where
    if field in (_TRACE_ID, _SPAN_ID, _PARENT):
        return _id(buf, where, field, row)
    if field == _STATUS:
        return _status(buf, at, stop)
    is_sound = False
    if field in (NAME, _STATE, _TEXT):
        is_sound = wire.is_utf8(buf, at, stop)
    elif field == _EVENT:
        is_sound = wire.is_sound(buf, at, stop, wire.SPAN_EVENT)
    elif field == _LINK:
        is_sound = wire.is_sound(buf, at, stop, wire.SPAN_LINK)
    elif field == _BODY:
        is_sound = wire.is_sound(buf, at, stop, wire.ANY_VALUE)
    if not is_sound:
        return BROKEN
    return ODD if field == _STATE and stop > at else PLAIN


@compiled
def _id(buf: int, where: Any, field: int, row: int) -> int:
    """Note where an id lies; one of another length than W3C's is odd, and no parent is nobody."""
    at, stop = where
    wanted = 16 if field == _TRACE_ID else 8
    is_right = stop - at == wanted
    is_none = is_right and field == _PARENT and fixed64(buf, at) == _U(0)
    put(row, AT_IDS + field - _TRACE_ID, at if is_right and not is_none else -1)
    return PLAIN if is_right or stop == at else ODD


@compiled
def _status(buf: int, at: int, end: int) -> int:
    """Return whether a status says nothing: what errors say differs each time."""
    found = PLAIN
    while at < end:
        number, kind, at = wire.tag(buf, at, end)
        if at == BROKEN:
            return BROKEN
        if number == 2 and kind == LENGTH:
            start, at = wire.length(buf, at, end)
            if at == BROKEN or not wire.is_utf8(buf, start, at):
                return BROKEN
            found = ODD if at > start else found
        elif number == 3 and kind == VARINT:
            code, at = wire.varint(buf, at, end)
            if at == BROKEN:
                return BROKEN
            found = ODD if code & _U(0xFFFFFFFF) == _U(_ERROR_STATUS) else found
        else:
            return BROKEN
    return found


@compiled
def _scalar(buf: int, where: Any, what: Any, row: int) -> int:
    """Read a time or skip a number; return the position behind it."""
    at, end = where
    kind, field = what
    if kind == VARINT and field == _NUMBER:
        _, at = wire.varint(buf, at, end)
        return at
    if kind == FIXED32 and field == _FLAGS:
        return at + 4 if at + 4 <= end else BROKEN
    if kind != FIXED64 or at + 8 > end or field not in (_START, _END, _OBSERVED):
        return BROKEN
    value = np.int64(fixed64(buf, at))
    if value < 0:
        return BROKEN
    place = 0 if field == _START else 1 if field == _END else 2
    put(row, AT_TIMES + place, value)
    return at + 8
