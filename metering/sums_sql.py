"""The SQL that sums hours: nearly all calls are told once, and cost a plain sum.

``PLAIN`` and ``CAREFUL`` say in SQL what ``rollup.fold`` says in Python for records of one hour;
records that only other hours or a span tree explain are folded in Python. A property test holds
the three together.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from metering.band import Bands
from metering.event import TOKEN_CLASSES, Outcome, Quality
from metering.event_sql import BELOW_KEY, DIMENSIONS, IN_HOURS, STORED_BETWEEN, TOUCHED
from metering.group import BY_TEXTS, Groups
from metering.hashing import BELOW
from metering.rollup import RawKey, Sums

_HOUR_SECONDS = 3600
_INPUT = "fresh + cached + written_5m + written_1h"

_BELOW_SIGHTED = f"SELECT {BELOW_KEY} FROM events WHERE {STORED_BETWEEN} AND length(event_id) = 24"  # noqa: S608
_ABOVE = f"SELECT link_key FROM events WHERE {STORED_BETWEEN} AND parent_span_id != ''"  # noqa: S608
_SIGHTED = f"SELECT arrayJoin([event_key, call_key]) FROM events WHERE {STORED_BETWEEN}"  # noqa: S608
_TOLD_TWICE = f"""
    SELECT key FROM sightings WHERE key IN ({_SIGHTED})
    GROUP BY key HAVING min(hour) != max(hour) OR sum(times) > 1
"""  # noqa: S608
_TWICE = f"""(
    SELECT key, groupUniqArray(hour) AS hours, length(hours) > 1 AS is_apart FROM sightings
    WHERE key IN ({_TOLD_TWICE}) GROUP BY key
) ARRAY JOIN hours AS hour"""  # noqa: S608
_HOUR = "toStartOfHour(ended_at)"

_PARENTS = f"SELECT key FROM sightings WHERE key IN ({_ABOVE})"  # noqa: S608
_CHILDREN = f"SELECT key FROM sightings WHERE key IN ({_BELOW_SIGHTED})"  # noqa: S608

_CONTESTED_ROWS = (
    ("key", "hour", "is_apart", _TWICE),
    ("key", "hour", "true", f"sightings WHERE key IN ({_ABOVE})"),
    ("link_key", _HOUR, "true", f"events WHERE {STORED_BETWEEN} AND link_key IN ({_PARENTS})"),
    (f"bitXor(key, {BELOW})", "hour", "true", f"sightings WHERE key IN ({_BELOW_SIGHTED})"),
    ("event_key", _HOUR, "true", f"events WHERE {STORED_BETWEEN} AND {BELOW_KEY} IN ({_CHILDREN})"),
    ("0", "hour", "false", f"({TOUCHED})"),
)
NOTE = (
    "INSERT INTO contested (key, hour, is_apart, noted) SETTINGS max_threads = 1\n"  # noqa: S608
    + "\nUNION ALL ".join(
        f"SELECT {key}, {hour}, {is_apart}, {{before:Int64}} FROM {rows}"  # noqa: S608
        for key, hour, is_apart, rows in _CONTESTED_ROWS
    )
)
"""What makes arrivals contested, each under all hours that it concerns: told of twice, in one hour
or apart; above or below other events, whichever came first. The key 0 stands for no call: under it
are all hours that arrivals touch."""

UP_TO = f"""
SELECT max(toUnixTimestamp64Nano(stored_at)), count() FROM (
    SELECT stored_at FROM events WHERE {STORED_BETWEEN} ORDER BY stored_at LIMIT {{limit:UInt32}}
)
"""  # noqa: S608
"""The last stamp of so many arrivals."""

_IN_SPAN = """
    hour >= toDateTime({start:Int64}, 'UTC') AND hour < toDateTime({end:Int64}, 'UTC') AND key != 0
"""
CONTESTED = f"SELECT count(), groupUniqArrayIf(key, is_apart) FROM contested WHERE {_IN_SPAN}"  # noqa: S608

DOUBLED = f"INSERT INTO @doubled SELECT DISTINCT key FROM contested WHERE {_IN_SPAN}"  # noqa: S608
"""Whatever more than one row tells of: sent again, or told by several records."""

_TOKENS = ", ".join(TOKEN_CLASSES)
_DIMENSIONS = ", ".join(DIMENSIONS)
_ROW = f"""ended_at, stored_at, {_DIMENSIONS}, {_TOKENS},
    event_id, content_hash, rank, is_choice, role, call_id, trace_id, event_key, call_key"""

CREATE_ROWS = f"CREATE TABLE @rows ENGINE = Memory EMPTY AS SELECT {_ROW} FROM events"  # noqa: S608
FETCH = f"""
INSERT INTO @rows SELECT {_ROW} FROM events PREWHERE {IN_HOURS}
    AND (call_key IN (SELECT key FROM @doubled) OR event_key IN (SELECT key FROM @doubled))
