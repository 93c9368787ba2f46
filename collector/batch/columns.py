"""OTLP bodies -> batches of events, fast: as columns, without an object for each record.

walk -> classes (the reference decoder's event of each shape) -> columns -> batch
                 records that are odd -> reference decoder -> events -> batch
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from collector.batch import fill
from collector.batch.classes import OWN_NUMBERS, OWN_TEXTS, SEEDS, Class, said
from collector.batch.keys import (
    ATTEMPT,
    DURATION,
    ENGINE_ID,
    EVENT_ID,
    QUEUE,
    REQUEST_ID,
    RESPONSE_ID,
    SEQUENCE,
    SOURCES,
    TTFT,
)
from collector.batch.memory import address
from collector.batch.request import request_of
from collector.batch.rows import ODD, PLAIN, Rows
from collector.dialect.reading import MAX_TEXT
from collector.otlp import Encoding, Record, Signal, decode
from metering.event import MAX_INSTANT_NS, RESPONSE_PREFIX, Role, source_identity
from metering.schema import COLUMNS, SCHEMA, Batch

MAX_ATTEMPT = 65_535
_RESPONSE = OWN_TEXTS.index("call.response_id")
_ROLES = pa.array([Role.BILL.value, Role.WITNESS.value])


@dataclass(frozen=True, slots=True)
class Body:
    """A body and its rows."""

    buf: int
    """Where its bytes begin in memory; ``raw`` keeps them there."""
    rows: Rows
    signal: Signal
    raw: bytes

    @property
    def is_log(self) -> bool:
        """Whether its records are log records."""
        return self.signal is Signal.LOGS

    def record(self, row: int) -> Record:
        """Return one record as the reference decoder reads it."""
        return self.records([row])[0]

    def records(self, rows: Sequence[int]) -> list[Record]:
        """Return some records as the reference decoder reads them."""
        return decode(self.part(rows), self.signal, Encoding.PROTOBUF)

    def size_of(self, row: int) -> int:
        """Return the bytes of a record with its resource and scope."""
        at = self.rows.place[row]
        return int(at[1] - at[0] + at[3] - at[2] + at[5] - at[4])

    def part(self, rows: Sequence[int]) -> bytes:
        """Return a request of some records; neighbours share what they shared before."""
        return request_of(self.raw, self.rows.place[rows].tolist())


@dataclass(slots=True)
class Plain:
    """The rows that are filled in here, as columns in the making."""

    body: Body
    rows: Any
    """Positions among the body's rows."""
    classes: list[Class]
    which: Any
    """Each row's class, by its position in ``classes``."""
    ended: Any
    started: Any
    is_witness: Any
    """Whether a row repeats what another one bills."""
    parents: Any
    """Where the parent's span id lies in the body; -1 where there is none."""


def times_of(body: Body) -> tuple[Any, Any]:
    """Return when each record started and ended, as the reference decoder has it."""
    start, end, observed = body.rows.times.T
    if body.is_log:
        ended = np.where(start > 0, start, observed)
        return np.maximum(ended - body.rows.nanos[:, DURATION], 0), ended
    ended = np.where(end > 0, end, start)
    return np.minimum(np.where(start > 0, start, ended), ended), ended


def mark_odd(body: Body, ended: Any, bounds_ns: tuple[int, int]) -> None:
    """Leave to the reference decoder what it may refuse: impossible ids and times."""
    rows = body.rows
    is_odd = (ended < max(bounds_ns[0], 1)) | (ended > min(bounds_ns[1], MAX_INSTANT_NS - 1))
    if body.is_log:
        is_odd |= (rows.ids[:, 0] < 0) & (rows.ids[:, 1] >= 0)
    else:
        is_odd |= (rows.ids[:, :2] < 0).any(axis=1)
    rows.kind[is_odd & (rows.kind == PLAIN)] = ODD
    rest = np.flatnonzero((rows.kind == PLAIN) & (rows.ids[:, 0] >= 0))
    traces, spans = rows.ids[rest, 0], rows.ids[rest, 1]
    told = np.column_stack([traces, np.where(spans < 0, traces, spans)])
    identities = fill.span_ids(body.buf, told)
    has_zeros = ~identities[:, :16].any(axis=1) | ~identities[:, 16:].any(axis=1)
    rows.kind[rest[has_zeros]] = ODD


