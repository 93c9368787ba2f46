"""Changes of contracts: another node or size, another mode, an early end.

contract + what it becomes + instant -> the contracts after it, and the money due at once (R3-R8)
"""

from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from metering.identity import FOR_EVER
from metering.period import Period
from pricing.contracts.contract import Contract, check_contract, subscription_period
from pricing.contracts.proration import MONTH_HOURS, month_difference
from pricing.contracts.refund import Due, Remainder, capped, downgrade_refund, number, remainder
from pricing.contracts.schemes import (
    Hourly,
    KvCacheHourly,
    KvCacheSubscription,
    PerModelToken,
    PerToken,
    Prepaid,
    Subscription,
    Timed,
    Used,
)
from pricing.contracts.term import month_price
from pricing.contracts.turn import (
    Change,
    ChangeError,
    Rule,
    Turn,
    ended_contract,
    mode_of,
    ordered,
    refunded,
    settled,
    successor,
    unpaid,
)
from pricing.prices.book import PriceBook


def upgrade(contract: Contract, spec: str, at: datetime, book: PriceBook) -> Change:
    """Return the change to a node that costs as much a month, or more (rule R7).

    Raises:
        ChangeError, ContractError, MissingPriceError: it cannot be changed so.
    """
    change = _to_spec(Turn(contract, at, book), spec)
    if change.amount < 0:
        raise ChangeError(contract, "be upgraded to what costs as much or more", spec, "spec")
    return change


def downgrade(contract: Contract, spec: str, at: datetime, book: PriceBook) -> Change:
    """Return the change to a node that costs as much a month, or less (rule R7).

    Raises:
        ChangeError, ContractError, MissingPriceError: it cannot be changed so.
    """
    change = _to_spec(Turn(contract, at, book), spec)
    if change.amount > 0:
        raise ChangeError(contract, "be downgraded to what costs as much or less", spec, "spec")
    return change


def resize_kv_cache(contract: Contract, gb: int, at: datetime, book: PriceBook) -> Change:
    """Return the change of a KV-cache's size, up or down (rule R7).

    Raises:
        ChangeError, ContractError, MissingPriceError: it cannot be changed so.
    """
    turn = Turn(contract, at, book)
    match contract.scheme:
        case KvCacheSubscription() as scheme:
            return _prepaid_change(turn, scheme, replace(scheme, gb=gb))
        case KvCacheHourly():
            return _hourly_change(turn, KvCacheHourly(gb))
        case _:
            raise ChangeError(contract, "be for a KV-cache to be resized", mode_of(contract))


def to_hourly(contract: Contract, at: datetime, book: PriceBook, spec: str = "") -> Change:
    """Return the change to hourly: what is left of a subscription goes back (rule R8).

    ``spec``: the node's, for a contract per token, which names none; it ends on a whole hour.

    Raises:
        ChangeError, ContractError, MissingPriceError: it cannot be changed so.
    """
    turn, after = Turn(contract, at, book), Period(at, FOR_EVER)
    match contract.scheme:
        case Subscription() as scheme:
            _check_spec_is_kept(contract, spec)
            hourly = successor(turn, Hourly(scheme.spec), after)
            return refunded(turn, Rule.TO_HOURLY, scheme, hourly)
        case KvCacheSubscription() as scheme:
            _check_spec_is_kept(contract, spec)
            hourly = successor(turn, KvCacheHourly(scheme.gb), after)
            return refunded(turn, Rule.TO_HOURLY, scheme, hourly)
        case PerToken() | PerModelToken():
            _check_node(contract, spec)
            rest = Period(at, contract.period.end)
            return unpaid(turn, Rule.TOKENS_TO_HOURLY, successor(turn, Hourly(spec), rest))
        case _:
            required = "be a subscription or per token to become hourly"
            raise ChangeError(contract, required, mode_of(contract))


def to_subscription(
    contract: Contract, at: datetime, months: int, book: PriceBook, spec: str = ""
) -> Change:
    """Return the change to a subscription, which begins when its order is paid.

    ``spec``: the node's, for a contract per token, which names none; it ends on a whole hour.

    Raises:
        ChangeError, ContractError, TermError, MissingPriceError: it cannot be changed so.
    """
    factor, rule = book.factor(months), Rule.TO_SUBSCRIPTION
    match contract.scheme:
        case Hourly() as timed:
            _check_spec_is_kept(contract, spec)
            scheme: Prepaid = Subscription(timed.spec, months, factor)
        case KvCacheHourly(gb=gb):
            _check_spec_is_kept(contract, spec)
            scheme = KvCacheSubscription(gb, months, factor)
        case PerToken() | PerModelToken():
            _check_node(contract, spec)
            scheme, rule = Subscription(spec, months, factor), Rule.TOKENS_TO_SUBSCRIPTION
        case _:
            required = "be hourly or per token to become a subscription"
            raise ChangeError(contract, required, mode_of(contract))
    turn, term = (
        Turn(contract, at, book),
        subscription_period(scheme, Period(at, FOR_EVER), book.zone),
    )
    subscribed = successor(turn, scheme, term)
    return ordered(turn, rule, ended_contract(turn), subscribed, scheme)