WHERE call_key % {{slices:UInt32}} = {{slice:UInt32}}
"""  # noqa: S608
"""The rows of calls that are summed with care; those of one call in one slice."""

CONTRADICTED_ROWS = """
SELECT event_key FROM @rows GROUP BY event_key HAVING min(call_key) != max(call_key)
"""
CONTRADICTED = f"""
SELECT event_key FROM events WHERE {IN_HOURS} AND event_key IN (SELECT key FROM @doubled)
GROUP BY event_key HAVING min(call_key) != max(call_key)
"""  # noqa: S608
"""Identities that were told of as different calls."""

NOT_VOID = """
    AND event_id NOT IN (
        SELECT event_id FROM corrected WHERE correction IN {voids:Array(String)}
    )
"""
NOT_IN_ROWS = "AND call_key NOT IN (SELECT call_key FROM @rows)"
NOT_DOUBLED = """
    AND call_key NOT IN (SELECT key FROM @doubled) AND event_key NOT IN (SELECT key FROM @doubled)
"""
"""Both leave the calls that are summed with care out of a plain sum. Merging changes neither: all
rows of an identity go together, however many of them are left. A call whose key is among the rows
has all its rows there: told once it has no other, and told twice it is doubled itself."""

PLAIN = f"""
SELECT @hour AS hour, @group AS key, @band AS band,
       count(), {", ".join(f"sum({name})" for name in TOKEN_CLASSES)}
FROM events WHERE {IN_HOURS} AND role = {{role:String}} @not_void @single
GROUP BY hour, key, band HAVING count() > 0
"""  # noqa: S608

_CHOSEN_BY = "quality = 'unknown', rank, event_id"
"""Of the records of a call the first in this order bills."""

CAREFUL = f"""
SELECT @hour AS hour, ({_DIMENSIONS}) AS key, band,
       count(), {", ".join(f"sum({name})" for name in TOKEN_CLASSES[:4])},
       sum(if(by_choice, all_output, output)), sum(if(by_choice, all_reasoning, reasoning))
FROM (
    SELECT * FROM (
        SELECT *, @band AS band, quality = 'unknown' AS is_unknown,
               first_value(is_choice) OVER best AS by_choice,
               first_value(is_unknown) OVER best AS best_is_unknown,
               first_value(rank) OVER best AS best_rank,
               sumIf(output, is_choice) OVER (PARTITION BY call_id) AS all_output,
               sumIf(reasoning, is_choice) OVER (PARTITION BY call_id) AS all_reasoning,
               multiIf(by_choice, '', trace_id = '', event_id, trace_id) AS part
        FROM (
            SELECT * FROM @rows
            WHERE call_key NOT IN (SELECT key FROM @apart)
              AND event_key NOT IN (SELECT key FROM @apart) @not_void
            ORDER BY stored_at, content_hash
            LIMIT 1 BY event_id
        )
        WHERE role = {{role:String}}
        WINDOW best AS (PARTITION BY call_id ORDER BY {_CHOSEN_BY})
    )
    WHERE by_choice OR (NOT is_choice AND is_unknown = best_is_unknown AND rank = best_rank)
    ORDER BY {_CHOSEN_BY}
    LIMIT 1 BY call_id, part
)
GROUP BY hour, key, band
SETTINGS max_threads = 1
"""  # noqa: S608


def filled(query: str, blanks: Mapping[str, str]) -> str:
    """Return a query with its blanks filled in: what need not be asked is left out."""
    for name, text in blanks.items():
        query = query.replace(f"@{name}", text)
    return query


def hour_of_rows(span: Mapping[str, int]) -> str:
    """Return the expression of a row's hour, counted from 1970.

    Most spans are of one hour, or of two: the first is touched by an event just after its end. So
    few are told apart by comparing, which takes less than dividing.
    """
    first, *others = range(span["start"] // _HOUR_SECONDS, span["end"] // _HOUR_SECONDS)
    if len(others) > 1:
        return f"intDiv(toUnixTimestamp64Nano(ended_at), {_HOUR_SECONDS * 1_000_000_000})"
    later = (f" + (ended_at >= toDateTime64({n * _HOUR_SECONDS}, 9, 'UTC'))" for n in others)
    return "".join((str(first), *later))


def band_of_rows(bands: Bands) -> str:
    """Return the expression of what ``Bands.of`` returns."""
    if not bands.bounds:
        return "''"
    cases = (f"{_INPUT} >= {bound}, '{bound}'" for bound in reversed(bands.bounds))
    return f"multiIf({', '.join(cases)}, '0')"


def sums_of(row: Sequence[Any], groups: Groups = BY_TEXTS) -> tuple[RawKey, Sums]:
    """Read one row of ``PLAIN`` or ``CAREFUL``; a raw key has its fields in their order."""
    hour, value, band, *counts = row
    texts = groups.key_of(value)
    outcome, quality = _OUTCOMES[texts[_OUTCOME]], _QUALITIES[texts[_OUTCOME + 1]]
    told: Iterable[Any] = (*texts[:_OUTCOME], outcome, quality, *texts[_OUTCOME + 2 :], band)
    return RawKey(_hour_at(hour), *told), Sums(*counts)


@lru_cache(maxsize=64)
def _hour_at(number: int) -> datetime:
    return datetime.fromtimestamp(number * _HOUR_SECONDS, UTC)


_OUTCOME = DIMENSIONS.index("outcome")
_OUTCOMES: Mapping[str, Outcome] = {outcome.value: outcome for outcome in Outcome}
_QUALITIES: Mapping[str, Quality] = {quality.value: quality for quality in Quality}
