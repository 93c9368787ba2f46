"""Hours of the event store: which ones arrivals touch, and what they come to.

keys that need care -> records under them, folded in Python ----------.
keys told twice ------> rows under them, chosen from by the engine ----+--> sums by hour and key
all other calls ------> summed by the engine --------------------------'
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from operator import add
from typing import Any

from metering import event_sql as sql
from metering import sums_sql
from metering.arrival import Arrival
from metering.contested_store import Contested
from metering.corrections.corrected_store import Corrected
from metering.corrections.correction import Correction, Corrections, Kind
from metering.dimension_store import HourDimensions
from metering.doubled_store import Doubled, doubled_calls
from metering.event import Role
from metering.group import BY_TEXTS, Groups
from metering.key_table_store import KeyTable, Statements, key_table
from metering.period import HOUR
from metering.rollup import RawKey, Sums, added, fold
from metering.scale.layout import Deployment
from metering.scale.settling import Stamps
from metering.sums_sql import sums_of

_FOR_EVER = 2**62
_BILL = {"role": Role.BILL.value}
_COUNTS = 3
"""Where counts begin in a row of sums, behind its hour, group and band."""


class HourStore:
    """Sums of hours, of arrivals before a cutoff. Safe to use from several threads."""

    def __init__(
        self, engine: Statements, corrected: Corrected, stamps: Stamps, deployment: Deployment
    ) -> None:
        """Open the tables of what is worked out once for each arrival."""
        self._engine = engine
        self._bands = deployment.bands
        self._rows = engine.rows
        self._looked_back = stamps.looked_back
        self._corrected = corrected
        self._contested = Contested(engine.rows, engine.command, deployment.layout)
        self._dimensions = HourDimensions(engine.rows, engine.command, deployment.layout)

    def touched(self, since: int, before: int) -> set[datetime]:
        """Return the hours whose sums may differ because of arrivals in ``[since, before)``."""
        for stamp in (since, before):  # what is noted together is touched together
            self._contested.note(stamp, self._looked_back)
        return {_aware(hour) for hour in self._contested.hours_since(self._looked_back(since))}

    def sums(
        self, hours: Sequence[datetime], before: int, corrections: Sequence[Correction] = ()
    ) -> dict[RawKey, Sums]:
        """Return the sums of whole hours, each call once, from arrivals stored before a stamp.

        ``corrections`` are those to heed, the oldest first; their events must have been marked.
        """
        if not hours:
            return {}
        self._contested.note(before, self._looked_back)
        span = _span(hours, before)
        heeded = self._corrected.within(corrections, span)
        asked = {**span, **_BILL, "voids": [c.id for c in heeded if c.kind is Kind.VOID]}
        is_contested, contested = self._contested.keys(span)
        with key_table(self._engine, contested | self._changed_or_alike(span, heeded)) as apart:
            self._grow(apart, before)
            needs_care = is_contested or bool(apart.keys)
            with self._told_twice(span, apart, before) if needs_care else nullcontext() as doubled:
                arrivals = self._arrivals(apart, before)
                about = self._corrected.about(corrections, apart.name)
                parts = [
                    self._summed(asked, doubled, apart),
                    fold(arrivals, about, self._bands),
                ]
        return _of_hours(added(parts), set(hours))

    def corrected(self, correction: str, before: int) -> set[datetime]:
        """Return the hours whose sums a correction may change.

        They are those of its events and of all records that tell of the same calls: where one is
        taken out, another may bill, in another hour.
        """
        self._contested.note(before, self._looked_back)
        asked = {"correction": correction}
        own = {row[0] for row in self._rows(sql.MARKED_HOURS, asked)}
        with key_table(self._engine, self._keys(sql.MARKED_KEYS, asked)) as keys:
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
        span = _span(hours, before)
        alike = self._alike(span, [row[0] for row in self._rows(sql.MIXED, span)])
        with key_table(self._engine, keys | alike) as table:
            self._grow(table, before)
            arrivals = self._arrivals(table, before)
            return arrivals, self._corrected.about(corrections, table.name)

    def _arrivals(self, table: KeyTable, before: int) -> list[Arrival]:
        """Read the arrivals under keys."""
        if not table.keys:
            return []
        rows = self._rows(sql.with_keys(sql.ARRIVALS, table.name), {"before": before})
        return [sql.arrival_of(row) for row in rows]

    def _grow(self, table: KeyTable, before: int) -> None:
        """Add the keys that records under the keys of a table lead to."""
        while table.keys:
            query = sql.with_keys(sql.LINKED, table.name)
            grown = self._keys(query, {"before": before}) - table.keys
            if not grown:
                return
            table.add(grown)

    def _changed_or_alike(self, span: dict[str, Any], heeded: Sequence[Correction]) -> set[int]:
        """Return the keys of events that are amended, or that a window may tell to be one call."""
        changed = self._corrected.keys([c for c in heeded if c.kind is not Kind.VOID], span)
        return changed | self._alike(span, self._dimensions.mixed(span))

    def _alike(self, span: dict[str, Any], mixed: Sequence[str]) -> set[int]:
        """Return the keys of events that only a window of time and tokens can tell apart."""
        return self._keys(sql.ALIKE, {**span, **_BILL, "mixed": mixed}) if mixed else set()

    @contextmanager
    def _told_twice(self, span: dict[str, Any], apart: KeyTable, before: int) -> Iterator[Doubled]:
        """Hold the calls that several rows tell of, and those apart."""
        with doubled_calls(self._engine, span) as doubled:
            doubled.include(apart.keys)
            contradicted = doubled.contradicted() - apart.keys
            if contradicted:
                apart.add(contradicted)
                self._grow(apart, before)
                doubled.include(apart.keys)
            yield doubled

    def _summed(
        self, asked: dict[str, Any], doubled: Doubled | None, apart: KeyTable
    ) -> dict[RawKey, Sums]:
        """Sum the calls that one row tells of, and with care those that several do."""
        groups = self._dimensions.groups(asked)
        found = self._found(asked, doubled, apart, groups)
        if not all(groups.knows(key) for _, key, _ in found):
            groups = BY_TEXTS  # a straggler came with a key of its own while we summed
            found = self._found(asked, doubled, apart, groups)
        return dict(sums_of((*at, *counts), groups) for at, counts in found.items())

    def _found(
        self, asked: dict[str, Any], doubled: Doubled | None, apart: KeyTable, groups: Groups
    ) -> dict[Sequence[Any], Sequence[int]]:
        """Return counts by hour, group and band: they are added before keys are made of these."""
        blanks = {"group": groups.expression, "apart": apart.name, **self._blanks(asked)}
        plain = {**blanks, "single": doubled.left_out if doubled else ""}
        rows = self._rows(sums_sql.filled(sums_sql.PLAIN, plain), asked)
        found = {row[:_COUNTS]: row[_COUNTS:] for row in rows}
        for slice_ in doubled.slices() if doubled else ():
            query = sums_sql.filled(sums_sql.CAREFUL, {**blanks, **slice_})
            for row in self._rows(query, asked):
                at, counts = row[:_COUNTS], row[_COUNTS:]
                found[at] = tuple(map(add, found[at], counts)) if at in found else counts
        return found

    def _blanks(self, asked: dict[str, Any]) -> dict[str, str]:
        return {
            "hour": sums_sql.hour_of_rows(asked),
            "band": sums_sql.band_of_rows(self._bands),
            "not_void": sums_sql.NOT_VOID if asked["voids"] else "",
        }

    def _keys(self, query: str, parameters: dict[str, Any]) -> set[int]:
        return {key for row in self._rows(query, parameters) for key in row if key}


def _of_hours(sums: dict[RawKey, Sums], wanted: set[datetime]) -> dict[RawKey, Sums]:
    """Take the sums of other hours out: nearly always there are none."""
    for other in [key for key in sums if key.hour not in wanted]:
        del sums[other]
    return sums


def _span(hours: Sequence[datetime], before: int) -> dict[str, Any]:
    return {
        "start": int(min(hours).timestamp()),
        "end": int((max(hours) + HOUR).timestamp()),
        "before": before,
    }


def _aware(hour: datetime) -> datetime:
    return hour if hour.tzinfo else hour.replace(tzinfo=UTC)
