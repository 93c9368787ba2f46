"""The SQL of the event store, the same for chdb and a ClickHouse cluster."""

from collections.abc import Sequence
from typing import Any

from metering.arrival import Arrival
from metering.choice import WINDOW_NS
from metering.event import Call, Outcome, Qualities, Quality, Role, Source, Tokens, UsageEvent
from metering.hashing import BELOW

_WINDOW = WINDOW_NS // 1_000_000_000

IN_HOURS = """
    ended_at >= toDateTime64({start:Int64}, 9, 'UTC')
    AND ended_at < toDateTime64({end:Int64}, 9, 'UTC')
    AND stored_at < fromUnixTimestamp64Nano({before:Int64}, 'UTC')
"""

STORED_BETWEEN = """
    stored_at >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')
    AND stored_at < fromUnixTimestamp64Nano({before:Int64}, 'UTC')
"""

STAMPS_THERE = f"SELECT toUnixTimestamp64Nano(stored_at) FROM events WHERE {STORED_BETWEEN}"  # noqa: S608

TOUCHED = f"""
SELECT DISTINCT toDateTime(toStartOfHour(addSeconds(ended_at, near)), 'UTC') AS hour FROM events
ARRAY JOIN [-{_WINDOW}, 0, {_WINDOW}] AS near WHERE {STORED_BETWEEN}
"""  # noqa: S608 - constants only; values travel as parameters
"""An event near an hour's end may tell of a call in the next hour too."""

BELOW_KEY = f"bitXor(event_key, {BELOW})"

_ALIKE = """
    gateway, instance, requested_model,
    fresh + cached + written_5m + written_1h, output + reasoning
"""
_NEAR_HOURS = f"""
    ended_at >= toDateTime64({{start:Int64}} - {_WINDOW}, 9, 'UTC')
    AND ended_at < toDateTime64({{end:Int64}} + {_WINDOW}, 9, 'UTC')
    AND stored_at < fromUnixTimestamp64Nano({{before:Int64}}, 'UTC')
"""

MIXED = f"""
SELECT gateway FROM events WHERE {_NEAR_HOURS} GROUP BY gateway HAVING min(dialect) != max(dialect)
"""  # noqa: S608
"""The services of which several clients tell."""

ALIKE = f"""
SELECT DISTINCT event_key FROM events
WHERE {_NEAR_HOURS} AND role = {{role:String}} AND ({_ALIKE}) IN (
    SELECT {_ALIKE} FROM events
    WHERE {_NEAR_HOURS} AND role = {{role:String}} AND gateway IN {{mixed:Array(String)}}
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
SELECT DISTINCT event_key, call_key, link_key, {BELOW_KEY} FROM events WHERE {_HOURS_OF_KEYS}
"""  # noqa: S608

SIGHTED_HOURS = "SELECT DISTINCT hour FROM sightings WHERE key IN (SELECT key FROM @keys)"

_MARKED = """
    toStartOfHour(ended_at) IN (SELECT hour FROM corrected WHERE correction = {correction:String})
    AND event_id IN (SELECT event_id FROM corrected WHERE correction = {correction:String})
"""
MARKED_HOURS = f"""
SELECT DISTINCT toDateTime(toStartOfHour(addSeconds(ended_at, near)), 'UTC') FROM events
ARRAY JOIN [-{_WINDOW}, 0, {_WINDOW}] AS near WHERE {_MARKED}
"""  # noqa: S608
MARKED_KEYS = f"""
SELECT DISTINCT key FROM (
    SELECT arrayJoin([event_key, call_key, link_key]) AS key FROM events WHERE {_MARKED}
)
WHERE key IN (SELECT key FROM contested)
"""  # noqa: S608
"""The keys of the events of a correction under which there are other records."""

IS_OF_REQUEST = """response_id = {text:String} OR request_id = {text:String}
   OR lower(hex(event_id)) = lower({text:String})
   OR (length({text:String}) = 32 AND trace_id = unhex({text:String}))
   OR (length({text:String}) = 16 AND span_id = unhex({text:String}))"""
"""Any id of a request will do."""

FOUND = f"""
SELECT DISTINCT hex(event_id), event_key, toUnixTimestamp(toStartOfHour(ended_at)) FROM events
WHERE {IS_OF_REQUEST} LIMIT 1000
"""  # noqa: S608

