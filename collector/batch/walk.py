"""Walk an OTLP body without making an object of anything: its registered attributes as columns.

bytes -> walk -> Rows: per record where its ids lie, its counts and times, where its texts lie,
and the hash of all else that a rule may look at (its shape)

What is unusual is marked for the reference decoder: a record (``ODD``), or the whole body.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from collector.batch import wire
from collector.batch.attributes import read_attribute, value_shape
from collector.batch.compiled import compiled
from collector.batch.hashes import keyed_hash
from collector.batch.keys import Keys
from collector.batch.memory import address, put
from collector.batch.rows import (
    AT_PLACE,
    NOTED,
    PRESENT,
    WIDTH,
    Rows,
    empty_row,
    noted_of,
    parts_of,
)
from collector.batch.walk_record import LOG_FIELDS, SPAN_FIELDS, read_record
from collector.batch.wire import BROKEN, LENGTH, VARINT

_SCOPE_SALT = np.uint64(2)
_FIRST_RESOURCE = -2
"""What attributes of resources are stamped with, counting down; those of records count up from 0,
and -1 stands where nothing is noted."""
_U = np.uint64


@dataclass(frozen=True, slots=True)
class Walker:
    """Walks bodies of both signals."""

    keys: Keys

    def walk(self, body: bytes, *, is_log: bool) -> Rows | None:
        """Return a body's records, or None where the reference decoder must read all of it."""
        buf = address(np.frombuffer(body, np.uint8))
        size = _count(buf, len(body))
        if size < 0:
            return None
        rows = np.empty((size, WIDTH), np.int64)
        noted = np.full((len(self.keys.rows) + 1, NOTED), -1, np.int64)
        fields = LOG_FIELDS if is_log else SPAN_FIELDS
        table, names, keys = (address(part) for part in self.keys[:3])
        known = (table, len(self.keys.table) - 1, names, keys, self.keys.secret)
        if _walk(buf, len(body), (address(fields), known, address(rows), address(noted))) != size:
            return None
        return parts_of(rows)


def count_records(body: bytes) -> int:
    """Return how many records a body holds; negative where that cannot be told."""
    return int(_count(address(np.frombuffer(body, np.uint8)), len(body)))


@compiled
def _count(buf: int, end: int) -> int:
    """Return the number of records, or BROKEN; the three outer levels are alike in both signals."""
    count = 0
    at = 0
    while at < end:
        number, at, stop = _field(buf, at, end)
        if stop == BROKEN or number != 1:
            return BROKEN
        while at < stop:
            inner, begin, at = _field(buf, at, stop)
            if at == BROKEN:
                return BROKEN
            while inner == 2 and begin < at:
                field, _, begin = _field(buf, begin, at)
                if begin == BROKEN:
                    return BROKEN
                count += field == 2
        at = stop
    return count


@compiled
def _field(buf: int, at: int, end: int) -> Any:
    """Return the number of a length-delimited field, where it begins, and where it ends."""
    number, kind, at = wire.tag(buf, at, end)
    if at == BROKEN or kind != LENGTH:
        return 0, 0, BROKEN
    at, stop = wire.length(buf, at, end)
    return number, at, stop


@compiled
def _walk(buf: int, end: int, to: Any) -> int:
    """Fill the rows and return their number, or BROKEN."""
    row = 0
    at = 0
    while at < end:
        _, at, stop = _field(buf, at, end)
        row = _resource(buf, (at, stop), to, row)
        if row == BROKEN:
            return BROKEN
        at = stop
    return row


@compiled
def _resource(buf: int, where: Any, to: Any, row: int) -> int:
    """Walk one ResourceSpans or ResourceLogs."""
    at, end = where
    place = (0, 0)
    shape = _U(0)
    is_open = True
    while at < end:
        number, at, stop = _field(buf, at, end)
        if number == 1 and is_open:
            is_open = False
            place = (at, stop)
            shape = _resource_shape(buf, place, to)
            if shape == _U(0):
                return BROKEN
        elif number == 2:
            is_open = False
            row = _scope(buf, (at, stop), to, (row, shape, place))
            if row == BROKEN:
                return BROKEN
        elif number != 3 or not wire.is_utf8(buf, at, stop):
            return BROKEN
        at = stop
    return row


@compiled
def _resource_shape(buf: int, where: Any, to: Any) -> Any:
    """Return the hash of a resource's registered attributes; 0 where it is unusual."""
    _, keys, _, noted = to
    at, end = where
    count = 0
    stamp = _FIRST_RESOURCE - at
    while at < end:
        number, kind, at = wire.tag(buf, at, end)
        if at != BROKEN and number == 2 and kind == VARINT:
            _, at = wire.varint(buf, at, end)
        elif at != BROKEN and number == 1 and kind == LENGTH:
            at, stop = wire.length(buf, at, end)
            if stop == BROKEN:
                return _U(0)
            count = read_attribute(buf, (at, stop), (keys, noted), (stamp, count))
            at = BROKEN if count == BROKEN else stop
        else:
            return _U(0)
        if at == BROKEN:
            return _U(0)
    shape = _U(0)
    for i in range(count):
        shape += value_shape(buf, keys, noted, noted_of(noted, i, PRESENT))
    return shape | _U(1)


@compiled
def _scope(buf: int, where: Any, to: Any, under: Any) -> int:
    """Walk one ScopeSpans or ScopeLogs."""
    row, shape, place = under
    at, end = where
    scope = (0, 0)
    is_open = True
    while at < end:
        number, at, stop = _field(buf, at, end)
        if number == 1 and is_open:
            is_open = False
            scope = (at, stop)
            if not _is_scope(buf, at, stop):
                return BROKEN
            shape += keyed_hash(buf, at, stop, to[1][4] ^ _SCOPE_SALT)
        elif number == 2:
            is_open = False
            _begin_row(to[2], row, (at, stop), place + scope)
            if not read_record(buf, (at, stop), to, (row, shape)):
                return BROKEN
            row += 1
        elif number != 3 or not wire.is_utf8(buf, at, stop):
            return BROKEN
        at = stop
    return row


@compiled
def _begin_row(rows: int, row: int, record: Any, above: Any) -> None:
    """Note where a record lies, and empty the rest of its row."""
    begin = row * WIDTH + AT_PLACE
    for i in range(2):
        put(rows, begin + i, record[i])
    for i in range(4):
        put(rows, begin + 2 + i, above[i])
    empty_row(rows, row)


@compiled
def _is_scope(buf: int, at: int, end: int) -> bool:
    """Whether an InstrumentationScope holds a name, a version and attributes, and nothing else."""
    while at < end:
        number, kind, at = wire.tag(buf, at, end)
        if at == BROKEN:
            return False
        if number == 4 and kind == VARINT:
            _, at = wire.varint(buf, at, end)
            if at == BROKEN:
                return False
            continue
        if number > 3 or kind != LENGTH:
            return False
        at, stop = wire.length(buf, at, end)
        if stop == BROKEN or not _is_scope_part(buf, (at, stop), number):
            return False
        at = stop
    return True


@compiled
def _is_scope_part(buf: int, where: Any, number: int) -> bool:
    at, stop = where
    if number == 3:
        return wire.is_sound(buf, at, stop, wire.KEY_VALUE)
    return wire.is_utf8(buf, at, stop)
