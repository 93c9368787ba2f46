"""The SQL of the event store, the same for chdb and a ClickHouse cluster.

``SUMS`` says in SQL what ``rollup.fold`` says in Python; a property test holds them together.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from metering.event import Call, Outcome, Qualities, Quality, Role, Source, Tokens, UsageEvent
from metering.rollup import Arrival, RawKey, Sums

_IN_HOURS = """
    ended_at >= toDateTime64({start:Int64}, 9, 'UTC')
    AND ended_at < toDateTime64({end:Int64}, 9, 'UTC')
    AND stored_at < fromUnixTimestamp64Nano({before:Int64}, 'UTC')
"""

_STORED_BETWEEN = """
    stored_at >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')
    AND stored_at < fromUnixTimestamp64Nano({before:Int64}, 'UTC')
"""

TOUCHED = f"""
SELECT DISTINCT toDateTime(toStartOfHour(ended_at), 'UTC') FROM events WHERE {_STORED_BETWEEN}
"""  # noqa: S608 - constants only; values travel as parameters

TOUCHED_RELATED = f"""
SELECT DISTINCT hour FROM sightings WHERE key IN (
    SELECT arrayJoin([event_key, call_key]) FROM events WHERE {_STORED_BETWEEN}
)
"""  # noqa: S608

CONTESTED = f"""
SELECT DISTINCT key FROM sightings
WHERE key IN (SELECT arrayJoin([event_key, call_key]) FROM events WHERE {_IN_HOURS})
GROUP BY key HAVING uniqExact(hour) > 1
"""  # noqa: S608

_HOURS_OF_KEYS = """
    toStartOfHour(ended_at) IN (
        SELECT hour FROM sightings WHERE key IN (SELECT key FROM @keys)
    )
    AND (event_key IN (SELECT key FROM @keys) OR call_key IN (SELECT key FROM @keys))
    AND stored_at < fromUnixTimestamp64Nano({before:Int64}, 'UTC')
"""

LINKED = f"SELECT DISTINCT event_key, call_key FROM events WHERE {_HOURS_OF_KEYS}"  # noqa: S608

CONFLICTS = """
SELECT event_id, toUnixTimestamp64Nano(first_at), toUnixTimestamp64Nano(at) FROM (
    SELECT event_id, content_hash, min(stored_at) AS at,
           min(at) OVER (PARTITION BY event_id) AS first_at
    FROM events
    WHERE event_id IN (SELECT event_id FROM events GROUP BY event_id
                       HAVING uniqExact(content_hash) > 1)
    GROUP BY event_id, content_hash
)
WHERE at > first_at ORDER BY at LIMIT {limit:UInt32}
"""

BYTES_ON_DISK = """
SELECT sum(bytes_on_disk) FROM system.parts
WHERE active AND database = currentDatabase() AND table IN ('events', 'sightings')
"""

HAS = "SELECT DISTINCT event_id FROM events WHERE event_key IN {keys:Array(UInt64)}"

_DIMENSIONS = (
    "tenant, project, api_key, cluster, resource, pool, model, operation, outcome, quality"
)
_BILLED = f"ended_at, {_DIMENSIONS}, fresh, cached, written_5m, written_1h, output, reasoning"
_RANKED = "(quality = 'unknown', rank)"
_CHOICE = "(quality = 'unknown', rank, event_id)"

SUMS = f"""
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
               multiIf(by_choice, '', trace_id = '', toString(event_id), trace_id) AS part
        FROM (
            SELECT * FROM events
            WHERE {_IN_HOURS}
              AND event_key NOT IN (SELECT key FROM @keys)
              AND call_key NOT IN (SELECT key FROM @keys)
            ORDER BY stored_at
            LIMIT 1 BY event_id
        )
        WHERE role = {{role:String}}
    )
    WHERE by_choice OR (NOT is_choice AND {_RANKED} = best)
    GROUP BY call_id, part, by_choice
)
GROUP BY hour, bill.2, bill.3, bill.4, bill.5, bill.6, bill.7, bill.8, bill.9, bill.10, bill.11
"""  # noqa: S608
"""Calls under the keys of ``@keys`` are left out: those are folded in Python."""

ARRIVALS = f"""
SELECT event_id, call_id, toUnixTimestamp64Nano(ended_at), {_DIMENSIONS},
       fresh, cached, written_5m, written_1h, output, reasoning,
       role, rank, is_choice, toUnixTimestamp64Nano(stored_at), hex(trace_id)
FROM events WHERE {_HOURS_OF_KEYS}
"""  # noqa: S608


def with_keys(query: str, table: str) -> str:
    """Name the table of keys that a query asks for as ``@keys``."""
    return query.replace("@keys", table)


def sums_of(row: Sequence[Any]) -> tuple[RawKey, Sums]:
    """Read one row of ``SUMS``."""
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


def arrival_of(row: Sequence[Any]) -> Arrival:
    """Read one row of ``ARRIVALS``: as much of an event as folding looks at."""
    (event_id, call_id, ended_at, tenant, project, api_key, cluster, resource, pool) = row[:9]
    model, operation, outcome, quality = row[9:13]
    event = UsageEvent(
        event_id=bytes(event_id),
        call_id=bytes(call_id),
        started_at=ended_at,
        ended_at=ended_at,
        source=Source(
            tenant=tenant,
            project=project,
            api_key=api_key,
            cluster=cluster,
            resource=resource,
            pool=pool,
        ),
        call=Call(model=model, operation=operation, outcome=Outcome(outcome)),
        tokens=Tokens(*row[13:19]),
        qualities=Qualities(fresh=Quality(quality)),
        role=Role(row[19]),
        rank=row[20],
        is_choice=row[21],
        trace_id=bytes.fromhex(row[23]),
    )
    return Arrival(event, row[22])
