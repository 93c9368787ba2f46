"""The SQL that asks the event store for evidence: calls that were cut, repeated or lost.

Figures for the eye of an operator: which record bills is decided by ``metering.choice`` alone,
whose common cases these queries follow.
"""

_SAID = """
    event_id, call_id, trace_id, pool, model, instance, resource, request_id, attempt, outcome,
    quality, rank, role, is_choice, producer, started_at, ended_at, stored_at,
    fresh + cached + written_5m + written_1h AS asked, output + reasoning AS answered
"""
_FROM_TO = """
    ended_at >= fromUnixTimestamp64Nano({first:Int64}, 'UTC')
    AND ended_at < fromUnixTimestamp64Nano({end:Int64}, 'UTC')
"""
_OF_PLACE = "pool = {pool:String} AND model = {model:String}"
_RANKED = "(quality = 'unknown', rank)"


def _bill_records(where: str) -> str:
    """Return the query of the records that bill, one a call, out of those of a condition."""
    return f"""
SELECT *, quality = 'unknown' OR asked = 0 AS is_uncounted
FROM (
    SELECT *, min({_RANKED}) OVER (PARTITION BY call_id) AS best
    FROM (SELECT {_SAID} FROM events WHERE {where} ORDER BY stored_at LIMIT 1 BY event_id)
    WHERE role = 'bill'
)
WHERE {_RANKED} = best
ORDER BY event_id
LIMIT 1 BY call_id, multiIf(is_choice, '', trace_id = '', event_id, trace_id)
"""  # noqa: S608 - constants only; values travel as parameters


_REACHED = "outcome NOT IN ('throttled', 'client_error')"
_CUT = "outcome IN ('aborted', 'timeout')"
_SILENT = f"is_uncounted AND {_REACHED} AND outcome != 'ok'"
_RETRIED = f"{_SILENT} AND attempt < last_attempt"

CALLS = f"""
SELECT pool, model,
    countIf(outcome = 'ok'), countIf({_CUT}), countIf(outcome = 'server_error'),
    countIf(outcome = 'ok' AND is_uncounted),
    countIf({_SILENT} AND attempt >= last_attempt),
    countIf({_RETRIED}) + sum(untold),
    sumIf(asked_most, {_RETRIED}) + sum(untold * asked),
    sumIf(answered_most, {_RETRIED}) + sum(untold * answered),
    min(toUnixTimestamp64Nano(stored_at) - toUnixTimestamp64Nano(ended_at))
FROM (
    SELECT *,
        if(attempt = last_attempt, greatest(last_attempt + 1 - toInt64(attempts), 0), 0) AS untold
    FROM (
        SELECT *, max(toInt64(attempt)) OVER (PARTITION BY request) AS last_attempt,
            count() OVER (PARTITION BY request) AS attempts,
            max(asked) OVER (PARTITION BY request) AS asked_most,
            max(answered) OVER (PARTITION BY request) AS answered_most
        FROM (
            SELECT *, if(request_id = '', event_id, request_id) AS request
            FROM ({_bill_records(_FROM_TO)})
        )
    )
)
GROUP BY pool, model
"""  # noqa: S608
"""By pool and model, in the order of the first fields of ``Calls``, and the least delay between
a call's end and its arrival."""

CHOICES = f"""
SELECT argMin(pool, (pool = '', rank)) AS place, argMin(model, (model = '', rank)) AS name,
    countIf(is_choice) - 1 AS others, others * maxIf(asked, is_choice)
FROM (SELECT {_SAID} FROM events WHERE {_FROM_TO} ORDER BY stored_at LIMIT 1 BY event_id)
GROUP BY call_id HAVING countIf(is_choice) > 1
"""  # noqa: S608
"""Calls with several choices: witnesses count, for it is engines that tell of each choice."""

