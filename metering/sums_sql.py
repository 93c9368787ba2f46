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
from metering.group import Groups
from metering.hashing import BELOW
from metering.rollup import RawKey, Sums

_HOUR_SECONDS = 3600
_INPUT = "fresh + cached + written_5m + written_1h"

_BELOW_SIGHTED = f"SELECT {BELOW_KEY} FROM events WHERE {STORED_BETWEEN} AND length(event_id) = 24"  # noqa: S608
_ABOVE = f"SELECT link_key FROM events WHERE {STORED_BETWEEN} AND parent_span_id != ''"  # noqa: S608
_SIGHTED = f"SELECT arrayJoin([event_key, call_key]) FROM events WHERE {STORED_BETWEEN}"  # noqa: S608
_TOLD_TWICE = f"""
    SELECT key FROM @sighted WHERE key IN ({_SIGHTED})
    GROUP BY key HAVING min(hour) != max(hour) OR sum(times) > 1
"""  # noqa: S608
_TWICE = f"""(
    SELECT key, groupUniqArray(hour) AS hours, length(hours) > 1 AS is_apart FROM @sighted
    WHERE key IN ({_TOLD_TWICE}) GROUP BY key
) ARRAY JOIN hours AS hour"""  # noqa: S608
_HOUR = "toStartOfHour(ended_at)"

_PARENTS = f"SELECT key FROM @sighted WHERE key IN ({_ABOVE})"  # noqa: S608
_CHILDREN = f"SELECT key FROM @sighted WHERE key IN ({_BELOW_SIGHTED})"  # noqa: S608

SIGHTED_COLUMNS = "key UInt64, hour DateTime('UTC'), times UInt64"
SIGHTED = f"""
INSERT INTO @sighted SELECT key, hour, times FROM sightings WHERE key IN (
    SELECT arrayJoin([
        event_key, call_key, link_key, if(length(event_id) = 24, {BELOW_KEY}, event_key)
    ]) FROM events WHERE {STORED_BETWEEN}
)
SETTINGS max_threads = 1
"""  # noqa: S608
"""Where whatever arrivals have to do with was told of, looked up once for all that follows."""

