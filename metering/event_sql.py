"""The SQL of the event store, the same for chdb and a ClickHouse cluster.

``SUMS`` says in SQL what ``rollup.fold`` says in Python; a property test holds them together.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from metering.choice import WINDOW_NS
from metering.event import Call, Outcome, Qualities, Quality, Role, Source, Tokens, UsageEvent
from metering.hashing import BELOW
from metering.rollup import Arrival, RawKey, Sums

_WINDOW = WINDOW_NS // 1_000_000_000

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
SELECT DISTINCT toDateTime(toStartOfHour(addSeconds(ended_at, near)), 'UTC') FROM events
ARRAY JOIN [-{_WINDOW}, 0, {_WINDOW}] AS near WHERE {_STORED_BETWEEN}
"""  # noqa: S608 - constants only; values travel as parameters
"""An event near an hour's end may tell of a call in the next hour too."""

_BELOW = f"bitXor(event_key, {BELOW})"

TOUCHED_RELATED = f"""
SELECT DISTINCT hour FROM sightings WHERE key IN (
    SELECT arrayJoin([event_key, call_key, link_key, {_BELOW}])
    FROM events WHERE {_STORED_BETWEEN}
)
"""  # noqa: S608

CONTESTED = f"""
SELECT DISTINCT key FROM sightings
WHERE key IN (SELECT arrayJoin([event_key, call_key]) FROM events WHERE {_IN_HOURS})
GROUP BY key HAVING uniqExact(hour) > 1
"""  # noqa: S608
"""Told of in several hours."""

CALLED = f"""
SELECT DISTINCT link_key FROM events WHERE {_IN_HOURS} AND link_key IN (
    SELECT key FROM sightings
    WHERE key IN (SELECT link_key FROM events WHERE {_IN_HOURS} AND parent_span_id != '')
)
"""  # noqa: S608
"""The spans above events of these hours that are events themselves."""

CALLING = f"""
SELECT DISTINCT event_key FROM events WHERE {_IN_HOURS} AND {_BELOW} IN (
    SELECT key FROM sightings
    WHERE key IN (SELECT {_BELOW} FROM events WHERE {_IN_HOURS} AND length(event_id) = 24)
)
"""  # noqa: S608
"""The events of these hours below which there are others."""

_ALIKE = """
    gateway, instance, requested_model,
    fresh + cached + written_5m + written_1h, output + reasoning
"""
_NEAR_HOURS = f"""
    ended_at >= toDateTime64({{start:Int64}} - {_WINDOW}, 9, 'UTC')
    AND ended_at < toDateTime64({{end:Int64}} + {_WINDOW}, 9, 'UTC')
    AND stored_at < fromUnixTimestamp64Nano({{before:Int64}}, 'UTC')
"""

ALIKE = f"""
SELECT DISTINCT event_key FROM events
WHERE {_NEAR_HOURS} AND role = {{role:String}} AND ({_ALIKE}) IN (
    SELECT {_ALIKE} FROM events
    WHERE {_NEAR_HOURS} AND role = {{role:String}} AND gateway IN (
        SELECT gateway FROM events WHERE {_NEAR_HOURS}
        GROUP BY gateway HAVING uniqExact(dialect) > 1
    )
    GROUP BY {_ALIKE} HAVING uniqExact(dialect) > 1 AND countIf(response_id = '') > 0
)
"""  # noqa: S608
"""Events of different clients in one service that may be one call by their time and tokens."""

_HOURS_OF_KEYS = """
    toStartOfHour(ended_at) IN (
        SELECT hour FROM sightings WHERE key IN (SELECT key FROM @keys)
    )
    AND (event_key IN (SELECT key FROM @keys) OR call_key IN (SELECT key FROM @keys)
         OR link_key IN (SELECT key FROM @keys))
    AND stored_at < fromUnixTimestamp64Nano({before:Int64}, 'UTC')
"""

LINKED = f"""
SELECT DISTINCT event_key, call_key, link_key, {_BELOW} FROM events WHERE {_HOURS_OF_KEYS}
"""  # noqa: S608

