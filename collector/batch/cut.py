"""Where the records of a body lie, whatever is inside them, compiled: by the outer levels alone.

Fields that OTLP does not know are passed over, as protobuf does; where even their ends cannot be
told, nothing behind them can be found.
"""

from typing import Any

import numpy as np

from collector.batch import wire
from collector.batch.compiled import compiled
from collector.batch.memory import address, byte_at, get, put
from collector.batch.walk_record import IDENTIFYING, LOG_FIELDS, NAME, SPAN_FIELDS
from collector.batch.wire import BROKEN, FIXED32, FIXED64, LENGTH, VARINT

_WIDTH = 6
_NEVER = 0


def places_of(body: bytes) -> Any | None:
    """Return (n, 6) where each record, its resource and its scope begin and end.

    None where the outer levels cannot be walked, or tell of two resources or scopes at once.
    """
    buf = address(np.frombuffer(body, np.uint8))
    size = _cut(buf, len(body), _NEVER)
    if size == BROKEN:
        return None
    places = np.empty((size, _WIDTH), np.int64)
    _cut(buf, len(body), address(places))
    return places


def bare(record: bytes, *, is_log: bool) -> bytes:
    """Return what a record says of its identity, name and time, of what can be read."""
    out = np.empty(len(record), np.uint8)
    fields = LOG_FIELDS if is_log else SPAN_FIELDS
    read = address(np.frombuffer(record, np.uint8))
    size = _copy(read, len(record), address(fields), out)
    return out[:size].tobytes()


@compiled
def _cut(buf: int, end: int, places: int) -> int:
    """Return the number of records, and note where each lies if there is room given for it."""
    row = 0
    at = 0
    while at < end:
        number, at, stop = _field(buf, at, end)
        if stop == BROKEN:
            return BROKEN
        if number == 1:
            row = _cut_resource(buf, (at, stop), places, row)
            if row == BROKEN:
                return BROKEN
        at = stop
    return row


@compiled
def _cut_resource(buf: int, where: Any, places: int, row: int) -> int:
    resource = _only(buf, where)
    at, end = where
    while at < end and resource[1] != BROKEN:
        number, at, stop = _field(buf, at, end)
        if number == 2:
            row = _cut_scope(buf, (at, stop), places, (row, resource))
            if row == BROKEN:
                return BROKEN
        at = stop
    return BROKEN if resource[1] == BROKEN else row


@compiled
def _cut_scope(buf: int, where: Any, places: int, under: Any) -> int:
    row, resource = under
    scope = _only(buf, where)
    at, end = where
    while at < end and scope[1] != BROKEN:
        number, at, stop = _field(buf, at, end)
        if number == 2:
            if places != _NEVER:
                found = (at, stop, *resource, *scope)
                for i in range(_WIDTH):
                    put(places, row * _WIDTH + i, found[i])
            row += 1
        at = stop
    return BROKEN if scope[1] == BROKEN else row


@compiled
def _only(buf: int, where: Any) -> Any:
    """Return where a message's only first field lies, or BROKEN where it has two or no end."""
    at, end = where
    begin = stop = 0
    is_found = False
    while at < end:
        number, at, last = _field(buf, at, end)
        if last == BROKEN or (number == 1 and is_found):
            return 0, BROKEN
        if number == 1:
            begin, stop = at, last
            is_found = True
        at = last
    return begin, stop


@compiled
def _field(buf: int, at: int, end: int) -> Any:
    """Return a length-delimited field's number, where it begins and ends; other fields have 0."""
    number, kind, at = wire.tag(buf, at, end)
    stop = BROKEN
    if at == BROKEN:
        return 0, 0, BROKEN
    if kind == LENGTH:
        at, stop = wire.length(buf, at, end)
        return number, at, stop
    if kind == VARINT:
        _, stop = wire.varint(buf, at, end)
    elif kind == FIXED64:
        stop = at + 8
    elif kind == FIXED32:
        stop = at + 4
    return 0, 0, stop if stop <= end else BROKEN


@compiled
def _copy(buf: int, end: int, fields: int, out: Any) -> int:
    """Copy a record's identifying fields up to the first that has no end; return their size."""
    size = 0
    at = 0
    while at < end:
        number, _, _ = wire.tag(buf, at, end)
        _, begin, stop = _field(buf, at, end)
        if stop == BROKEN:
            return size
        field = get(fields, number) if number < len(SPAN_FIELDS) else 0
        if field in IDENTIFYING and (field != NAME or wire.is_utf8(buf, begin, stop)):
            for i in range(at, stop):
                out[size] = byte_at(buf, i)
                size += 1
        at = stop
    return size