_CONTESTED_ROWS = (
    ("key", "hour", "is_apart", _TWICE),
    ("key", "hour", "true", f"@sighted WHERE key IN ({_ABOVE})"),
    ("link_key", _HOUR, "true", f"events WHERE {STORED_BETWEEN} AND link_key IN ({_PARENTS})"),
    (f"bitXor(key, {BELOW})", "hour", "true", f"@sighted WHERE key IN ({_BELOW_SIGHTED})"),
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
    hour >= toDateTime({start:Int64}, 'UTC') AND hour < toDateTime({end:Int64}, 'UTC')
"""
CONTESTED = f"""
SELECT count(), groupUniqArrayIf(key, is_apart) FROM contested WHERE {_IN_SPAN} AND key != 0
"""  # noqa: S608

TOLD = ("ended_at", "stored_at", *DIMENSIONS, *TOKEN_CLASSES, "event_id", "content_hash", "rank",
        "is_choice", "role", "call_id", "trace_id", "event_key", "call_key")  # fmt: skip
"""What choosing from the records of a call looks at."""

_NEWLY = f"""
    FROM contested
    WHERE hour IN (SELECT toDateTime({_HOUR}, 'UTC') FROM events WHERE {STORED_BETWEEN})
      AND noted >= {{before:UInt64}} AND NOT is_apart AND key != 0
"""  # noqa: S608
KEEP = f"""
INSERT INTO doubled (hour, {", ".join(TOLD)})
SELECT {_HOUR}, {", ".join(TOLD)} FROM events
PREWHERE {_HOUR} IN (SELECT hour {_NEWLY})
     AND stored_at < fromUnixTimestamp64Nano({{before:Int64}}, 'UTC')
     AND (call_key IN (SELECT key {_NEWLY}) OR event_key IN (SELECT key {_NEWLY}))
ORDER BY stored_at LIMIT 1 BY event_id, content_hash
SETTINGS max_threads = 1
"""  # noqa: S608
"""All rows so far under the keys that arrivals were noted to contest. So whatever several rows of
an hour tell of is there with all of them, and a row that is there alone has no other."""

_DOUBLED = f"""
    FROM doubled WHERE {_IN_SPAN} AND stored_at < fromUnixTimestamp64Nano({{before:Int64}}, 'UTC')
"""
CALLS = f"INSERT INTO @calls SELECT DISTINCT call_key {_DOUBLED}"
"""Calls that are summed with care. They are listed once: the same are left out of the plain sum."""

CONTRADICTED = f"""
SELECT event_key {_DOUBLED} GROUP BY event_key HAVING min(call_key) != max(call_key)
SETTINGS max_threads = 1
"""
"""Identities that were told of as different calls."""

NOT_VOID = """
    AND event_id NOT IN (
        SELECT event_id FROM corrected WHERE correction IN {voids:Array(String)}
    )
"""
NOT_DOUBLED = "AND call_key NOT IN (SELECT key FROM @calls)"
"""Leaves the calls that are summed with care out of a plain sum. Merging does not change it: all
rows of a call go together, however many of them are left."""

PLAIN = f"""
SELECT @hour AS hour, @group AS key, @band AS band,
       count(), {", ".join(f"sum({name})" for name in TOKEN_CLASSES)}
FROM events WHERE {IN_HOURS} AND role = {{role:String}} @not_void @single
GROUP BY hour, key, band HAVING count() > 0
SETTINGS enable_multiple_prewhere_read_steps = 0
"""  # noqa: S608
"""All is filtered at once: to leave a hundredth of the rows out step by step copies the others."""

_COUNTED = ("event_id", "role", "rank", "is_choice", "call_id", "trace_id", *TOKEN_CLASSES)
_CHOSEN_BY = "is_unknown, rank, event_id"
"""Of the records of a call the first in this order bills."""

CAREFUL = f"""
SELECT at, key, band, count(), {", ".join(f"sum({name})" for name in TOKEN_CLASSES[:4])},
       sum(if(by_choice, all_output, output)), sum(if(by_choice, all_reasoning, reasoning))
FROM (
    SELECT * FROM (
        SELECT *,
               first_value(is_choice) OVER best AS by_choice,
               first_value(is_unknown) OVER best AS best_is_unknown,
               first_value(rank) OVER best AS best_rank,
               sumIf(output, is_choice) OVER (PARTITION BY call_id) AS all_output,
               sumIf(reasoning, is_choice) OVER (PARTITION BY call_id) AS all_reasoning,
               multiIf(by_choice, '', trace_id = '', event_id, trace_id) AS part
        FROM (
            SELECT @hour AS at, @group AS key, @band AS band, quality = 'unknown' AS is_unknown,
                   {", ".join(_COUNTED)}
            {_DOUBLED}
              AND call_key IN (SELECT key FROM @calls) AND call_key % @slices = @slice
              AND call_key NOT IN (SELECT key FROM @apart)
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
GROUP BY at, key, band
SETTINGS max_threads = 1, preferred_block_size_bytes = 0, max_block_size = 1000000
"""  # noqa: S608
"""Sums the calls that several rows tell of, those of one call in one slice. Keys are sorted as
numbers, and all rows in one block where they fit: texts of several blocks take twice as long."""


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
    """Return the expression of what ``Bands.of`` returns.

    >>> band_of_rows(Bands((128_000,)))
    "multiIf(fresh + cached + written_5m + written_1h >= 128000, '128000', '0')"
    """
    if not bands.bounds:
        return "''"
    cases = (f"{_INPUT} >= {bound}, '{bound}'" for bound in reversed(bands.bounds))
    return f"multiIf({', '.join(cases)}, '0')"


def sums_of(row: Sequence[Any], groups: Groups) -> tuple[RawKey, Sums]:
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
