"""Hours of the event store: which ones arrivals touch, and what they come to.

keys that need care -> records under them, folded in Python --.
all other calls ----> summed by the engine ------------------+--> sums by hour and key
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import pyarrow as pa

from metering import event_sql as sql
from metering import sums_sql
from metering.arrival import Arrival
from metering.contested_store import Contested
from metering.corrections.corrected_store import Corrected
from metering.corrections.correction import Correction, Corrections, Kind
from metering.event import Role
from metering.period import HOUR
from metering.rollup import RawKey, Sums, added, fold
from metering.scale.layout import Layout
from metering.scale.settling import Stamps
from metering.schema import NO_KEYS
from metering.sums_sql import sums_of, sums_query

_FOR_EVER = 2**62
_DOUBLED_AT_ONCE = 250_000
"""Calls that are told more than once, chosen from in one go: their records are sorted in memory."""


class Engine(Protocol):
    """What runs the statements, and turns its failures into StoreUnavailableError."""

    @property
    def corrected(self) -> Corrected:
        """Which events corrections are about."""

    @property
    def stamps(self) -> Stamps:
        """What arrivals are stamped with."""

    def rows(self, query: str, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """Query the engine."""

    def command(self, statement: str, parameters: dict[str, Any] | None = None) -> None:
        """Change something in the engine."""

    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows into a table."""


@dataclass(frozen=True, slots=True)
class _Keys:
    """A table of keys, and what is in it."""

    name: str
    keys: set[int]


