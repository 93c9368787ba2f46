"""Usage rows: what an hour came to, per account and dimension, in revisions."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any

from metering.event import Outcome, Quality
from metering.identity import Bound, Identity, bind
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
    """The context band of the request, where bands are told apart: see ``metering.band``."""
    provider: str = ""
    tier: str = ""
    """The service tier; empty for standard."""
    spill_reason: str = ""
    """Why the request left the reservation, where it did."""


@dataclass(frozen=True, slots=True)
class Usage:
    """A quantity (tokens or requests) under a key."""

    key: UsageKey
    quantity: int


def bound_usage(sums: Mapping[RawKey, Sums], identities: Iterable[Identity]) -> dict[UsageKey, int]:
    """Bind raw sums to accounts; rows of zero are left out."""
    payer = _binder(identities)
    found: dict[tuple[Any, ...], Sums] = {}
    for raw, quantities in sums.items():
        of = _of(raw, payer(raw.hour, raw.tenant, raw.project, raw.api_key, raw.cluster))
        found[of] = found[of].plus(quantities) if of in found else quantities
    return {
        UsageKey(*(*of[:_METER_AT], meter, *of[_METER_AT:])): quantity
        for of, quantities in found.items()
        for meter, quantity in zip(METERS, quantities, strict=True)
        if quantity
    }


def revised(old: Mapping[UsageKey, int], new: Mapping[UsageKey, int]) -> dict[UsageKey, int]:
    """Return only the rows that changed; a row that vanished comes back as zero.

    >>> revised({}, {})
    {}
    """
    changed = dict(new)
    for key, quantity in old.items():
        now = changed.pop(key, 0)
        if now != quantity:
            changed[key] = now
    in_turn = sorted(changed.items(), key=lambda row: in_order(row[0]))
    return {key: quantity for key, quantity in in_turn if quantity or key in old}


in_order = attrgetter(*UsageKey.__slots__)
"""Sorts as the keys themselves do, in a tenth of the time."""


_METER_AT = UsageKey.__slots__.index("meter")


def _binder(identities: Iterable[Identity]) -> Callable[..., Bound]:
    """Return what binds an hour, tenant, project, API key and cluster: each once."""
    known: dict[str, list[Identity]] = defaultdict(list)
    for identity in identities:
        known[identity.value].append(identity)

    @cache
    def payer(hour: datetime, *values: str) -> Bound:
        claims = [identity for value in set(values) for identity in known.get(value, ())]
        return bind(RawKey(hour, *values), claims)  # type: ignore[arg-type]

    return payer


def _of(raw: RawKey, who: Bound) -> tuple[Any, ...]:
    """Return the values of a usage key but for its meter: most keys differ in nothing else."""
    return (
        raw.hour, who.account, who.project, raw.cluster, raw.resource, raw.pool, raw.model,
        raw.operation, raw.outcome, raw.quality, raw.band, raw.provider, raw.tier, raw.spill_reason,
    )  # fmt: skip