def batch_of_plain(plain: Plain) -> Batch:
    """Return the batch of rows whose classes are known, in order."""
    identities = _identities(plain)
    event_keys = _keys(identities)
    starts, stops = _where_texts(plain)
    otherwise = _span_keys(plain, event_keys)
    columns = _columns(plain, identities, (starts, stops))
    table = pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)
    keys = fill.call_keys(plain.body.buf, (starts[_RESPONSE], stops[_RESPONSE]), otherwise, _room())
    return Batch(table, event_keys, keys, _link_keys(plain))


def _keys(identities: Any) -> Any:
    return fill.keys_of(address(identities), *identities.shape)


def _room() -> tuple[Any, int]:
    """Return room for the identity of a call, with what all of them begin with."""
    room = np.empty(len(RESPONSE_PREFIX) + 4 * MAX_TEXT, np.uint8)
    room[: len(RESPONSE_PREFIX)] = np.frombuffer(RESPONSE_PREFIX, np.uint8)
    return room, address(room)


def _columns(plain: Plain, identities: Any, where: tuple[Any, Any]) -> dict[str, Any]:
    """Return every column of the schema, by name."""
    numbers = _numbers(plain)
    sums = fill.said_sums(
        np.array([c.base for c in plain.classes], np.uint64)[plain.which],
        np.array([SEEDS[path] for path in OWN_NUMBERS], np.uint64),
        numbers,
    )
    columns: dict[str, Any] = {"event_id": _fixed(identities)}
    for at, path in enumerate(OWN_TEXTS):
        columns[_name(path)] = _own_text(plain, at, (where[0][at], where[1][at]), sums)
    for path, values in zip(OWN_NUMBERS, numbers.T, strict=True):
        columns[_name(path)] = pa.array(values).cast(SCHEMA.field(_name(path)).type)
    is_log = plain.body.is_log
    columns |= {
        "own_trace_id": _bytes_at(plain, 0, 16 if is_log else 0),
        "own_span_id": _bytes_at(plain, 1, 8 if is_log else 0),
        "parent_span_id": bytes_column(plain.body.buf, plain.parents, 8),
        "role": _ROLES.take(pa.array(plain.is_witness.astype(np.int8))),
        "content_hash": pa.array(sums),
    }
    events = [c.event for c in plain.classes if c.event]
    for column in COLUMNS:
        if column.name not in columns:
            values = [column.read(event) for event in events]
            columns[column.name] = _of_classes(plain, values, column.arrow_type)
    return columns


def _numbers(plain: Plain) -> Any:
    """Return (n, numbers) in the order of ``OWN_NUMBERS``."""
    rows = plain.body.rows
    counts, nanos = rows.counts[plain.rows], rows.nanos[plain.rows]
    tokens = fill.tokens_of(np.ascontiguousarray(counts))
    own = [
        plain.started,
        plain.ended,
        np.maximum(counts[:, SEQUENCE], 0),
        np.clip(counts[:, ATTEMPT], 0, MAX_ATTEMPT),
        nanos[:, TTFT],
        nanos[:, QUEUE],
    ]
    return np.column_stack([*own, tokens])


def _identities(plain: Plain) -> Any:
    """Return (n, width) bytes: spans are known by their ids, log records by what they are given."""
    rows = plain.body.rows
    if not plain.body.is_log:
        return fill.span_ids(plain.body.buf, rows.ids[plain.rows])
    starts, stops = rows.starts[plain.rows, EVENT_ID], rows.stops[plain.rows, EVENT_ID]
    raw = plain.body.raw
    digests = [
        source_identity(plain.classes[cls].producer, raw[start:stop].decode())
        for cls, start, stop in zip(
            plain.which.tolist(), starts.tolist(), stops.tolist(), strict=True
        )
    ]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 16)


