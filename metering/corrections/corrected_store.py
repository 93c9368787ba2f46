"""Which events each correction is about, beside the events: found once, when it is made.

What arrives later under an identity that is marked is corrected too; other later events are not.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from metering.corrections.correction import Correction, Corrections, Kind
from metering.scale.layout import Layout, Table, ddl

CORRECTED = Table(
    name="corrected",
    columns=(
        "correction String CODEC(ZSTD(1))",
        "event_id String CODEC(NONE)",
        "event_key UInt64 CODEC(NONE)",
        "hour DateTime('UTC') CODEC(ZSTD(1))",
    ),
    order_by="(correction, event_id, hour)",
    shard_by="event_key",
)

FILTERS = (
    "tenant", "project", "api_key", "end_user", "cluster", "database", "gateway", "route", "pool",
    "spill_reason", "residency", "resource", "instance", "region", "network", "call_path",
    "caller", "provider", "requested_model", "model", "operation", "outcome", "quality", "role",
    "dialect", "caveat", "producer", "tier",
)  # fmt: skip
"""What a correction may ask of the events that it is about."""

_MARK = """
INSERT INTO corrected (correction, event_id, event_key, hour)
SELECT DISTINCT {correction:String}, event_id, event_key, toStartOfHour(ended_at) FROM events
WHERE stored_at < fromUnixTimestamp64Nano({before:Int64}, 'UTC')
"""
_WITHIN = """
    AND ended_at >= fromUnixTimestamp64Nano({start:Int64}, 'UTC')
    AND ended_at < fromUnixTimestamp64Nano({end:Int64}, 'UTC')
"""
_OF_REQUESTS = """
    AND (response_id IN {requests:Array(String)} OR request_id IN {requests:Array(String)}
         OR lower(hex(event_id)) IN {ids:Array(String)}
         OR lower(hex(trace_id)) IN {traces:Array(String)}
         OR lower(hex(span_id)) IN {spans:Array(String)})
"""
"""As ``IS_OF_REQUEST``, of many at once."""
_STORED = " AND stored_at = fromUnixTimestamp64Nano({taken:Int64}, 'UTC')"
_OF = "correction IN {ids:Array(String)}"
_IN_SPAN = "hour >= toDateTime({start:Int64}, 'UTC') AND hour < toDateTime({end:Int64}, 'UTC')"

Rows = Callable[[str, dict[str, Any]], Sequence[Sequence[Any]]]


class Corrected:
    """Marks of corrections on events. Its owner maps errors of the engine."""

    def __init__(self, rows: Rows, command: Callable[..., None], layout: Layout) -> None:
        """Open the table; ``rows`` queries the engine and ``command`` changes something."""
        self._rows = rows
        self._command = command
        self._layout = layout
        for statement in ddl(CORRECTED, layout):
            command(statement)

    def mark(self, correction: Correction, before: int) -> int:
        """Mark the events stored before a stamp that a correction is about; return their number.

        A mark without its correction in the ledger has no effect. One that takes an arrival is
        about the event that has it.

        Raises:
            UnknownFilterError: events cannot be asked for this.
        """
        query, asked = _asked(correction)
        self._command(query, {**asked, "correction": correction.id, "before": before})
        told = {"ids": [correction.id]}
        return int(
            self._rows(f"SELECT uniqExact(event_id) FROM corrected WHERE {_OF}", told)[0][0]  # noqa: S608
        )

    def unmark(self, correction: str) -> None:
        """Forget the marks of a correction that was only tried, or never got into the ledger."""
        if not self._rows(f"SELECT 1 FROM corrected WHERE {_OF} LIMIT 1", {"ids": [correction]}):  # noqa: S608
            return
        local = self._layout.local(CORRECTED.name) + self._layout.on_cluster
        self._command(
            f"ALTER TABLE {local} DELETE WHERE correction = {{correction:String}} "
            "SETTINGS mutations_sync = 1",
            {"correction": correction},
        )

    def within(self, corrections: Sequence[Correction], span: dict[str, Any]) -> list[Correction]:
        """Return the corrections that are about events of some hours, in order."""
        if not corrections:
            return []
        query = f"SELECT DISTINCT correction FROM corrected WHERE {_OF} AND {_IN_SPAN}"  # noqa: S608
        found = {row[0] for row in self._rows(query, {**span, "ids": _ids(corrections)})}
        return [c for c in corrections if c.id in found]

    def keys(self, corrections: Sequence[Correction], span: dict[str, Any]) -> set[int]:
        """Return the keys of the events of some hours that corrections are about."""
        if not corrections:
            return set()
        query = f"SELECT DISTINCT event_key FROM corrected WHERE {_OF} AND {_IN_SPAN}"  # noqa: S608
        return {row[0] for row in self._rows(query, {**span, "ids": _ids(corrections)})}

    def about(self, corrections: Sequence[Correction], keys: str) -> Corrections:
        """Return what to heed of the events under a table of keys."""
        if not corrections:
            return {}
        query = (
            f"SELECT DISTINCT hex(event_id), correction FROM corrected "  # noqa: S608
            f"WHERE {_OF} AND event_key IN (SELECT key FROM {keys})"
        )
        marks = {(row[0], row[1]) for row in self._rows(query, {"ids": _ids(corrections)})}
        marked = {event_id for event_id, _ in marks}
        found: dict[bytes, list[Correction]] = defaultdict(list)
        for event_id in marked:
            found[bytes.fromhex(event_id)] = [c for c in corrections if (event_id, c.id) in marks]
        return found


def _asked(correction: Correction) -> tuple[str, dict[str, Any]]:
    """Return the statement that marks what a correction is about, and its parameters."""
    query, asked = _MARK, dict[str, Any]()
    target = correction.target
    if target.period:
        query += _WITHIN
        asked |= {
            "start": _nanoseconds(target.period.start),
            "end": _nanoseconds(target.period.end),
        }
    if target.requests:
        query += _OF_REQUESTS
        lowered = [request.lower() for request in target.requests]
        asked |= {
            "requests": list(target.requests),
            "ids": lowered,
            "traces": [text for text in lowered if len(text) == _TRACE_DIGITS],
            "spans": [text for text in lowered if len(text) == _SPAN_DIGITS],
        }
    if correction.kind is Kind.TAKE:
        query += _STORED
        asked["taken"] = correction.taken
    for number, (name, value) in enumerate(target.where):
        if name not in FILTERS:
            raise UnknownFilterError(name)
        query += f" AND {name} = {{w{number}:String}}"
        asked[f"w{number}"] = value
    return query, asked


def _nanoseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000) * 1000


_TRACE_DIGITS, _SPAN_DIGITS = 32, 16


def _ids(corrections: Sequence[Correction]) -> list[str]:
    return [c.id for c in corrections]


class UnknownFilterError(ValueError):
    """Events cannot be asked for this."""

    def __init__(self, name: str) -> None:
        super().__init__(f"events are chosen by some of {', '.join(FILTERS)}, found {name!r}")
