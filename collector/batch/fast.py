"""The fast decoder: what the reference decoder means, at the speed of columns.

body -> walk -> plain rows -> columns  --.
           '--> odd rows -> reference ---+--> places in the span tree -> batch
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from collector.batch.classes import NO_CALL, UNSUITED, Class, class_of
from collector.batch.columns import Body, Plain, batch_of_plain, mark_odd, times_of
from collector.batch.keys import LOGGED, registered
from collector.batch.memory import address
from collector.batch.placing import put_in_place
from collector.batch.rows import ODD, PLAIN
from collector.batch.salvage import salvaged
from collector.batch.traces import are_shared
from collector.batch.walk import Walker, count_records
from collector.dialect.normalise import EARLIEST_NS, Rejected, check_days, event_of, usage_events
from collector.dialect.roles import ANY_GATEWAY, Gateways
from collector.logs.access_log import translated
from collector.otlp import (
    MAX_RECORDS,
    Encoding,
    MalformedBodyError,
    Record,
    Signal,
    TooManyRecordsError,
    decode,
)
from metering.event import MAX_INSTANT_NS, UsageEvent
from metering.schema import Batch, batch_of, joined

MAX_CLASSES = 4096
"""Shapes that are remembered; more than these are noise, and all are learned anew."""

MAX_LESSONS = 200
"""Shapes that are learned of one body: each takes a millisecond or two."""
MAX_LESSON = 65_536
"""Bytes of a record, with its resource and scope, that a shape is learned from."""

_DAY_NS = 86_400_000_000_000
_BOUNDS = (EARLIEST_NS, MAX_INSTANT_NS)
_ANY_TIME = (0, MAX_INSTANT_NS)


@dataclass(frozen=True, slots=True)
class Decoded:
    """The usage events of a body, and the records that could not become one."""

    batch: Batch
    rejected: Sequence[Rejected] = ()


@dataclass(slots=True)
class FastDecoder:
    """Decodes bodies; threads may share one, for learning a class twice does no harm."""

    seed: int
    """Drawn at random for each process, so that nobody can make two shapes look alike."""
    gateways: Gateways = ANY_GATEWAY
    walker: Walker = field(init=False)
    _classes: dict[tuple[Signal, int], Class] = field(default_factory=dict)

    def __post_init__(self) -> None:
        looked_at = (name for name, _ in self.gateways.conditions)
        self.walker = Walker(registered(self.seed, looked_at))

    def decode(
        self,
        raw: bytes,
        signal: Signal,
        encoding: Encoding,
        bounds_ns: tuple[int, int] = _BOUNDS,
    ) -> Decoded:
        """Return what ``usage_events(decode(raw, ...))`` does, as a batch.

        Of a body that ``decode`` refuses, the records that can be read are kept.

        Raises:
            ValueError: as ``salvaged`` and ``check_days`` do.
        """
        try:
            return self._whole(raw, signal, encoding, bounds_ns)
        except MalformedBodyError:
            if signal is Signal.METRICS:
                raise
        kept = salvaged(raw, signal, encoding)
        found = self._whole(kept.readable, signal, Encoding.PROTOBUF, bounds_ns)
        return replace(found, rejected=[*found.rejected, *kept.broken])

    def decode_together(
        self, bodies: Sequence[bytes], signal: Signal, bounds_ns: tuple[int, int] = _BOUNDS
    ) -> Decoded | None:
        """Return what protobuf bodies say, one after the other; None where each must be read alone.

        Bodies that tell of one trace would be put into one span tree: the parents that their
        records name, and so their content, would depend on who came at the same time.

        Raises:
            ValueError: as ``decode`` does; so may one body alone, or none.
        """
        raw = b"".join(bodies)
        if any(count_records(body) < 0 for body in bodies):
            return None
        rows = self.walker.walk(raw, is_log=signal is Signal.LOGS)
        if rows is None or (signal is Signal.TRACES and are_shared(rows, raw, bodies)):
            return None
        body = Body(address(np.frombuffer(raw, np.uint8)), rows, signal, raw)
        return self._by_rows(body, bounds_ns)

    def normalised(
        self, records: Iterable[Record], bounds_ns: tuple[int, int] = _BOUNDS
    ) -> Decoded:
        """Return what becomes of records, by the reference rules alone.

        Raises:
            TooManyDaysError: the events end on too many days.
        """
        events, rejected = usage_events(
            (translated(record) for record in records),
            gateways=self.gateways,
            earliest_ns=bounds_ns[0],
            latest_ns=bounds_ns[1],
        )
        check_days({e.ended_at // _DAY_NS for e in events})
        return Decoded(batch_of(events), rejected)

    def _whole(
        self, raw: bytes, signal: Signal, encoding: Encoding, bounds_ns: tuple[int, int]
    ) -> Decoded:
        """Decode a body of which everything can be read: by its rows, if it can be walked."""
        rows = None
        if encoding is Encoding.PROTOBUF and signal is not Signal.METRICS:
            if (count := count_records(raw)) > MAX_RECORDS:
                raise TooManyRecordsError(count)
            rows = self.walker.walk(raw, is_log=signal is Signal.LOGS)
        if rows is None:
            return self.normalised(decode(raw, signal, encoding), bounds_ns)
        body = Body(address(np.frombuffer(raw, np.uint8)), rows, signal, raw)
        return self._by_rows(body, bounds_ns)

    def _by_rows(self, body: Body, bounds_ns: tuple[int, int]) -> Decoded:
        started, ended = times_of(body)
        mark_odd(body, ended, bounds_ns)
        plain = self._plain(body, started, ended)
        odd, rejected = self._odd(body, np.flatnonzero(body.rows.kind == ODD), bounds_ns)
        if not body.is_log:
            put_in_place(plain, odd, self.seed)
        events = [event for event, _ in odd.values()]
        days = np.unique(plain.ended // _DAY_NS).tolist()
        check_days({*days, *(e.ended_at // _DAY_NS for e in events)})
        batches = [batch_of_plain(plain)] if len(plain.rows) else []
        if events or not batches:
            batches.append(batch_of(events))
        return Decoded(joined(batches), rejected)

    def _plain(self, body: Body, started: Any, ended: Any) -> Plain:
        """Return the plain rows with their classes; rows of odd classes become odd."""
        rows = np.flatnonzero(body.rows.kind == PLAIN)
        shapes, firsts, which = np.unique(
            body.rows.shape[rows], return_index=True, return_inverse=True
        )
        classes = self._classes_of(body, shapes.tolist(), rows[firsts].tolist())
        body.rows.kind[rows[_where(classes, which, lambda c: c.is_odd)]] = ODD
        rows, which, classes = _kept(rows, which, classes)
        return Plain(
            body=body,
            rows=rows,
            classes=classes,
            which=which,
            started=started[rows],
            ended=ended[rows],
            is_witness=_where(classes, which, lambda c: c.is_witness),
            parents=body.rows.ids[rows, 2],
        )

    def _classes_of(self, body: Body, shapes: Sequence[int], firsts: Sequence[int]) -> list[Class]:
        """Return the class of each shape, of which the first record is at a row.

        New ones are learned: a few of a body, and from records of a usual size. The records of
        others are left to the reference decoder.
        """
        found = []
        lessons = 0
        for shape, row in zip(shapes, firsts, strict=True):
            known = self._classes.get((body.signal, shape))
            if known is None and lessons < MAX_LESSONS and body.size_of(row) <= MAX_LESSON:
                lessons += 1
                known = self._learned(body, row)
                if len(self._classes) >= MAX_CLASSES:
                    self._classes.clear()
                self._classes[body.signal, shape] = known
            found.append(known or UNSUITED)
        return found

    def _learned(self, body: Body, row: int) -> Class:
        """Return the class of a record, if columns make of it what the reference decoder does."""
        record = body.record(row)
        event = self._read(record, _ANY_TIME)
        if isinstance(event, UsageEvent):
            found = class_of(record, event, self.gateways)
            return found if self._agrees(found, body, row) else UNSUITED
        is_logged = body.is_log and not record.name and LOGGED.intersection(record.attributes)
        return UNSUITED if event or is_logged else NO_CALL

    def _agrees(self, found: Class, body: Body, row: int) -> bool:
        assert found.event is not None
        alone = body.part([row])
        rows = self.walker.walk(alone, is_log=body.is_log)
        assert rows is not None
        single = Body(address(np.frombuffer(alone, np.uint8)), rows, body.signal, alone)
        started, ended = times_of(single)
        plain = Plain(
            body=single,
            rows=np.zeros(1, np.int64),
            classes=[found],
            which=np.zeros(1, np.int64),
            started=started,
            ended=ended,
            is_witness=np.array([found.is_witness]),
            parents=rows.ids[:, 2],
        )
        ours, theirs = batch_of_plain(plain), batch_of([found.event])
        is_same_call = ours.call_keys.tolist() == theirs.call_keys.tolist()
        is_same_link = ours.link_keys.tolist() == theirs.link_keys.tolist()
        return is_same_call and is_same_link and bool(ours.table.equals(theirs.table))

    def _odd(
        self, body: Body, rows: Any, bounds_ns: tuple[int, int]
    ) -> tuple[dict[int, tuple[UsageEvent, Class]], list[Rejected]]:
        """Return the events of odd records by their rows, and those that were rejected."""
        events: dict[int, tuple[UsageEvent, Class]] = {}
        rejected: list[Rejected] = []
        for row, record in zip(rows.tolist(), body.records(rows.tolist()), strict=True):
            said = translated(record) if body.is_log else record
            event = self._read(said, bounds_ns)
            if isinstance(event, UsageEvent):
                events[row] = event, class_of(said, event, self.gateways)
            elif event:
                rejected.append(event)
        return events, rejected

    def _read(self, record: Record, bounds_ns: tuple[int, int]) -> UsageEvent | Rejected | None:
        """Return what the reference makes of a record; None where it is about no call."""
        try:
            return event_of(record, self.gateways, bounds_ns)
        except ValueError as error:
            return Rejected(record, str(error))


def _where(classes: Sequence[Class], which: Any, said: Callable[[Class], bool]) -> Any:
    """Return for each row whether something holds of its class."""
    return np.array([said(c) for c in classes], bool)[which]


def _kept(rows: Any, which: Any, classes: Sequence[Class]) -> tuple[Any, Any, list[Class]]:
    """Return only the rows and classes of model calls."""
    is_kept = np.array([c.event is not None for c in classes], bool)
    places = np.cumsum(is_kept) - 1
    wanted = is_kept[which]
    return rows[wanted], places[which[wanted]], [c for c in classes if c.event is not None]
