"""Attributes, compiled: which registered name it is, what its value is, and what both hash to."""

from typing import Any

import numpy as np

from collector.batch import wire
from collector.batch.compiled import compiled
from collector.batch.hashes import is_same, keyed_hash, mixed, name_hash
from collector.batch.keys import KEY_WIDTH, NAME_AT, NAME_END, SEED
from collector.batch.memory import fixed64, get, put
from collector.batch.rows import KIND, NOTED, PRESENT, STAMP, STOP, VALUE, note, noted_of
from collector.batch.wire import BROKEN, FIXED64, LENGTH, VARINT

NONE, STRING, BOOL, INT, DOUBLE, ARRAY, KVLIST, RAW = range(8)
"""Kinds of values: the field numbers of AnyValue, and none."""

_U = np.uint64


@compiled
def read_attribute(buf: int, where: Any, into: Any, so_far: Any) -> int:
    """Note an attribute if its name is registered; return how many are noted, or BROKEN."""
    keys, noted = into
    stamp, count = so_far
    at, end = where
    key_at = key_end = value_at = value_end = 0
    seen = 0
    while at < end:
        number, kind, at = wire.tag(buf, at, end)
        if at == BROKEN or kind != LENGTH or number > 2 or seen & number:
            return BROKEN
        seen |= number
        at, stop = wire.length(buf, at, end)
        if stop == BROKEN:
            return BROKEN
        if number == 1:
            key_at, key_end = at, stop
        else:
            value_at, value_end = at, stop
        at = stop
    key = _key(buf, (key_at, key_end), keys)
    value = _value(buf, value_at, value_end)
    if value[0] == BROKEN or (key < 0 and not wire.is_utf8(buf, key_at, key_end)):
        return BROKEN
    if key < 0:
        return count
    note(noted, key, value)
    if noted_of(noted, key, STAMP) == stamp:
        return count
    put(noted, key * NOTED + STAMP, stamp)
    put(noted, count * NOTED + PRESENT, key)
    return count + 1


@compiled
def value_shape(buf: int, keys: Any, noted: int, key: int) -> Any:
    """Return what a name and its value add to a shape."""
    kind, value = noted_of(noted, key, KIND), noted_of(noted, key, VALUE)
    said = mixed(key_seed(keys, key), _U(kind))
    if kind == STRING or kind >= ARRAY:
        return keyed_hash(buf, value, noted_of(noted, key, STOP), said)
    return mixed(said, _U(value))


@compiled
def key_seed(keys: Any, key: int) -> Any:
    """Return the secret number of a registered name."""
    return _U(get(keys[3], key * KEY_WIDTH + SEED))


@compiled
def _key(buf: int, where: Any, keys: Any) -> int:
    """Return the number of a registered name, or -1."""
    table, mask, names, rows, _ = keys
    at, end = where
    slot = np.int64(name_hash(buf, at, end) & _U(mask))
    while True:
        key = get(table, slot)
        if key < 0:
            return -1
        start = get(rows, key * KEY_WIDTH + NAME_AT)
        size = get(rows, key * KEY_WIDTH + NAME_END) - start
        if size == end - at and is_same(buf, at, names, start, size):
            return key
        slot = (slot + 1) & mask


@compiled
def _value(buf: int, at: int, end: int) -> Any:
    """Return an AnyValue's kind with its number, or with where it begins and ends."""
    if at == end:
        return NONE, 0, 0
    number, kind, at = wire.tag(buf, at, end)
    if at == BROKEN:
        return BROKEN, 0, 0
    if kind == VARINT and number in (BOOL, INT):
        value, at = wire.varint(buf, at, end)
        return number if at == end else BROKEN, np.int64(value), 0
    if kind == FIXED64 and number == DOUBLE and at + 8 == end:
        return number, np.int64(fixed64(buf, at)), 0
    if kind != LENGTH or number > RAW:
        return BROKEN, 0, 0
    at, stop = wire.length(buf, at, end)
    if stop != end or not _is_sound(buf, at, stop, number):
        return BROKEN, 0, 0
    return number, at, stop


@compiled
def _is_sound(buf: int, at: int, end: int, number: int) -> bool:
    if number == STRING:
        return wire.is_utf8(buf, at, end)
    if number == ARRAY:
        return wire.is_sound(buf, at, end, wire.ARRAY)
    if number == KVLIST:
        return wire.is_sound(buf, at, end, wire.KEY_VALUES)
    return number == RAW
