"""Rows for the event store, made fast: decoded once, then each group gets ids and times of its own.

Groups go straight to the store, as the collector's decoder would hand them over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from bench.payload import bodies
from collector.batch.fast import FastDecoder
from collector.otlp import Encoding, Signal
from metering.event import SPAN_ID_BYTES, response_identity
from metering.hashing import key_of
from metering.schema import SCHEMA, Batch, joined

GROUP = 20_000
TENANTS = 200
KEYS = 2
"""API keys of a tenant."""
ENGINE_RANK = 41
_PER_BODY = 1_000
_DURATION_NS = 10**9

Numbers = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Span:
    """The time in which a group of rows ends, in nanoseconds since 1970 UTC."""

    start: int
    length: int


class Rows:
    """Makes groups of ``GROUP`` rows; no two of them name one span or one response."""

    def __init__(self, seed: int) -> None:
        """Draw everything from one seed."""
        decoder = FastDecoder(seed=seed)
        made = islice(bodies(_PER_BODY, seed), GROUP // _PER_BODY)
        self._decoded = joined(
            [decoder.decode(b, Signal.TRACES, Encoding.PROTOBUF).batch for b in made]
        )
        self._rng = np.random.default_rng(seed)
        self._made = 0

    def group(self, span: Span) -> Batch:
        """Return a group of calls that end, in order, within a time."""
        ended = span.start + np.sort(self._rng.integers(0, span.length, GROUP))
        of = self._rng.integers(0, TENANTS, GROUP)
        keys = self._rng.integers(0, KEYS, GROUP)
        responses = [f"chatcmpl-{self._made + n:032x}" for n in range(GROUP)]
        self._made += GROUP
        said: dict[str, Sequence[Any] | Numbers] = {
            "ended_at": ended,
            "started_at": ended - _DURATION_NS,
            "tenant": [f"tenant-{n:03}" for n in of],
            "api_key": [f"key-{n:03}-{key}" for n, key in zip(of, keys, strict=True)],
            "fresh": self._rng.integers(1, 4_000, GROUP),
            "output": self._rng.integers(1, 900, GROUP),
            "response_id": responses,
        }
        calls = np.array([key_of(response_identity(r)) for r in responses], np.uint64)
        return self._named(_saying(self._decoded.table, said), calls)

    def told_by_engines(self, batch: Batch) -> Batch:
        """Return records that tell of the same calls again, as the engines saw them."""
        ranks = np.full(len(batch), ENGINE_RANK)
        return self._named(_saying(batch.table, {"rank": ranks}), batch.call_keys)

    def _named(self, table: pa.Table, calls: Numbers) -> Batch:
        """Give each row an identity that none had before."""
        count, width = table.num_rows, SPAN_ID_BYTES
        raw = self._rng.bytes(count * width)
        ids = [raw[at : at + width] for at in range(0, len(raw), width)]
        events = np.array([key_of(one) for one in ids], np.uint64)
        return Batch(_saying(table, {"event_id": ids}), events, calls, np.zeros(count, np.uint64))


def part(batch: Batch, count: int) -> Batch:
    """Return the first rows of a batch."""
    return Batch(
        batch.table.slice(0, count),
        batch.event_keys[:count],
        batch.call_keys[:count],
        batch.link_keys[:count],
    )


def _saying(table: pa.Table, said: dict[str, Sequence[Any] | Numbers]) -> pa.Table:
    """Return a table some columns of which say something else."""
    for name, values in said.items():
        field = SCHEMA.field(name)
        table = table.set_column(
            table.column_names.index(name), field, pa.array(values, field.type)
        )
    return table