def to_tokens(contract: Contract, scheme: Used, at: datetime, book: PriceBook) -> Change:
    """Return the change of a node to tokens, on a whole hour; a subscription's rest goes back.

    Raises:
        ChangeError, ContractError, MissingPriceError: it cannot be changed so.
    """
    turn = Turn(contract, at, book)
    per_token = successor(turn, scheme, Period(at, FOR_EVER))
    match contract.scheme:
        case Subscription() as prepaid:
            return refunded(turn, Rule.SUBSCRIPTION_TO_TOKENS, prepaid, per_token)
        case Hourly():
            return unpaid(turn, Rule.HOURLY_TO_TOKENS, per_token)
        case _:
            raise ChangeError(contract, "be for a node to be paid per token", mode_of(contract))


def end_early(contract: Contract, at: datetime, book: PriceBook) -> Change:
    """Return the end of a contract: of a subscription what is left goes back (rule R8).

    Raises:
        ChangeError, ContractError: it is not in force, or was changed before.
    """
    turn = Turn(contract, at, book)
    if isinstance(contract.scheme, Prepaid):
        return refunded(turn, Rule.END_EARLY, contract.scheme)
    return unpaid(turn, Rule.RELEASE)


def _check_node(contract: Contract, spec: str) -> None:
    """Refuse to charge by time what is no node, or one of which nobody says what it is."""
    if not contract.resource:
        raise ChangeError(contract, "be for a node to be charged by time", f"pool {contract.pool}")
    if not spec:
        raise ChangeError(contract, "be told the specification of its node", "none", "spec")


def _check_spec_is_kept(contract: Contract, spec: str) -> None:
    """Refuse to change node and mode at once."""
    if spec:
        raise ChangeError(contract, "keep its node when its mode changes", spec, "spec")


def _to_spec(turn: Turn, spec: str) -> Change:
    match turn.contract.scheme:
        case Subscription() as scheme:
            return _prepaid_change(turn, scheme, replace(scheme, spec=spec))
        case Hourly():
            return _hourly_change(turn, Hourly(spec))
        case _:
            found = mode_of(turn.contract)
            raise ChangeError(turn.contract, "be for a node to change its specification", found)


def _hourly_change(turn: Turn, scheme: Timed) -> Change:
    after = Period(turn.at, turn.contract.period.end)
    return unpaid(turn, Rule.HOURLY_CHANGE, successor(turn, scheme, after))


def _prepaid_change(turn: Turn, old: Prepaid, new: Prepaid) -> Change:
    """Return the change of a term that goes on: what it is worth moves to its successor.

    What is left of the old term's worth and cash goes over with the amount of the change, so a
    refund of the successor never gives back more than was ever paid.
    """
    contract, at, book = turn
    before, left = ended_contract(turn), remainder(contract, old, at, book)
    rule, due = _difference(turn, left, old, new)
    amount = capped(due, left, book)
    after = replace(
        successor(turn, new, left.unused),
        auto_renew=contract.auto_renew,
        anchor=contract.counted_from,
        cash_paid=left.cash + amount,
        worth=left.worth + amount,
    )
    check_contract(after, book)
    return settled(
        Change(
            rule=rule,
            at=at,
            amount=amount,
            working=f"{due.working} = {amount}",
            contracts=(before, after),
            unused_hours=left.hours,
        )
    )


def _difference(turn: Turn, left: Remainder, old: Prepaid, new: Prepaid) -> tuple[Rule, Due]:
    """Return the rule and the exact amount of a change, at the month prices of its instant."""
    contract, at, book = turn
    prices = (month_price(contract, scheme, book, at) for scheme in (old, new))
    before, after = (price * Fraction(old.discount) for price in prices)
    if after < before and book.policy.downgrade == "expenses_and_costs":
        return Rule.EXPENSES_AND_COSTS, downgrade_refund(left, before, after, book)
    amount = month_difference(after, before, left.hours)
    working = (
        f"({number(after)} - {number(before)}) / {MONTH_HOURS} x {number(left.hours)} h unused"
    )
    if amount >= 0:
        return Rule.UPGRADE, Due(amount, working)
    if left.share != 1:
        working += f" x {number(left.share)} paid in cash"
    return Rule.DOWNGRADE, Due(amount * left.share, working)