def _span_keys(plain: Plain, event_keys: Any) -> Any:
    """Return the keys of calls without a response id: of their span, else of the event itself."""
    if not plain.body.is_log:
        return event_keys
    ids = plain.body.rows.ids[plain.rows]
    has_span = np.flatnonzero((ids[:, :2] >= 0).all(axis=1))
    keys = event_keys.copy()
    keys[has_span] = _keys(fill.span_ids(plain.body.buf, ids[has_span]))
    return keys


def _link_keys(plain: Plain) -> Any:
    """Return the key of the span above each record; 0 where there is none."""
    traces = plain.body.rows.ids[plain.rows, 0]
    keys = np.zeros(len(traces), np.uint64)
    has = np.flatnonzero((traces >= 0) & (plain.parents >= 0))
    above = np.column_stack([traces[has], plain.parents[has]])
    keys[has] = _keys(fill.span_ids(plain.body.buf, above))
    return keys


def _where_texts(plain: Plain) -> tuple[Any, Any]:
    """Return where each of ``OWN_TEXTS`` begins and ends: (texts, n) each."""
    fields = [*range(len(SOURCES)), RESPONSE_ID, REQUEST_ID]
    rows = plain.body.rows
    both = []
    for texts in (rows.starts, rows.stops):
        where = np.ascontiguousarray(texts[plain.rows][:, fields].T)
        is_engine = np.array([c.is_engine for c in plain.classes], bool)[plain.which]
        where[_RESPONSE] = np.where(is_engine, texts[plain.rows, ENGINE_ID], where[_RESPONSE])
        both.append(where)
    return both[0], both[1]


def _own_text(plain: Plain, at: int, where: tuple[Any, Any], sums: Any) -> Any:
    """Return a text column, and add what it says to the content hashes."""
    starts, stops = where
    is_own = stops > starts
    shared = [cls.shared[at] for cls in plain.classes]
    if any(shared):
        others = np.array([said(OWN_TEXTS[at], t) if t else 0 for t in shared], np.uint64)
        sums += np.where(is_own, np.uint64(0), others[plain.which])
    if not is_own.any():
        return _of_classes(plain, shared, pa.string())
    fill.add_texts(sums, plain.body.buf, np.uint64(SEEDS[OWN_TEXTS[at]]), (starts, stops))
    texts = [text.encode() for text in shared]
    ends = np.cumsum([0, *map(len, texts)])
    room = np.frombuffer(b"".join(texts) + b" ", np.uint8)
    offsets, data = fill.texts_of(plain.body.buf, (starts, stops), (ends, room), plain.which)
    return pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(data))


def _of_classes(plain: Plain, values: Sequence[Any], kind: pa.DataType) -> Any:
    """Return a column of what is said by each row's class; most texts are the same in all."""
    if kind == pa.string() and all(value == values[0] for value in values):
        text, count = values[0].encode(), len(plain.rows)
        offsets = np.arange(count + 1, dtype=np.int32) * len(text)
        return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text * count))
    return pa.array(values, kind).take(pa.array(plain.which))


def _fixed(values: Any) -> Any:
    """Return rows of equally many bytes as a binary column."""
    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(pa.binary(), len(values), buffers)


def _bytes_at(plain: Plain, which: int, width: int) -> Any:
    """Return an id of each row as a binary column; empty where the record has none."""
    at = plain.body.rows.ids[plain.rows, which] if width else np.full(len(plain.rows), -1)
    return bytes_column(plain.body.buf, at, width)


def bytes_column(buf: int, at: Any, width: int) -> Any:
    """Return ``width`` bytes from each position as a binary column; empty where it is negative."""
    stops = np.where(at >= 0, at + width, at)
    none = (np.zeros(2, np.int32), np.zeros(0, np.uint8))
    which = np.zeros(len(at), np.int64)
    offsets, data = fill.texts_of(buf, (np.ascontiguousarray(at), stops), none, which)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(at), buffers)


def _name(path: str) -> str:
    return path.rpartition(".")[2]