class HourStore:
    """Sums of hours. Safe to use from several threads."""

    def __init__(self, engine: Engine, layout: Layout) -> None:
        """Open the tables of what is worked out once for each arrival."""
        self._engine = engine
        self._rows, self._command = engine.rows, engine.command
        self._looked_back = engine.stamps.looked_back
        self._corrected = engine.corrected
        self._contested = Contested(self._rows, self._command, layout)

    def touched(self, since: int, before: int) -> set[datetime]:
        """Return the hours whose sums may differ because of arrivals in ``[since, before)``."""
        self._contested.note(before, self._looked_back)
        bounds = {"since": self._looked_back(since), "before": before}
        touched = {r[0] for r in self._rows(sql.TOUCHED, bounds)}
        return {_aware(hour) for hour in touched | self._contested.hours_since(bounds["since"])}

    def sums(
        self, hours: Sequence[datetime], before: int, corrections: Sequence[Correction] = ()
    ) -> dict[RawKey, Sums]:
        """Return the sums of whole hours, each call once, from arrivals stored before a stamp.

        ``corrections`` are those to heed, the oldest first; their events must have been marked.
        """
        if not hours:
            return {}
        span = _span(hours, before)
        wanted = set(hours)
        heeded = self._corrected.within(corrections, span)
        with self._key_table(self._told_elsewhere(span, heeded)) as contested:
            arrivals = self._arrivals(contested, before)
            told_in_many = fold(arrivals, self._corrected.about(corrections, contested.name))
            simple = self._told_in_hours(span, contested, heeded)
        return {
            key: sums for key, sums in added([simple, told_in_many]).items() if key.hour in wanted
        }

    def corrected(self, correction: str, before: int) -> set[datetime]:
        """Return the hours whose sums a correction may change.

        They are those of its events and of all records that tell of the same calls: where one is
        taken out, another may bill, in another hour.
        """
        self._contested.note(before, self._looked_back)
        asked = {"correction": correction}
        own = {row[0] for row in self._rows(sql.MARKED_HOURS, asked)}
        with self._key_table(self._keys(sql.MARKED_KEYS, asked)) as keys:
            self._grow(keys, _FOR_EVER)
            query = sql.with_keys(sql.SIGHTED_HOURS, keys.name)
            related = {row[0] for row in self._rows(query, {})}
        return {_aware(hour) for hour in own | related}

    def told(
        self,
        keys: set[int],
        hours: Sequence[datetime],
        before: int,
        corrections: Sequence[Correction],
    ) -> tuple[list[Arrival], Corrections]:
        """Return all records that may tell of calls under keys in hours, and their corrections."""
        alike = self._alike(_span(hours, before))
        with self._key_table(keys | alike) as table:
            arrivals = self._arrivals(table, before)
            return arrivals, self._corrected.about(corrections, table.name)

    @contextmanager
    def _key_table(self, keys: set[int]) -> Iterator["_Keys"]:
        """Hold keys in a table of their own while a query needs them: they may be many."""
        if not keys:
            yield _Keys(NO_KEYS, set())
            return
        with self._empty_table() as name:
            self._insert_keys(name, keys)
            yield _Keys(name, keys)

    @contextmanager
    def _empty_table(self) -> Iterator[str]:
        """Make a table of keys that lives as long as the block."""
        name = f"keys_{uuid.uuid4().hex}"
        self._command(f"CREATE TABLE {name} (key UInt64) ENGINE = Memory")
        try:
            yield name
        finally:
            self._command(f"DROP TABLE {name}")

    def _arrivals(self, contested: "_Keys", before: int) -> list[Arrival]:
        """Read the arrivals under contested keys, and under the keys that those lead to."""
        if not contested.keys:
            return []
        self._grow(contested, before)
        rows = self._rows(sql.with_keys(sql.ARRIVALS, contested.name), {"before": before})
        return [sql.arrival_of(row) for row in rows]

    def _grow(self, table: _Keys, before: int) -> None:
        """Add the keys that records under the keys of a table lead to."""
        while table.keys:
            query = sql.with_keys(sql.LINKED, table.name)
            grown = self._keys(query, {"before": before}) - table.keys
            if not grown:
                return
            table.keys.update(grown)
            self._insert_keys(table.name, grown)

    def _told_elsewhere(self, span: dict[str, Any], heeded: Sequence[Correction]) -> set[int]:
        """Return the keys of calls that need more than the plain sum of an hour to be told."""
        self._contested.note(span["before"], self._looked_back)
        contradicted = self._keys(sums_sql.CONTRADICTED, span)
        changed = self._corrected.keys([c for c in heeded if c.kind is not Kind.VOID], span)
        return self._contested.keys(span) | contradicted | changed | self._alike(span)

    def _alike(self, span: dict[str, Any]) -> set[int]:
        """Return the keys of events that only a window of time and tokens can tell apart."""
        mixed = [row[0] for row in self._rows(sql.MIXED, span)]
        if not mixed:
            return set()
        return self._keys(sql.ALIKE, {**span, "role": Role.BILL.value, "mixed": mixed})

    def _told_in_hours(
        self, span: dict[str, Any], contested: "_Keys", heeded: Sequence[Correction]
    ) -> dict[RawKey, Sums]:
        """Sum what records of the hours alone tell: most calls plainly, the others with care."""
        voids = [c.id for c in heeded if c.kind is Kind.VOID]
        told = {**span, "role": Role.BILL.value, "voids": voids}
        keys = contested.name if contested.keys else ""
        with self._empty_table() as doubled:
            self._command(sums_sql.DOUBLED.replace("@doubled", doubled), span)
            count = self._rows(f"SELECT count() FROM {doubled}", {})[0][0]  # noqa: S608 - our name
            some = doubled if count else ""
            plain = sums_query(sums_sql.PLAIN, keys, some, has_voids=bool(voids))
            careful = sums_query(sums_sql.DOUBLED_SUMS, keys, doubled, has_voids=bool(voids))
            slices = -(-count // _DOUBLED_AT_ONCE)
            sliced = [{**told, "slices": slices, "slice": n} for n in range(slices)]
            found = [self._rows(plain, told), *(self._rows(careful, one) for one in sliced)]
        return added(dict(sums_of(row) for row in rows) for rows in found)

    def _keys(self, query: str, parameters: dict[str, Any]) -> set[int]:
        return {key for row in self._rows(query, parameters) for key in row if key}

    def _insert_keys(self, table: str, keys: set[int]) -> None:
        if keys:
            column = pa.array(sorted(keys), pa.uint64())
            self._engine.insert(table, pa.table([column], names=["key"]))


def _span(hours: Sequence[datetime], before: int) -> dict[str, Any]:
    return {
        "start": int(min(hours).timestamp()),
        "end": int((max(hours) + HOUR).timestamp()),
        "before": before,
    }


def _aware(hour: datetime) -> datetime:
    return hour if hour.tzinfo else hour.replace(tzinfo=UTC)