CONFLICTS = """
SELECT hex(event_id), toUnixTimestamp64Nano(first.1), toUnixTimestamp64Nano(at) FROM (
    SELECT event_id, content_hash, min(stored_at) AS at,
           min((at, content_hash)) OVER (PARTITION BY event_id) AS first
    FROM events
    WHERE event_id IN (SELECT event_id FROM events GROUP BY event_id
                       HAVING uniqExact(content_hash) > 1)
    GROUP BY event_id, content_hash
)
WHERE (at, content_hash) != first ORDER BY at, content_hash LIMIT {limit:UInt32}
"""
"""Stamps of several collectors may tie: of those the lowest content hash is the first arrival."""

WATERMARKS = """
SELECT gateway, producer, count(), toUnixTimestamp64Nano(max(ended_at)),
       toUnixTimestamp64Nano(max(stored_at)), max(sequence),
       max(toUnixTimestamp64Nano(stored_at) - toUnixTimestamp64Nano(ended_at))
FROM events WHERE stored_at >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')
GROUP BY gateway, producer ORDER BY gateway, producer
"""

_NUMBERED = """events
WHERE producer != '' AND sequence > 0 AND ended_at >= fromUnixTimestamp64Nano({since:Int64})"""

GAPS = f"""
SELECT producer, before + 1, sequence - 1, toUnixTimestamp64Nano(seen_at) FROM (
    SELECT producer, sequence,
           lagInFrame(sequence) OVER w AS before, lagInFrame(told_at) OVER w AS seen_at
    FROM (SELECT producer, sequence, min(ended_at) AS told_at FROM {_NUMBERED}
          AND producer IN (
              SELECT producer FROM {_NUMBERED} GROUP BY producer
              HAVING groupBitmap(sequence) !=
                     max(sequence) - if({{since:Int64}} > 0, min(sequence) - 1, 0))
          GROUP BY producer, sequence)
    WINDOW w AS (PARTITION BY producer ORDER BY sequence ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
WHERE sequence > before + 1 AND (before > 0 OR {{since:Int64}} = 0)
ORDER BY producer, before LIMIT {{limit:UInt32}}
"""  # noqa: S608 - our own text
"""Producers count from 1, so what comes before the first number received is missing too; of those
heard of since an instant, only what lies between. Numbers are put in order only where one is
missing: as many different ones as the highest says are all of them."""

HAS = "SELECT DISTINCT hex(event_id) FROM events WHERE event_key IN {keys:Array(UInt64)}"

DIMENSIONS = (
    "tenant", "project", "api_key", "cluster", "resource", "pool", "model", "operation",
    "outcome", "quality", "provider", "tier", "spill_reason",
)  # fmt: skip
"""What usage is grouped by, in the order of ``RawKey``."""

ARRIVALS = f"""
SELECT hex(event_id), response_id, toUnixTimestamp64Nano(started_at),
       toUnixTimestamp64Nano(ended_at), {", ".join(DIMENSIONS)},
       fresh, cached, written_5m, written_1h, output, reasoning,
       role, rank, is_choice, toUnixTimestamp64Nano(stored_at), hex(trace_id), hex(span_id),
       hex(parent_span_id), gateway, instance, requested_model, dialect, caveat, qualities
FROM events WHERE {_HOURS_OF_KEYS} ORDER BY stored_at, content_hash
"""  # noqa: S608


def with_keys(query: str, table: str) -> str:
    """Name the table of keys that a query asks for as ``@keys``."""
    return query.replace("@keys", table)


_QUALITY = {quality[0]: quality for quality in Quality}


def arrival_of(row: Sequence[Any]) -> Arrival:
    """Read one row of ``ARRIVALS``: as much of an event as choosing and folding look at."""
    event_id, response_id, started_at, ended_at, *rest = row
    tenant, project, api_key, cluster, resource, pool, model, operation, outcome = rest[:9]
    provider, tier, spill_reason = rest[10:13]
    role, rank, is_choice, stored_at, trace_id, span_id, parent_span_id = rest[19:26]
    gateway, instance, requested_model, dialect, caveat, qualities = rest[26:]
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
            spill_reason=spill_reason,
            resource=resource,
            instance=instance,
        ),
        call=Call(
            provider=provider,
            requested_model=requested_model,
            model=model,
            operation=operation,
            response_id=response_id,
            outcome=Outcome(outcome),
            tier=tier,
        ),
        tokens=Tokens(*rest[13:19]),
        qualities=Qualities(*(_QUALITY[letter] for letter in qualities)),
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
