"""How one contract goes over into the next: what all changes have in common.

A contract is never rewritten: it ends, and another one that names it begins.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from metering.period import Period
from pricing.contracts.contract import Contract, check_contract, check_whole_hour, ended
from pricing.contracts.refund import capped, number, remainder, rest_refund
from pricing.contracts.schemes import Prepaid, Scheme, Timed, Used
from pricing.contracts.settlement import Settlement
from pricing.contracts.term import order_amount, order_list_price
from pricing.prices.book import PriceBook

_NUMBERED = re.compile(r"(.*)\.(\d+)")


class Rule(StrEnum):
    """The rule of a change, as its line names it."""

    UPGRADE = "R7 upgrade"
    DOWNGRADE = "R7 downgrade"
    EXPENSES_AND_COSTS = "downgrade by expenses and costs"
    HOURLY_CHANGE = "R4 change of an hourly resource"
    TO_HOURLY = "R8 subscription to hourly"
    TO_SUBSCRIPTION = "R6 hourly to subscription"
    SUBSCRIPTION_TO_TOKENS = "R8 subscription to tokens"
    HOURLY_TO_TOKENS = "R4 hourly to tokens"
    TOKENS_TO_HOURLY = "R4 tokens to hourly"
    TOKENS_TO_SUBSCRIPTION = "R6 tokens to subscription"
    END_EARLY = "R8 early end"
    RELEASE = "R4 release"
    RENEWAL = "R6 renewal"
    UNIFIED_RENEWAL = "R7 renewal to a unified day"


@dataclass(frozen=True, slots=True)
class Change:
    """What a change comes to: the contracts after it, and what is due for it now."""

    rule: Rule
    at: datetime
    amount: Decimal
    """Whole minor units; negative where money goes back."""
    working: str
    """The formula with its numbers."""
    contracts: tuple[Contract, ...]
    """The old one as it ends, and the new one where there is one."""
    unused_hours: Fraction = Fraction(0)
    settlement: Settlement | None = None
    """The amount, where it is not the order of the new contract's own term."""


class Turn(NamedTuple):
    """A contract, the instant at which it is changed, and the book to do it by."""

    contract: Contract
    at: datetime
    book: PriceBook


def ended_contract(turn: Turn) -> Contract:
    """Return the contract as it ends, which it can do early but once."""
    if turn.contract.paid_until is not None:
        found = f"one that was changed at {turn.contract.period.end.isoformat()}"
        raise ChangeError(turn.contract, "be changed as it was bought", found)
    return ended(turn.contract, turn.at)


def successor(turn: Turn, scheme: Scheme, period: Period) -> Contract:
    """Return the contract that goes on from one; its id counts up: c1, c1.2, c1.3."""
    old = turn.contract
    if isinstance(scheme, Used):
        check_whole_hour(old, turn.at, "at")
    return replace(
        old,
        id=_next_id(old.id),
        scheme=scheme,
        period=period,
        renews=old.id,
        window=old.window if isinstance(scheme, Timed) else "",
        factors=old.factors if isinstance(scheme, Used) else {},
        auto_renew=False,
        cash_paid=None,
        anchor=None,
        paid_until=None,
        worth=None,
    )


def ordered(turn: Turn, rule: Rule, old: Contract, new: Contract, scheme: Prepaid) -> Change:
    """Return a change whose price is the order of the new contract's own term."""
    check_contract(new, turn.book)
    listed, amount = order_list_price(new, scheme, turn.book), order_amount(new, scheme, turn.book)
    working = f"{number(listed)} list x {scheme.discount} = {amount}"
    return Change(rule=rule, at=turn.at, amount=amount, working=working, contracts=(old, new))


def unpaid(turn: Turn, rule: Rule, *new: Contract) -> Change:
    """Return a change of what is paid afterwards: nothing is due at once."""
    for contract in new:
        check_contract(contract, turn.book)
    said = "paid afterwards: nothing is due now"
    contracts = (ended_contract(turn), *new)
    return Change(rule=rule, at=turn.at, amount=Decimal(0), working=said, contracts=contracts)


def refunded(turn: Turn, rule: Rule, scheme: Prepaid, *new: Contract) -> Change:
    """Return a change that gives back what is left of a subscription (rule R8)."""
    for contract in new:
        check_contract(contract, turn.book)
    old, left = ended_contract(turn), remainder(turn.contract, scheme, turn.at, turn.book)
    due = rest_refund(left, turn.book)
    amount = capped(due, left, turn.book)
    change = Change(
        rule=rule,
        at=turn.at,
        amount=amount,
        working=f"{due.working} = {amount}",
        contracts=(old, *new),
        unused_hours=left.hours,
    )
    return settled(change, left.worth + amount)


def settled(change: Change, expensed: Decimal = Decimal(0)) -> Change:
    """Return a change with its amount as money that is due at once."""
    old = change.contracts[0]
    settlement = Settlement(
        id=f"{old.id}@{change.at.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        account=old.account,
        contract=old.id,
        at=change.at,
        amount=change.amount,
        rule=change.rule,
        working=change.working,
        unused_hours=change.unused_hours,
        expensed=expensed,
    )
    return replace(change, settlement=settlement)


def mode_of(contract: Contract) -> str:
    """Return what a contract is, for a sentence."""
    return type(contract.scheme).__name__


def _next_id(contract_id: str) -> str:
    numbered = _NUMBERED.fullmatch(contract_id)
    if numbered is None:
        return f"{contract_id}.2"
    name, number = numbered.groups()
    return f"{name}.{int(number) + 1}"


class ChangeError(ValueError):
    """A change that a contract does not allow."""

    def __init__(self, contract: Contract, required: str, found: str, field: str = "kind") -> None:
        super().__init__(f"contract {contract.id!r} must {required}, found {found}")
        self.field = field
        """What was asked that it does not allow."""
