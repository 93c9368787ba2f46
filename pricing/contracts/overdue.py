"""What follows an expiry or an unpaid bill: it runs on, it locks, it is released (停服, 释放)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from metering.period import as_utc, zone_of
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import Prepaid
from pricing.prices.book import PriceBook
from pricing.prices.policy import Overdue, Policy


class Standing(StrEnum):
    """What becomes of a resource."""

    PAID = "paid"
    RUNNING = "running"
    """It is owed for, and runs."""
    LOCKED = "locked"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Stages:
    """The instants at which an unpaid resource turns, in order."""

    overdue_at: datetime
    charged_until: datetime
    """Days of grace are charged; nothing is from the lock on."""
    locked_at: datetime
    released_at: datetime

    def standing(self, now: datetime) -> Standing:
        """Return what has become of it by an instant."""
        if now < self.overdue_at:
            return Standing.PAID
        if now < self.locked_at:
            return Standing.RUNNING
        return Standing.LOCKED if now < self.released_at else Standing.RELEASED


class Owed(NamedTuple):
    """A contract that nobody has paid on, and how far that has come."""

    contract: Contract
    why: str
    """``expired``: its term is over and was not renewed. ``unpaid``: its account owes a bill."""
    stages: Stages


def owed(
    contracts: Iterable[Contract],
    unpaid_since: Mapping[str, datetime],
    now: datetime,
    book: PriceBook,
) -> list[Owed]:
    """Return the contracts that run on unpaid, are locked or released by now, in their order.

    ``unpaid_since`` tells of each account in arrears since when it is. A term that was renewed or
    changed is not owed for, and neither is what has ended.
    """
    told = list(contracts)
    followed = {contract.renews for contract in told}
    found: list[Owed] = []
    for contract in told:
        why, since = _since(contract, unpaid_since, now)
        if since is None or contract.id in followed:
            continue
        stages = stages_of(since, overdue_of(contract, book.policy), book.zone)
        if stages.standing(now) is not Standing.PAID:
            found.append(Owed(contract, why, stages))
    return found


def stages_of(overdue_at: datetime, overdue: Overdue, zone: str) -> Stages:
    """Return the stages after an instant, by days of the wall clock; day 1 begins with it.

    >>> from metering.period import parse_instant
    >>> unpaid = stages_of(
    ...     parse_instant("2026-01-10T00:00:00+08:00"), Overdue(15, 15, 31), "Asia/Shanghai"
    ... )
    >>> unpaid.locked_at.isoformat(), unpaid.released_at.isoformat()
    ('2026-01-24T16:00:00+00:00', '2026-02-08T16:00:00+00:00')

    Source: https://www.alibabacloud.com/help/en/polardb/description-of-arrears
    """
    locked_at = _days_on(overdue_at, overdue.lock_days, zone)
    return Stages(
        overdue_at=overdue_at,
        charged_until=_days_on(overdue_at, overdue.grace_days, zone),
        locked_at=locked_at,
        released_at=max(locked_at, _days_on(overdue_at, overdue.release_days - 1, zone)),
    )


def overdue_of(contract: Contract, policy: Policy) -> Overdue:
    """Return the days that hold for a contract: prepaid ones expire, others are in arrears."""
    is_prepaid = isinstance(contract.scheme, Prepaid)
    return policy.subscription_overdue if is_prepaid else policy.postpaid_overdue


def _since(
    contract: Contract, unpaid_since: Mapping[str, datetime], now: datetime
) -> tuple[str, datetime | None]:
    """Return why and since when a contract is owed for; a time to come where it is not yet."""
    if isinstance(contract.scheme, Prepaid):
        return "expired", None if contract.paid_until else contract.period.end
    in_force = contract.period.holds(now)
    return "unpaid", unpaid_since.get(contract.account) if in_force else None


def _days_on(instant: datetime, days: int, zone: str) -> datetime:
    return as_utc(instant.astimezone(zone_of(zone)) + timedelta(days=days))
