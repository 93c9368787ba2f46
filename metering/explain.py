"""Explain a request: every record that tells of it, which one bills, and why the others do not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from metering.arrival import Arrival, first_arrivals
from metering.choice import Verdict, Why, verdicts
from metering.corrections.correction import NONE, Corrections, effective
from metering.event import UsageEvent
from metering.period import iso_of


@dataclass(frozen=True, slots=True)
class Explained:
    """One record with its verdict, and when it was stored."""

    verdict: Verdict
    stored_at: int


def explained(
    arrivals: Iterable[Arrival], asked: set[bytes], corrections: Corrections = NONE
) -> list[Explained]:
    """Return the records that have to do with those asked for, the ones that bill first.

    ``arrivals`` are all records that may tell of the same calls; ``asked`` are identities.
    """
    listed = list(arrivals)
    firsts = first_arrivals(listed)
    found = judged(listed, corrections)
    wanted = [found[event_id].verdict for event_id in asked if event_id in found]
    told = [one for one in found.values() if _concerns(one.verdict, wanted)]
    shown = {one.verdict.event.event_id for one in told}
    late = [Explained(Verdict(a.event, Why.CONFLICT, a.event.event_id), a.stored_at)
            for a in _others(listed, firsts) if a.event.event_id in shown]  # fmt: skip
    return sorted([*told, *late], key=lambda one: (not one.verdict.bills, one.stored_at))


def judged(arrivals: Iterable[Arrival], corrections: Corrections = NONE) -> dict[bytes, Explained]:
    """Return what became of the record that counts under each identity."""
    listed = list(arrivals)
    firsts = first_arrivals(listed)
    stored = {a.event.event_id: a.stored_at for a in firsts}
    kept = effective(listed, corrections)
    left = {event.event_id for event in kept}
    voids = [Verdict(a.event, Why.VOID) for a in firsts if a.event.event_id not in left]
    return {
        verdict.event.event_id: Explained(verdict, stored[verdict.event.event_id])
        for verdict in (*verdicts(kept), *voids)
    }


def row_of(one: Explained) -> dict[str, Any]:
    """Return an explained record as plain values, for JSON and tables."""
    event = one.verdict.event
    return {
        "bills": one.verdict.bills,
        "why": one.verdict.why.value,
        "instead": one.verdict.instead.hex(),
        "event_id": event.event_id.hex(),
        "trace_id": event.trace_id.hex(),
        "span_id": event.span_id.hex(),
        "response_id": event.call.response_id,
        "dialect": event.dialect,
        "rank": event.rank,
        "service": event.source.gateway,
        "tenant": event.source.tenant,
        "api_key": event.source.api_key,
        "pool": event.source.pool,
        "model": event.call.model,
        "operation": event.call.operation,
        "provider": event.call.provider,
        "tier": event.call.tier,
        "spill_reason": event.source.spill_reason,
        "outcome": event.call.outcome.value,
        "quality": event.quality.value,
        "caveat": event.caveat,
        "started_at": iso_of(event.started_at),
        "ended_at": iso_of(event.ended_at),
        "stored_at": iso_of(one.stored_at),
        **dict(event.tokens.items()),
    }


def _concerns(verdict: Verdict, wanted: Sequence[Verdict]) -> bool:
    return any(_is_linked(verdict, other) for other in wanted)


def _is_linked(one: Verdict, other: Verdict) -> bool:
    """Whether two records are one, or of one call or trace, or one bills instead of the other."""
    is_in_trace = bool(one.event.trace_id) and one.event.trace_id == other.event.trace_id
    return (
        one.event.call_id == other.event.call_id
        or (is_in_trace and Why.TREE in {one.why, other.why})
        or one.event.event_id == other.instead
        or other.event.event_id == one.instead
    )


def _others(listed: Sequence[Arrival], firsts: Sequence[Arrival]) -> list[Arrival]:
    """Return later arrivals that differ from the first of their identity, each content once."""
    known: dict[bytes, list[UsageEvent]] = {a.event.event_id: [a.event] for a in firsts}
    found = []
    for arrival in sorted(listed, key=lambda a: a.stored_at):
        told = known[arrival.event.event_id]
        if arrival.event not in told:
            told.append(arrival.event)
            found.append(arrival)
    return found


class UnknownRequestError(LookupError):
    """No stored record is known under an id."""

    def __init__(self, request: str) -> None:
        super().__init__(
            f"the id must be a response id, request id, trace id, span id or event id of a stored "
            f"record, found {request!r} on none"
        )
