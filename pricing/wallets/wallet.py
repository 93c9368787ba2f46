"""The wallet: prepaid grants, and in which order they are used.

grants - what was used of each -> holdings -> draws, never more than a holding has
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from metering.period import Period
from pricing.ledger.entry import Unit


class Source(StrEnum):
    """Where prepaid money comes from."""

    PAID = "paid"
    """The customer paid it in."""
    PROMOTION = "promotion"
    """The provider gave it."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Prepaid money of an account, to be used before it expires."""

    id: str
    account: str
    unit: Unit
    units: int
    valid: Period
    """From when it was created until it expires."""
    priority: int = 0
    """Lower ones are used first."""
    source: Source = Source.PAID

    def __post_init__(self) -> None:
        if self.units <= 0 or self.valid.start >= self.valid.end:
            raise GrantError(self)


@dataclass(frozen=True, slots=True)
class Holding:
    """What is left of a grant."""

    grant: Grant
    left: int


@dataclass(frozen=True, slots=True)
class Draw:
    """So much is taken of a grant."""

    grant: str
    units: int


def draws(holdings: Iterable[Holding], wanted: int, at: datetime) -> list[Draw]:
    """Return what is taken of each grant to pay for what is wanted, as far as they go.

    By priority, then what expires first, then what was created first; grants that have expired,
    or begin later, are not touched.
    """
    found = []
    usable = [h for h in holdings if h.grant.valid.holds(at) and h.left > 0]
    for holding in sorted(usable, key=_turn):
        taken = min(wanted, holding.left)
        if taken > 0:
            found.append(Draw(holding.grant.id, taken))
            wanted -= taken
    return found


def expired(holdings: Iterable[Holding], at: datetime) -> list[Draw]:
    """Return what is left of grants that have expired."""
    gone = (h for h in holdings if h.grant.valid.end <= at and h.left > 0)
    return [Draw(h.grant.id, h.left) for h in sorted(gone, key=_turn)]


def _turn(holding: Holding) -> tuple[int, datetime, datetime, str]:
    grant = holding.grant
    return grant.priority, grant.valid.end, grant.valid.start, grant.id


class GrantError(ValueError):
    """A grant of nothing, or for no time."""

    def __init__(self, grant: Grant) -> None:
        super().__init__(
            f"a grant must be of money and expire after it is made, found "
            f"{grant.unit.amount(grant.units)} {grant.unit.currency} until "
            f"{grant.valid.end.isoformat()}"
        )
