"""Compiled: which span of a body is above which, found without an object for each."""

from typing import Any

import numpy as np

from collector.batch.compiled import compiled
from collector.batch.hashes import mixed
from collector.batch.memory import fixed64

NOBODY, CIRCLE = -1, -3
"""No parent in the body, and one that is also below: then nobody could say which to bill."""
_UNSEEN = -2
_U = np.uint64


@compiled
def parents_in_body(buf: int, ids: Any, seed: Any) -> Any:
    """Return for each row the row of its parent, or NOBODY where that is not in the body.

    ``seed`` makes the table's places unpredictable to senders.
    """
    size = 8
    while size < 4 * len(ids):
        size *= 2
    table = np.full(size, NOBODY, np.int64)
    for row in range(len(ids)):
        if ids[row, 0] >= 0 and ids[row, 1] >= 0:
            table[_place(buf, (ids[row, 0], ids[row, 1]), table, (ids, seed))] = row
    up = np.full(len(ids), NOBODY, np.int64)
    for row in range(len(ids)):
        if ids[row, 0] >= 0 and ids[row, 2] >= 0:
            up[row] = table[_place(buf, (ids[row, 0], ids[row, 2]), table, (ids, seed))]
    _cut_circles(up)
    return up


@compiled
def _cut_circles(up: Any) -> None:
    """Take the parents from all spans of a circle; every span is visited twice at most."""
    walk = np.full(len(up), _UNSEEN, np.int64)
    for start in range(len(up)):
        at = start
        while at >= 0 and walk[at] == _UNSEEN:
            walk[at] = start
            at = up[at]
        while at >= 0 and walk[at] == start and up[at] != CIRCLE:
            above = up[at]
            up[at] = CIRCLE
            at = above


@compiled
def _place(buf: int, key: Any, table: Any, told: Any) -> Any:
    """Return the table's place of a trace id and span id: where it is, or where it would be."""
    ids, seed = told
    trace, span = key
    mask = len(table) - 1
    hashed = mixed(seed ^ fixed64(buf, span), fixed64(buf, trace) ^ fixed64(buf, trace + 8))
    place = np.int64(hashed & _U(mask))
    while table[place] != NOBODY:
        row = table[place]
        if _is_same(buf, ids[row, 0], trace, 2) and _is_same(buf, ids[row, 1], span, 1):
            return place
        place = (place + 1) & mask
    return place


@compiled
def _is_same(buf: int, one: int, other: int, words: int) -> bool:
    for i in range(words):
        if fixed64(buf, one + 8 * i) != fixed64(buf, other + 8 * i):
            return False
    return True


@compiled
def call_parents(ids: Any, up: Any, is_call: Any) -> Any:
    """Return where each span's parent id lies, and the row of the nearest call above it.

    The parent is the nearest call above, or else the first ancestor outside the body; -1 where
    there is none. The row is NOBODY where there is no call above.
    """
    calls = _nearest_above(up, is_call)
    tops = _nearest_above(up, up < 0)
    at = np.full(len(up), -1, np.int64)
    for row in range(len(up)):
        top = row if up[row] < 0 else tops[row]
        if calls[row] != NOBODY:
            at[row] = ids[calls[row], 1]
        elif up[top] == NOBODY:
            at[row] = ids[top, 2]
    return at, calls


@compiled
def _nearest_above(up: Any, wanted: Any) -> Any:
    """Return for each row its nearest wanted ancestor; every row is visited twice at most."""
    found = np.full(len(up), _UNSEEN, np.int64)
    for start in range(len(up)):
        at, answer = start, _UNSEEN
        while answer == _UNSEEN:
            above = up[at]
            if found[at] != _UNSEEN:
                answer = found[at]
            elif above < 0:
                answer = NOBODY
            elif wanted[above]:
                answer = above
            else:
                at = above
        at = start
        while at >= 0 and found[at] == _UNSEEN:
            found[at] = answer
            at = NOBODY if up[at] == answer else up[at]
    return found