_CORRECTED = f"""{_FROM_TO} AND event_key GLOBAL IN (
        SELECT event_key FROM corrected
        WHERE correction IN {{standing:Array(String)}}
          AND hour >= fromUnixTimestamp64Nano({{first:Int64}}, 'UTC')
          AND hour < fromUnixTimestamp64Nano({{end:Int64}}, 'UTC')
    )
"""  # noqa: S608

CORRECTED = f"""
SELECT pool, model, sum(asked), sum(answered) FROM ({_bill_records(_CORRECTED)})
GROUP BY pool, model
"""  # noqa: S608
"""What calls told that were corrected since, as it was received."""

MISSING = f"""
SELECT pool, model, sum(missing) FROM (
    SELECT DISTINCT pool, model, producer FROM events
    WHERE {_FROM_TO.replace("first", "near_first").replace("end:", "near_end:")}
      AND producer != '' AND role = 'bill'
) AS told
GLOBAL INNER JOIN (
    SELECT producer, sequence - before - 1 AS missing FROM (
        SELECT producer, sequence, seen_at,
            lagInFrame(sequence) OVER w AS before, lagInFrame(seen_at) OVER w AS before_at
        FROM (
            SELECT producer, sequence, min(ended_at) AS seen_at FROM events
            WHERE {_FROM_TO.replace("first", "near_first").replace("end:", "near_end:")}
              AND producer != '' AND sequence > 0
            GROUP BY producer, sequence
        )
        WINDOW w AS (
            PARTITION BY producer ORDER BY sequence ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
        )
    )
    WHERE before > 0 AND sequence > before + 1
      AND least(seen_at, before_at) < fromUnixTimestamp64Nano({{end:Int64}}, 'UTC')
      AND greatest(seen_at, before_at) >= fromUnixTimestamp64Nano({{first:Int64}}, 'UTC')
) AS gaps USING (producer)
GROUP BY pool, model
"""  # noqa: S608
"""Numbers missing around the period, under every place that their producer tells of: which of
them a lost record was of, nobody knows."""

_NEAR = f"""{_OF_PLACE}
    AND ended_at > fromUnixTimestamp64Nano({{earliest:Int64}}, 'UTC')
    AND ended_at < fromUnixTimestamp64Nano({{latest:Int64}}, 'UTC')
    AND (ended_at < fromUnixTimestamp64Nano({{bound:Int64}}, 'UTC')
         OR started_at < fromUnixTimestamp64Nano({{sampled:Int64}}, 'UTC'))
"""
_BEFORE = "ended_at < fromUnixTimestamp64Nano({bound:Int64}, 'UTC')"

EDGE = f"""
SELECT count(), sumIf(asked, {_BEFORE}), sumIf(answered, {_BEFORE}),
    sumIf(asked, NOT {_BEFORE}), sumIf(answered, NOT {_BEFORE})
FROM ({_bill_records(_NEAR)})
"""  # noqa: S608

_DURING = f"""{_OF_PLACE} AND {_FROM_TO}
    AND started_at < fromUnixTimestamp64Nano({{until:Int64}}, 'UTC')
    AND ended_at > fromUnixTimestamp64Nano({{since:Int64}}, 'UTC')
"""

BLIND = f"SELECT sum(asked), sum(answered) FROM ({_bill_records(_DURING)})"  # noqa: S608

POOLS = f"""
SELECT name, any(pool) FROM (
    SELECT arrayJoin([instance, resource]) AS name, pool FROM events WHERE {_FROM_TO}
)
WHERE name != '' AND pool != '' GROUP BY name HAVING uniqExact(pool) = 1
"""  # noqa: S608

HOURS = """
SELECT DISTINCT toUnixTimestamp(toStartOfHour(at)) FROM readings
WHERE signal IN ('prompt_tokens', 'generation_tokens') AND system != 'litellm'
  AND at >= fromUnixTimestamp64Nano({first:Int64}, 'UTC')
  AND at < fromUnixTimestamp64Nano({end:Int64}, 'UTC')
"""
