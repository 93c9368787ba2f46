"""The SQL that sums hours: nearly all calls are told once, and cost a plain sum.

``PLAIN`` and ``DOUBLED_SUMS`` say in SQL what ``rollup.fold`` says in Python for records of one
hour; records that only other hours or a span tree explain are folded in Python (``@keys``). A
property test holds the three together.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from metering.event import Outcome, Quality
from metering.event_sql import BELOW_KEY, DIMENSIONS, IN_HOURS, STORED_BETWEEN
from metering.hashing import BELOW
from metering.rollup import RawKey, Sums

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
)
NOTE = (
    "INSERT INTO contested (key, hour, is_apart, noted) SETTINGS max_threads = 1\n"  # noqa: S608
    + "\nUNION ALL ".join(
        f"SELECT {key}, {hour}, {is_apart}, {{before:Int64}} FROM {rows}"  # noqa: S608
        for key, hour, is_apart, rows in _CONTESTED_ROWS
    )
)
"""What makes arrivals contested, each under all hours that it concerns: told of twice, in one hour
or apart; above or below other events, whichever came first."""

UP_TO = f"""
SELECT max(toUnixTimestamp64Nano(stored_at)), count() FROM (
    SELECT stored_at FROM events WHERE {STORED_BETWEEN} ORDER BY stored_at LIMIT {{limit:UInt32}}
)
"""  # noqa: S608
"""The last stamp of so many arrivals."""

_IN_SPAN = "hour >= toDateTime({start:Int64}, 'UTC') AND hour < toDateTime({end:Int64}, 'UTC')"
CONTESTED = f"SELECT DISTINCT key FROM contested WHERE {_IN_SPAN} AND is_apart"  # noqa: S608

DOUBLED = f"INSERT INTO @doubled SELECT DISTINCT key FROM contested WHERE {_IN_SPAN}"  # noqa: S608
"""Whatever more than one row tells of: sent again, or told by several records."""

CONTRADICTED = f"""
SELECT event_key FROM events WHERE {IN_HOURS} AND event_key IN (
    SELECT key FROM contested WHERE {_IN_SPAN} AND NOT is_apart
)
GROUP BY event_key HAVING min(call_key) != max(call_key)
"""  # noqa: S608
"""Identities that were told of as different calls."""

NOT_VOID = """
    AND event_id NOT IN (
        SELECT event_id FROM corrected WHERE correction IN {voids:Array(String)}
    )
"""
_APART = """
    AND event_key NOT IN (SELECT key FROM @keys) AND call_key NOT IN (SELECT key FROM @keys)
"""
_TOKENS = ("fresh", "cached", "written_5m", "written_1h", "output", "reasoning")

PLAIN = f"""
SELECT toDateTime(toStartOfHour(ended_at), 'UTC') AS hour, {DIMENSIONS},
       count(), {", ".join(f"sum({name})" for name in _TOKENS)}
FROM events WHERE {IN_HOURS} AND role = {{role:String}} @not_void @apart @not_doubled
GROUP BY hour, {DIMENSIONS}
"""  # noqa: S608

_BILLED = f"ended_at, {DIMENSIONS}, {', '.join(_TOKENS)}"
_RANKED = "(quality = 'unknown', rank)"
_CHOICE = "(quality = 'unknown', rank, event_id)"

DOUBLED_SUMS = f"""
SELECT toDateTime(toStartOfHour(bill.1), 'UTC') AS hour,
       bill.2, bill.3, bill.4, bill.5, bill.6, bill.7, bill.8, bill.9, bill.10, bill.11,
       count(), sum(bill.12), sum(bill.13), sum(bill.14), sum(bill.15),
       sum(outputs), sum(reasonings)
FROM (
    SELECT argMin(({_BILLED}), {_CHOICE}) AS bill,
           if(by_choice, sumIf(output, is_choice), bill.16) AS outputs,
           if(by_choice, sumIf(reasoning, is_choice), bill.17) AS reasonings
    FROM (
        SELECT *,
               min({_RANKED}) OVER (PARTITION BY call_id) AS best,
               argMin(is_choice, {_CHOICE}) OVER (PARTITION BY call_id) AS by_choice,
               multiIf(by_choice, '', trace_id = '', event_id, trace_id) AS part
        FROM (
            SELECT {_BILLED}, event_id, rank, is_choice, role, call_id, trace_id FROM events
            WHERE {IN_HOURS} @not_void @apart
              AND call_key IN (
                  SELECT key FROM @doubled WHERE key % {{slices:UInt32}} = {{slice:UInt32}})
            ORDER BY stored_at, content_hash
            LIMIT 1 BY event_id
        )
        WHERE role = {{role:String}}
    )
    WHERE by_choice OR (NOT is_choice AND {_RANKED} = best)
    GROUP BY call_id, part, by_choice
)
GROUP BY hour, bill.2, bill.3, bill.4, bill.5, bill.6, bill.7, bill.8, bill.9, bill.10, bill.11
"""  # noqa: S608


def sums_query(query: str, keys: str, doubled: str, *, has_voids: bool) -> str:
    """Fill in tables of keys, empty where there are none: what need not be asked is left out."""
    parts = {
        "@not_void": NOT_VOID if has_voids else "",
        "@apart": _APART if keys else "",
        "@not_doubled": "AND call_key NOT IN (SELECT key FROM @doubled)" if doubled else "",
        "@keys": keys,
        "@doubled": doubled,
    }
    for name, text in parts.items():
        query = query.replace(name, text)
    return query


def sums_of(row: Sequence[Any]) -> tuple[RawKey, Sums]:
    """Read one row of ``PLAIN`` or ``DOUBLED_SUMS``."""
    hour: datetime = row[0] if row[0].tzinfo else row[0].replace(tzinfo=UTC)
    tenant, project, api_key, cluster, resource, pool, model, operation = row[1:9]
    outcome, quality = row[9:11]
    key = RawKey(
        hour=hour.astimezone(UTC),
        tenant=tenant,
        project=project,
        api_key=api_key,
        cluster=cluster,
        resource=resource,
        pool=pool,
        model=model,
        operation=operation,
        outcome=Outcome(outcome),
        quality=Quality(quality),
    )
    return key, Sums(*row[11:])
