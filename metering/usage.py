"""Usage rows: what an hour came to, per account and dimension, in revisions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from metering.event import Outcome, Quality
from metering.identity import Identity, bind
from metering.rollup import METERS, RawKey, Sums


@dataclass(frozen=True, slots=True, order=True)
class UsageKey:
    """What one usage row is about. ``meter`` is a token class or ``requests``."""

    hour: datetime
    account: str
    project: str
    cluster: str
    resource: str
    pool: str
    model: str
    operation: str
    outcome: Outcome
    quality: Quality
    meter: str
    band: str = ""
    """The context band of the request, where a price book has bands."""


@dataclass(frozen=True, slots=True)
class Usage:
    """A quantity (tokens or requests) under a key."""

    key: UsageKey
    quantity: int


def bound_usage(sums: Mapping[RawKey, Sums], identities: Iterable[Identity]) -> dict[UsageKey, int]:
    """Bind raw sums to accounts; rows of zero are left out."""
    known = list(identities)
    rows: dict[UsageKey, int] = defaultdict(int)
    for raw, quantities in sums.items():
        who = bind(raw, known)
        for meter, quantity in zip(METERS, quantities, strict=True):
            if quantity:
                rows[_usage_key(raw, who.account, who.project, meter)] += quantity
    return dict(rows)


def revised(old: Mapping[UsageKey, int], new: Mapping[UsageKey, int]) -> dict[UsageKey, int]:
    """Return only the rows that changed; a row that vanished comes back as zero.

    >>> revised({}, {})
    {}
    """
    keys = old.keys() | new.keys()
    return {k: new.get(k, 0) for k in sorted(keys) if old.get(k, 0) != new.get(k, 0)}


def _usage_key(raw: RawKey, account: str, project: str, meter: str) -> UsageKey:
    return UsageKey(
        hour=raw.hour,
        account=account,
        project=project,
        cluster=raw.cluster,
        resource=raw.resource,
        pool=raw.pool,
        model=raw.model,
        operation=raw.operation,
        outcome=raw.outcome,
        quality=raw.quality,
        meter=meter,
    )
