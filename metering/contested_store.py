"""Which keys the sums of an hour must not take for granted, worked out once for each arrival.

A key is contested in the hours where more than one row is told under it, or where records under it
have to do with other hours, or with a span above or below them. It is noted when the later of two
arrives, so that summing an hour again never looks through the history.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from metering import dimension_store
from metering import sums_sql as sql
from metering.doubled_store import DOUBLED
from metering.key_table_store import own_table
from metering.scale.layout import Layout, Table, ddl

CONTESTED = Table(
    name="contested",
    columns=(
        "key UInt64 CODEC(ZSTD(1))",
        "hour DateTime('UTC') CODEC(Delta, ZSTD(1))",
        "is_apart Bool",
        "noted UInt64 CODEC(Delta, ZSTD(1))",
    ),
    order_by="(hour, is_apart, key)",
    shard_by="key",
    version="noted",
)
"""``is_apart``: what it has to do with is in another hour, or another span, and not only a second
row of the same call. ``noted``: the arrivals that make it contested are stamped before this."""

PROGRESS = Table(
    name="contested_progress",
    columns=("name LowCardinality(String)", "noted UInt64"),
    order_by="name",
    shard_by="xxHash64(name)",
    version="noted",
)
"""Up to which stamp arrivals have been looked at. Where a power cut takes it, they are again."""
_LOOK = "doubled"
"""What is looked at; under another name than an earlier version's, which looked at less, so that
all arrivals are looked at once more."""

_PROGRESSED = "SELECT max(noted) FROM contested_progress WHERE name = {name:String}"
_PROGRESS = "INSERT INTO contested_progress (name, noted) VALUES ({name:String}, {before:UInt64})"

_AT_ONCE = 250_000
"""Arrivals looked at in one go: their keys are held in memory."""

Rows = Callable[[str, dict[str, Any]], Sequence[Sequence[Any]]]


class Contested:
    """What is noted of hours, and contested in them. Its owner maps errors of the engine."""

    def __init__(self, rows: Rows, command: Callable[..., None], layout: Layout) -> None:
        """Open the tables; ``rows`` queries the engine and ``command`` changes something."""
        self._rows = rows
        self._command = command
        self._lock = threading.Lock()
        for statement in (
            *ddl(CONTESTED, layout),
            *ddl(DOUBLED, layout),
            *ddl(PROGRESS, layout),
        ):
            command(statement)
        self._noted = int(rows(_PROGRESSED, {"name": _LOOK})[0][0])

    def note(self, before: int, looked_back: Callable[[int], int]) -> None:
        """Look at the arrivals stored before a stamp that were not looked at yet.

        Doing it twice, or in two processes at once, notes the same.
        """
        with self._lock:
            while self._noted < before:
                self._note_some(looked_back(self._noted), before)

    def hours_since(self, stamp: int) -> set[Any]:
        """Return the hours of what arrivals stamped since then have to do with."""
        query = "SELECT DISTINCT hour FROM contested WHERE noted > {since:UInt64}"
        return {row[0] for row in self._rows(query, {"since": stamp})}

    def keys(self, span: dict[str, Any]) -> tuple[bool, set[int]]:
        """Return whether keys are contested in some hours, and those that are apart."""
        count, apart = self._rows(sql.CONTESTED, span)[0]
        return count > 0, set(apart)

    def _note_some(self, since: int, before: int) -> None:
        bounds = {"since": since, "before": before}
        last, count = self._rows(sql.UP_TO, {**bounds, "limit": _AT_ONCE})[0]
        if count == _AT_ONCE:
            bounds["before"] = int(last) + 1
        if count:
            self._command(dimension_store.NOTE, bounds)
            with own_table(self._command, sql.SIGHTED_COLUMNS) as sighted:
                for statement in (sql.SIGHTED, sql.NOTE):
                    self._command(sql.filled(statement, {"sighted": sighted}), bounds)
            self._command(sql.KEEP, bounds)
            self._command(_PROGRESS, {**bounds, "name": _LOOK})
        self._noted = bounds["before"]
