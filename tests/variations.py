"""The same protobuf message in other bytes: all that the wire format allows, and a little more.

Fields in another order, said twice or left out, unknown fields of every wire type, numbers written
with more bytes than they need, empty messages. A decoder must read each as protobuf does.
"""

from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

VARINT, FIXED64, LENGTH, GROUP, FIXED32 = 0, 1, 2, 3, 5
_UNKNOWN = (3, 9, 11, 13, 17, 20, 126, 999, 1001, 5000, 2**29 - 1)


class Chunk(NamedTuple):
    """One field: its number, its wire type, and what stands behind its tag and length."""

    number: int
    wire: int
    payload: bytes


def chunks(raw: bytes) -> Iterator[Chunk]:
    """Yield the fields of a well-formed message."""
    at = 0
    while at < len(raw):
        tag, at = read_varint(raw, at)
        wire = tag & 7
        if wire == VARINT:
            _, end = read_varint(raw, at)
        elif wire == LENGTH:
            size, at = read_varint(raw, at)
            end = at + size
        else:
            end = at + (8 if wire == FIXED64 else 4)
        yield Chunk(tag >> 3, wire, raw[at:end])
        at = end


def varied(raw: bytes, descriptor: Any, chance: Random, rate: float = 0.02) -> bytes:
    """Return a message in other bytes, and sometimes another message."""
    found = [_inside(chunk, descriptor, chance, rate) for chunk in chunks(raw)]
    if chance.random() < rate * 3:
        chance.shuffle(found)
    for change in (_repeated, _dropped, _with_unknown, _with_empty, _with_wrong_type):
        if chance.random() < rate:
            change(found, descriptor, chance)
    return b"".join(written(chunk, chance, rate) for chunk in found)


def read_varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while raw[at] & 0x80:
        value |= (raw[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | raw[at] << shift, at + 1


def varint(value: int, extra: int = 0) -> bytes:
    """Write a varint, with some bytes more than it needs."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    if extra:
        out[-1] |= 0x80
        out += b"\x80" * (extra - 1) + b"\0"
    return bytes(out)


def written(chunk: Chunk, chance: Random, rate: float) -> bytes:
    number, wire, payload = chunk
    extra = [chance.randint(1, 9) if chance.random() < rate / 2 else 0 for _ in range(3)]
    tag = varint(number << 3 | wire, extra[0])
    if wire == LENGTH:
        return tag + varint(len(payload), extra[1]) + payload
    if wire == VARINT:
        return tag + varint(read_varint(payload, 0)[0], extra[2])
    if wire == GROUP:
        return tag + payload + varint(number << 3 | GROUP + 1)
    return tag + payload


def _inside(chunk: Chunk, descriptor: Any, chance: Random, rate: float) -> Chunk:
    field = descriptor.fields_by_number.get(chunk.number)
    if chunk.wire != LENGTH or field is None or field.message_type is None:
        return chunk
    return chunk._replace(payload=varied(chunk.payload, field.message_type, chance, rate))


def _repeated(found: list[Chunk], _: Any, chance: Random) -> None:
    if found:
        found.insert(chance.randint(0, len(found)), chance.choice(found))


def _dropped(found: list[Chunk], _: Any, chance: Random) -> None:
    if found:
        found.pop(chance.randrange(len(found)))


def _with_unknown(found: list[Chunk], _: Any, chance: Random) -> None:
    found.insert(chance.randint(0, len(found)), _any_chunk(chance.choice(_UNKNOWN), chance))


def _with_empty(found: list[Chunk], descriptor: Any, chance: Random) -> None:
    number = chance.choice(descriptor.fields).number
    found.insert(chance.randint(0, len(found)), Chunk(number, LENGTH, b""))


def _with_wrong_type(found: list[Chunk], descriptor: Any, chance: Random) -> None:
    number = chance.choice(descriptor.fields).number
    found.insert(chance.randint(0, len(found)), _any_chunk(number, chance))


def _any_chunk(number: int, chance: Random) -> Chunk:
    wire = chance.choice([VARINT, FIXED64, LENGTH, GROUP, FIXED32])
    payload = {
        VARINT: varint(chance.choice([0, 1, 300, 2**64 - 1])),
        FIXED64: chance.choice([bytes(8), b"\xff" * 8]),
        LENGTH: chance.choice([b"", b"text", b"\xff", b"\x0a\x00", chance.randbytes(4)]),
        GROUP: chance.choice([b"", varint(1 << 3 | VARINT) + b"\x01"]),
        FIXED32: bytes(4),
    }[wire]
    return Chunk(number, wire, payload)
