"""Bodies of spans that were never sent before, cheaply: spans made once, each use made new.

A body is drawn from a pool of encoded spans; then ids, times and counts of each are overwritten.
"""

import random
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bench.payload import resource, span

POOL = 5_000
"""Spans that are encoded once: enough for every tenant, key and model to meet."""
GAP_NS = 14_000
"""Between the ends of two spans, as at 70,000 in a second."""

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


class _Pool(NamedTuple):
    """Encoded spans, how long each is, how long its call took, and where it says what is new."""

    spans: list[bytes]
    sizes: Any
    durations_ns: Any
    places: Mapping[str, Any]


class Traffic:
    """Makes bodies; no two spans of them are alike."""

    def __init__(self, seed: int) -> None:
        """Draw everything from one seed."""
        self._rng = np.random.default_rng(seed)
        self._pool = _pool(random.Random(seed))  # noqa: S311 - made-up data, not secrets
        self._resource = _field(1, resource())

    def bodies(self, size: int, now_ns: Callable[[], int]) -> Iterator[bytes]:
        """Yield bodies of ``size`` spans without end, the last of each ending now."""
        while True:
            yield self.body(size, now_ns())

    def body(self, size: int, now_ns: int) -> bytes:
        """Return a body of ``size`` spans, the last of which ended just now."""
        picks = self._rng.integers(0, len(self._pool.spans), size)
        spans = b"".join([self._pool.spans[i] for i in picks])
        raw = bytearray(_field(1, self._resource + _field(2, spans)))
        sizes = self._pool.sizes[picks]
        begins = len(raw) - len(spans) + np.cumsum(sizes) - sizes
        self._renew(np.frombuffer(raw, np.uint8), begins, picks, now_ns)
        return bytes(raw)

    def _renew(self, raw: Bytes, begins: Any, picks: Any, now_ns: int) -> None:
        size = len(picks)
        ended = now_ns + np.arange(1 - size, 1) * GAP_NS - self._rng.integers(0, GAP_NS, size)
        made = {
            "trace_id": self._rng.integers(0, 256, (size, 16), np.uint8),
            "span_id": self._rng.integers(0, 256, (size, 8), np.uint8),
            "response_id": _HEX[self._rng.integers(0, 16, (size, 32))],
            "started": _little(ended - self._pool.durations_ns[picks]),
            "ended": _little(ended),
            "ttft": _little(self._rng.random(size)),
            "input": _two_byte_varint(self._rng.integers(2048, 6000, size)),
            "output": _two_byte_varint(self._rng.integers(128, 900, size)),
        }
        for name, values in made.items():
            at = begins + self._pool.places[name][picks]
            raw[at[:, None] + np.arange(values.shape[1])] = values


def _pool(rng: random.Random) -> _Pool:
    made = [span(rng, number) for number in range(POOL)]
    spans = [_field(2, one.SerializeToString()) for one in made]
    places = [_places(one, raw) for one, raw in zip(made, spans, strict=True)]
    return _Pool(
        spans=spans,
        sizes=np.array([len(raw) for raw in spans]),
        durations_ns=np.array([s.end_time_unix_nano - s.start_time_unix_nano for s in made]),
        places={name: np.array([place[name] for place in places]) for name in places[0]},
    )


def _places(one: Span, raw: bytes) -> dict[str, int]:
    """Return where an encoded span says what is made new."""
    said = {pair.key: pair.value for pair in one.attributes}
    response_id = said["gen_ai.response.id"].string_value.removeprefix("chatcmpl-")
    return {
        "trace_id": raw.index(one.trace_id),
        "span_id": raw.index(one.span_id),
        "response_id": raw.index(response_id.encode()),
        "started": raw.index(struct.pack("<Q", one.start_time_unix_nano)),
        "ended": raw.index(struct.pack("<Q", one.end_time_unix_nano)),
        "ttft": raw.index(
            struct.pack("<d", said["gen_ai.response.time_to_first_chunk"].double_value)
        ),
        "input": _place_of_count(raw, b"gen_ai.usage.input_tokens"),
        "output": _place_of_count(raw, b"gen_ai.usage.output_tokens"),
    }


def _place_of_count(raw: bytes, name: bytes) -> int:
    """Return where a count of two bytes lies: its KeyValue ends with a value of three."""
    value = raw.index(name) + len(name)
    assert raw[value : value + 3] == b"\x12\x03\x18"
    return value + 3


def _little(values: Any) -> Bytes:
    """Return (n, 8) bytes of numbers, the lowest first."""
    return np.ascontiguousarray(values).view(np.uint8).reshape(-1, 8)


def _two_byte_varint(values: Any) -> Bytes:
    """Return (n, 2) bytes of numbers from 128 to 16383."""
    return np.column_stack([values & 0x7F | 0x80, values >> 7]).astype(np.uint8)


def _field(number: int, message: bytes) -> bytes:
    """Write a length-delimited field."""
    return bytes([number << 3 | 2]) + _varint(len(message)) + message


def _varint(value: int) -> bytes:
    low = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([byte | 0x80 for byte in low[:-1]] + low[-1:])
