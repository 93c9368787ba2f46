"""What a price book leaves to choice: how time is rounded, when resources lock, how refunds go.

A field's default is part of every hash made while it was the default: it never changes.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any, Literal, get_args, get_type_hints

from metering.period import Period
from metering.resources.schedule import EVER
from pricing.money import plain, price_of

MOST_DAYS = 3650
_DAY_HOURS = 24


@dataclass(frozen=True, slots=True)
class Overdue:
    """Days after an expiry or an unpaid bill: running goes on, then it locks, then it is released.

    Source: https://www.alibabacloud.com/help/en/polardb/description-of-arrears
    """

    grace_days: int
    """Days in which it runs and is charged on."""
    lock_days: int
    """Days after which it is locked."""
    release_days: int
    """The day on which it is released."""

    def __post_init__(self) -> None:
        if not 0 <= self.grace_days <= self.lock_days <= self.release_days <= MOST_DAYS:
            required = f"0 <= grace <= lock <= release <= {MOST_DAYS}"
            raise PolicyError("overdue days", required, asdict(self))


@dataclass(frozen=True, slots=True)
class Policy:
    """The choices of a book, each a default that its file may replace."""

    hour_rounding: Literal["second", "minute", "hour_ceil"] = "second"
    """To what running time of a clock hour is rounded up."""
    kv_cache_when: Literal["running", "always"] = "running"
    """Whether a KV-cache is charged while its node runs, or as long as its contract holds."""
    token_lines: Literal["day", "month"] = "day"  # noqa: S105 - no password
    """How much time one line of tokens stands for."""
    subscription_overdue: Overdue = Overdue(0, 0, 8)
    postpaid_overdue: Overdue = Overdue(15, 15, 31)
    renew_attempts: int = 3
    """How often renewal is tried, once a day."""
    renew_first_days_before: int = 9
    renew_hour: int = 8
    """The local hour of each try."""
    conversion_refund: Literal["remaining_days", "seconds"] = "remaining_days"
    """What of a subscription turned hourly is paid back (rule R8): whole days left, or seconds."""
    downgrade: Literal["product", "expenses_and_costs"] = "product"
    """The product's own rule (R7), or what is left of the payment after the used time's cost."""
    max_bill: Decimal | None = None
    """A bill of more money is parked until somebody has looked at it."""
    max_lines: int = 100_000
    """A bill of more lines is parked."""

    def __post_init__(self) -> None:
        days, hour = self.renew_first_days_before, self.renew_hour
        if not (0 <= days <= MOST_DAYS and 0 <= hour < _DAY_HOURS):
            raise PolicyError("renewal", f"{MOST_DAYS} days and an hour below 24", (days, hour))


DEFAULT = Policy()


@dataclass(frozen=True, slots=True)
class TaxRate:
    """A tax: so much of what is charged while it holds."""

    name: str
    rate: Decimal
    """0.06 is 6 %."""
    valid: Period = EVER
    applies_to: tuple[str, ...] = ()
    """Names of items, or none for all."""


def policy_of(told: Mapping[str, Any]) -> Policy:
    """Read a policy; what is not told is as its default.

    Raises:
        PolicyError: a name that there is not, or a value that it cannot have.

    >>> policy_of({"hour_rounding": "minute", "max_bill": "1000.00"}).max_bill
    Decimal('1000.00')
    """
    types = get_type_hints(Policy)
    for name in told:
        if name not in types:
            raise PolicyError("a policy", f"only {', '.join(types)}", name)
    return Policy(**{name: _value(name, types[name], value) for name, value in told.items()})


def told_of(policy: Policy) -> dict[str, Any]:
    """Return what differs from the defaults, as it is written: ``policy_of`` reads it back."""
    values = ((f.name, getattr(policy, f.name)) for f in fields(policy))
    return {
        name: plain(value) if isinstance(value, Decimal) else _written(value)
        for name, value in values
        if value != getattr(DEFAULT, name)
    }


def _written(value: Any) -> Any:
    return asdict(value) if isinstance(value, Overdue) else value


def _value(name: str, kind: Any, value: Any) -> Any:
    """Return a value of the kind that its field has."""
    if kind is Overdue:
        return _overdue(name, value)
    if kind is int:
        return _days(name, value)
    if kind == Decimal | None:
        return None if value is None else price_of(value)
    if value not in get_args(kind):
        raise PolicyError(name, f"one of {', '.join(get_args(kind))}", value)
    return value


def _overdue(name: str, told: Any) -> Overdue:
    names = [f.name for f in fields(Overdue)]
    if not isinstance(told, Mapping) or set(told) != set(names):
        raise PolicyError(name, ", ".join(names), told)
    return Overdue(**{part: _days(f"{name}.{part}", told[part]) for part in names})


def _days(name: str, value: Any) -> int:
    if type(value) is not int or value < 0:
        raise PolicyError(name, "a whole number, 0 or more", value)
    return value


class PolicyError(ValueError):
    """A policy that cannot be."""

    def __init__(self, name: str, required: str, found: object) -> None:
        super().__init__(f"{name} must have {required}, found {found!r}")
