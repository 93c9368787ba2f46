"""What a month of many accounts would come to otherwise: who wins, who loses, and by how much."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from metering.period import Period


@dataclass(frozen=True, slots=True)
class Outcome:
    """An account's month as it is rated, and as it would be."""

    account: str
    month: Period
    before: Decimal
    after: Decimal
    blockers: tuple[str, ...] = ()
    """What the other book or contract could not price: ``after`` lacks it."""

    @property
    def difference(self) -> Decimal:
        """Above zero where the account would pay more."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Summary:
    """All outcomes together."""

    accounts: int
    winners: int
    """Accounts that would pay less."""
    losers: int
    before: Decimal
    after: Decimal
    blocked: int
    """Accounts of which something has no price."""

    @property
    def difference(self) -> Decimal:
        """What all would pay more."""
        return self.after - self.before


def summary(outcomes: Iterable[Outcome]) -> Summary:
    """Return what outcomes come to; an account's months count together.

    >>> summary([]).difference
    Decimal('0')
    """
    differences: dict[str, Decimal] = {}
    blocked = set()
    before = after = Decimal(0)
    for one in outcomes:
        differences[one.account] = differences.get(one.account, Decimal(0)) + one.difference
        before, after = before + one.before, after + one.after
        if one.blockers:
            blocked.add(one.account)
    return Summary(
        accounts=len(differences),
        winners=sum(d < 0 for d in differences.values()),
        losers=sum(d > 0 for d in differences.values()),
        before=before,
        after=after,
        blocked=len(blocked),
    )
