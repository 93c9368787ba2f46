"""What a walk finds of each record, and how that lies in memory while compiled code fills it in."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from collector.batch.compiled import compiled
from collector.batch.keys import COUNT, NANOS, SIZES, TEXT
from collector.batch.memory import get, put

UNSAID, PLAIN, ODD = 0, 1, 2
"""A record without any registered attribute, one read here, and one for the reference decoder."""


class Rows(NamedTuple):
    """One row a record, in order. Positions count bytes of the body; -1 where there is nothing."""

    kind: Any
    """(n,) UNSAID, PLAIN or ODD."""
    shape: Any
    """(n,) hash of resource, scope, name and every other registered attribute."""
    place: Any
    """(n, 6) where the record, its resource and its scope begin and end."""
    ids: Any
    """(n, 3) where trace id (16 bytes), span id and parent span id (8 bytes) begin."""
    times: Any
    """(n, 3) start, end and observed, nanoseconds since 1970 UTC; 0 where unsaid."""
    counts: Any
    """(n, counts) in the order of ``keys.COUNTS``; -1 where unsaid."""
    nanos: Any
    """(n, durations) in the order of ``keys.DURATIONS``; 0 where unsaid."""
    starts: Any
    """(n, texts) where each text of ``keys.TEXTS`` begins."""
    stops: Any
    """(n, texts) where it ends."""


_WIDTHS = (1, 1, 6, 3, 3, SIZES[COUNT], SIZES[NANOS], SIZES[TEXT], SIZES[TEXT])
_AT = tuple(int(at) for at in np.cumsum((0, *_WIDTHS)))
AT_KIND, AT_SHAPE, AT_PLACE, AT_IDS, AT_TIMES, AT_COUNTS, AT_NANOS, AT_STARTS, AT_STOPS, WIDTH = _AT
"""Where each part of a row begins: rows are one array, since compiled code counts references."""


def parts_of(rows: Any) -> Rows:
    """Return an array of rows by its parts, which are views of it."""
    kind, shape, *others = [rows[:, at:end] for at, end in pairwise(_AT)]
    return Rows(kind[:, 0], shape[:, 0].view(np.uint64), *others)


@compiled
def empty_row(rows: int, row: int) -> None:
    """Put into a row, but for where its record lies, that nothing is said."""
    begin = row * WIDTH
    for i in range(AT_IDS, WIDTH):
        is_time = AT_TIMES <= i < AT_COUNTS or AT_NANOS <= i < AT_STARTS
        put(rows, begin + i, 0 if is_time else -1)


STAMP, KIND, VALUE, STOP, PRESENT, NOTED = range(6)
"""Columns of what is noted of the attributes at hand, one row a key: the record that they belong
to, the value's kind, the value or where it begins, and where it ends. ``PRESENT`` is a list of the
keys that are noted."""


@compiled
def noted_of(noted: int, key: int, column: int) -> int:
    """Return what is noted of a key."""
    return get(noted, key * NOTED + column)


@compiled
def note(noted: int, key: int, value: Any) -> None:
    """Note a value: its kind, itself or where it begins, and where it ends. The last one counts."""
    kind, said, stop = value
    put(noted, key * NOTED + KIND, kind)
    put(noted, key * NOTED + VALUE, said)
    put(noted, key * NOTED + STOP, stop)
