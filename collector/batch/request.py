"""Protobuf requests put together from pieces of another one, without reading the pieces."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

_OF_RESOURCE, _OF_SCOPE = itemgetter(2, 3), itemgetter(4, 5)

Place = Sequence[int]
"""Where a record, its resource and its scope begin and end: six positions."""


def request_of(raw: bytes, places: Sequence[Place]) -> bytes:
    """Return a request of the records at some places of a body.

    Neighbours share their resource and scope as they did before: to repeat a large resource for
    each of its records would take a thousand times the body's room.
    """
    return b"".join(
        _resource(raw, span, list(group)) for span, group in groupby(places, _OF_RESOURCE)
    )


def field(number: int, message: bytes) -> bytes:
    r"""Write a length-delimited field.

    >>> field(1, b"ab")
    b'\n\x02ab'
    """
    return _varint(number << 3 | 2) + _varint(len(message)) + message


def _resource(raw: bytes, span: tuple[int, int], places: Sequence[Place]) -> bytes:
    scopes = (_scope(raw, of, list(group)) for of, group in groupby(places, _OF_SCOPE))
    return field(1, field(1, raw[slice(*span)]) + b"".join(scopes))


def _scope(raw: bytes, span: tuple[int, int], places: Sequence[Place]) -> bytes:
    records = (field(2, raw[place[0] : place[1]]) for place in places)
    return field(2, field(1, raw[slice(*span)]) + b"".join(records))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
