"""Bodies to begin with, from real clients, and how they are damaged."""

from collections.abc import Iterator, Sequence
from functools import cache
from random import Random
from typing import NamedTuple

from builders import as_otlp_json
from captures import BODIES
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.otlp import Encoding, Signal


class Sent(NamedTuple):
    """A body, and what its sender says that it is."""

    raw: bytes
    signal: Signal
    encoding: Encoding


@cache
def seeds() -> Sequence[Sent]:
    """Return what real clients sent; every other body of traces also as JSON."""
    found = []
    for number, path in enumerate(BODIES):
        signal = Signal(path.name.split(".")[1])
        raw = path.read_bytes()
        found.append(Sent(raw, signal, Encoding.PROTOBUF))
        if signal is Signal.TRACES and number % 2:
            text = as_otlp_json(ExportTraceServiceRequest.FromString(raw))
            found.append(Sent(text, signal, Encoding.JSON))
    return found


def damaged(count: int, seed: int) -> Iterator[Sent]:
    """Yield so many damaged bodies, the same for a seed."""
    chance = Random(seed)
    for _ in range(count):
        sent = chance.choice(seeds())
        body = bytearray(sent.raw)
        for _ in range(chance.randint(1, 4)):
            _damage(body, chance)
        yield sent._replace(raw=bytes(body), signal=chance.choice([sent.signal] * 3 + [*Signal]))


def _damage(body: bytearray, chance: Random) -> None:
    """Change, take or put in some bytes, repeat a part, or cut the end."""
    at = chance.randrange(len(body) + 1)
    size = chance.choice([1, 1, 2, 4, 40])
    match chance.randrange(6):
        case 0:
            body[at : at + size] = chance.randbytes(size)
        case 1:
            del body[at : at + size]
        case 2:
            body[at:at] = chance.randbytes(size)
        case 3:
            body[at:at] = body[at : at + size * 20]
        case 4:
            body[at : at + 1] = chance.choice([b"\xff", b"\x00", b"\x80", b"\x7f"])
        case _:
            del body[len(body) - chance.randrange(len(body) // 4 + 1) :]