FOUND = """
SELECT DISTINCT hex(event_id), event_key, toUnixTimestamp(toStartOfHour(ended_at)) FROM events
WHERE response_id = {text:String} OR request_id = {text:String}
   OR lower(hex(event_id)) = lower({text:String})
   OR (length({text:String}) = 32 AND trace_id = unhex({text:String}))
   OR (length({text:String}) = 16 AND span_id = unhex({text:String}))
LIMIT 1000
"""

CONFLICTS = """
SELECT hex(event_id), toUnixTimestamp64Nano(first_at), toUnixTimestamp64Nano(at) FROM (
    SELECT event_id, content_hash, min(stored_at) AS at,
           min(at) OVER (PARTITION BY event_id) AS first_at
    FROM events
    WHERE event_id IN (SELECT event_id FROM events GROUP BY event_id
                       HAVING uniqExact(content_hash) > 1)
    GROUP BY event_id, content_hash
)
WHERE at > first_at ORDER BY at LIMIT {limit:UInt32}
"""

GAPS = """
SELECT producer, before + 1, sequence - 1, toUnixTimestamp64Nano(seen_at) FROM (
    SELECT producer, sequence,
           lagInFrame(sequence) OVER w AS before, lagInFrame(ended_at) OVER w AS seen_at
    FROM (SELECT producer, sequence, min(ended_at) AS ended_at FROM events
          WHERE producer != '' AND sequence > 0 GROUP BY producer, sequence)
    WINDOW w AS (PARTITION BY producer ORDER BY sequence ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
WHERE sequence > before + 1 ORDER BY producer, before LIMIT {limit:UInt32}
"""
"""What comes before the first number received is missing too: producers count from 1."""

BYTES_ON_DISK = """
SELECT sum(bytes_on_disk) FROM system.parts
WHERE active AND database = currentDatabase() AND table IN ('events', 'sightings')
"""

HAS = "SELECT DISTINCT hex(event_id) FROM events WHERE event_key IN {keys:Array(UInt64)}"

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
               multiIf(by_choice, '', trace_id = '', event_id, trace_id) AS part
        FROM (
            SELECT *, call_id, trace_id FROM events
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
SELECT hex(event_id), response_id, toUnixTimestamp64Nano(started_at),
       toUnixTimestamp64Nano(ended_at), {_DIMENSIONS},
       fresh, cached, written_5m, written_1h, output, reasoning,
       role, rank, is_choice, toUnixTimestamp64Nano(stored_at), hex(trace_id), hex(span_id),
       hex(parent_span_id), gateway, instance, requested_model, dialect, caveat
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
    """Read one row of ``ARRIVALS``: as much of an event as choosing and folding look at."""
    event_id, response_id, started_at, ended_at, *rest = row
    (tenant, project, api_key, cluster, resource, pool, model, operation, outcome, quality) = rest[
        :10
    ]
    role, rank, is_choice, stored_at, trace_id, span_id, parent_span_id = rest[16:23]
    gateway, instance, requested_model, dialect, caveat = rest[23:]
    event = UsageEvent(
        event_id=bytes.fromhex(event_id),
        started_at=started_at,
        ended_at=ended_at,
        source=Source(
            tenant=tenant,
            project=project,
            api_key=api_key,
            cluster=cluster,
            gateway=gateway,
            pool=pool,
            resource=resource,
            instance=instance,
        ),
        call=Call(
            requested_model=requested_model,
            model=model,
            operation=operation,
            response_id=response_id,
            outcome=Outcome(outcome),
        ),
        tokens=Tokens(*rest[10:16]),
        qualities=Qualities(fresh=Quality(quality)),
        role=Role(role),
        rank=rank,
        is_choice=is_choice,
        trace_id=bytes.fromhex(trace_id),
        span_id=bytes.fromhex(span_id),
        parent_span_id=bytes.fromhex(parent_span_id),
        dialect=dialect,
        caveat=caveat,
    )
    return Arrival(event, stored_at)
