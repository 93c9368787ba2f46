"""Fold events into usage: the meaning that the event store's SQL must agree with.

arrivals -> one per identity (the first) -> one per call (the lowest rank) -> sums by hour and key
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from metering.arrival import Arrival
from metering.band import NO_BANDS, Bands
from metering.choice import verdicts
from metering.corrections.correction import NONE, Corrections, effective
from metering.event import TOKEN_CLASSES, Outcome, Quality, Tokens, UsageEvent
from metering.period import hour_of

REQUESTS = "requests"
"""The meter that counts attempts; every other meter is a token class."""

METERS: tuple[str, ...] = (REQUESTS, *TOKEN_CLASSES)


@dataclass(frozen=True, slots=True, order=True)
class RawKey:
    """What usage is grouped by before accounts are bound: raw identity and the dimensions."""

    hour: datetime
    tenant: str = ""
    project: str = ""
    api_key: str = ""
    cluster: str = ""
    resource: str = ""
    pool: str = ""
    model: str = ""
    operation: str = "chat"
    outcome: Outcome = Outcome.OK
    quality: Quality = Quality.MEASURED
    provider: str = ""
    tier: str = ""
    spill_reason: str = ""
    band: str = ""


class Sums(NamedTuple):
    """Quantities under one key, in the order of ``METERS``."""

    requests: int = 0
    fresh: int = 0
    cached: int = 0
    written_5m: int = 0
    written_1h: int = 0
    output: int = 0
    reasoning: int = 0

    def plus(self, other: "Sums") -> "Sums":
        """Return both together."""
        return Sums(*(a + b for a, b in zip(self, other, strict=True)))


def fold(
    arrivals: Iterable[Arrival], corrections: Corrections = NONE, bands: Bands = NO_BANDS
) -> dict[RawKey, Sums]:
    """Return the sums of every hour and key, each call counted once, as corrected.

    Order, resends and batch boundaries do not matter: the first arrival of an identity is told
    by its stamp, and the bill record of a call by its content.
    """
    sums: dict[RawKey, Sums] = defaultdict(Sums)
    for record in bill_records(effective(arrivals, corrections)):
        key = raw_key(record, bands)
        sums[key] = sums[key].plus(Sums(1, *_counts(record.tokens)))
    return dict(sums)


def bill_records(events: Iterable[UsageEvent]) -> list[UsageEvent]:
    """Return the records that bill: one a call, with the choices of n>1 put together."""
    return [verdict.event for verdict in verdicts(events) if verdict.bills]


def raw_key(event: UsageEvent, bands: Bands = NO_BANDS) -> RawKey:
    """Return the key under which an event is summed."""
    seconds = event.ended_at // 1_000_000_000
    return RawKey(
        hour=hour_of(datetime.fromtimestamp(seconds, UTC)),
        tenant=event.source.tenant,
        project=event.source.project,
        api_key=event.source.api_key,
        cluster=event.source.cluster,
        resource=event.source.resource,
        pool=event.source.pool,
        model=event.call.model,
        operation=event.call.operation,
        outcome=event.call.outcome,
        quality=event.quality,
        provider=event.call.provider,
        tier=event.call.tier,
        spill_reason=event.source.spill_reason,
        band=bands.of(event.tokens.total_input),
    )


def added(parts: Iterable[Mapping[RawKey, Sums]]) -> dict[RawKey, Sums]:
    """Return several sums as one; of the first, which holds nearly all, keys are not looked up."""
    first, *others = parts
    out = dict(first)
    for part in others:
        out |= {key: out[key].plus(sums) if key in out else sums for key, sums in part.items()}
    return out


def _counts(tokens: Tokens) -> Iterable[int]:
    return (count for _, count in tokens.items())
