"""How many messages a protobuf body makes, counted before any is made: each takes far more room.

Sixty-four MiB of empty attributes are 32 million messages and two GiB of memory. So what is too
many is refused first, by a compiled pass over the request's known structure.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from collector.batch import wire
from collector.batch.compiled import compiled
from collector.batch.memory import address, get
from collector.batch.wire import BROKEN, FIXED32, FIXED64, LENGTH, VARINT

MAX_MESSAGES = 4_000_000
"""Messages in one body, at about a hundred bytes each, records made of them included; an attribute
is two, so that a body of 64 MiB has fewer unless most of its attributes are very short."""
MAX_VALUES = 5_000_000
"""Values in a JSON body, at about a hundred bytes each; an attribute is four."""

_DEPTH = 100
"""How deep protobuf itself follows; it refuses a deeper body."""
_SKIPPED, _COUNTED, _PACKED = -1, -2, -3
_WORD = 8
"""Packed numbers of a byte each become eight, so that so many bytes weigh as one message."""


@cache
def layout_of(descriptor: Any) -> Any:
    """Return what the fields of a message type are, and of all that it may hold: (types, fields).

    A field that holds a message says of which type; the type itself is the first.
    """
    types = list(_reachable(descriptor))
    width = 1 + max(field.number for one in types for field in one.fields)
    fields = np.full((len(types), width), _SKIPPED, np.int64)
    for row, one in enumerate(types):
        for field in one.fields:
            fields[row, field.number] = _meaning(field, types)
    return fields


def count_messages(body: bytes, descriptor: Any) -> int:
    """Return how many messages a body of some type makes, as far as it can be read."""
    layout = layout_of(descriptor)
    told = (address(layout), layout.shape[1])
    return int(_count(address(np.frombuffer(body, np.uint8)), len(body), told))


def count_values(text: bytes) -> int:
    """Return how many values a JSON text makes at most: marks inside of texts count too."""
    return sum(text.count(mark) for mark in (b"{", b"[", b","))


def _reachable(descriptor: Any) -> Iterator[Any]:
    found = {descriptor.full_name: descriptor}
    waiting = [descriptor]
    while waiting:
        one = waiting.pop(0)
        yield one
        for field in one.fields:
            inner = field.message_type
            if inner is not None and inner.full_name not in found:
                found[inner.full_name] = inner
                waiting.append(inner)


def _meaning(field: Any, types: list[Any]) -> int:
    if field.message_type is not None:
        return [one.full_name for one in types].index(field.message_type.full_name)
    if not field.is_repeated:
        return _SKIPPED
    return _COUNTED if field.type in (field.TYPE_STRING, field.TYPE_BYTES) else _PACKED


@compiled
def _count(buf: int, end: int, layout: Any) -> int:
    """Return the number of messages up to the first thing that cannot be read, or is too deep."""
    fields, width = layout
    ends = np.empty(_DEPTH + 1, np.int64)
    kinds = np.empty(_DEPTH + 1, np.int64)
    ends[0], kinds[0] = end, 0
    depth = at = count = 0
    while True:
        while at == ends[depth]:
            if depth == 0:
                return count
            depth -= 1
        number, begin, at = _any_field(buf, at, ends[depth])
        if at == BROKEN:
            return count
        if not 0 < number < width:
            continue
        meaning = get(fields, kinds[depth] * width + number)
        if meaning == _SKIPPED:
            continue
        count += max((at - begin) // _WORD, 1) if meaning == _PACKED else 1
        if meaning >= 0 and depth < _DEPTH:
            depth += 1
            ends[depth], kinds[depth] = at, meaning
            at = begin


@compiled
def _any_field(buf: int, at: int, end: int) -> Any:
    """Return a length-delimited field's number, where it begins and ends; other fields have 0.

    The marks of a group are taken for fields of no length, so that what is in it is counted too.
    """
    tag, at = wire.varint(buf, at, end)
    kind = tag & np.uint64(7)
    stop = at
    if at == BROKEN:
        return 0, 0, BROKEN
    if kind == LENGTH:
        size, at = wire.varint(buf, at, end)
        is_inside = at != BROKEN and size <= np.uint64(end - at)
        return np.int64(tag >> np.uint64(3)), at, at + np.int64(size) if is_inside else BROKEN
    if kind == VARINT:
        _, stop = wire.varint(buf, at, end)
    elif kind == FIXED64:
        stop = at + 8
    elif kind == FIXED32:
        stop = at + 4
    return 0, 0, stop if stop <= end else BROKEN
