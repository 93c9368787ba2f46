"""What follows an expiry or an unpaid bill: it runs on, it locks, it is released (停服, 释放)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from metering.period import as_utc, zone_of
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import Prepaid
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


def _days_on(instant: datetime, days: int, zone: str) -> datetime:
    return as_utc(instant.astimezone(zone_of(zone)) + timedelta(days=days))
