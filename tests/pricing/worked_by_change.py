"""Work out examples of changes: renewals, conversions, upgrades, refunds, arrears."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from metering.identity import FOR_EVER
from metering.period import Period, midnight_after, month_of
from pricing.bills.bill import Bill
from pricing.contracts.change import downgrade, to_hourly, to_subscription, to_tokens, upgrade
from pricing.contracts.contract import Contract
from pricing.contracts.overdue import overdue_of, stages_of
from pricing.contracts.proration import days_of, expenses_and_costs, month_difference
from pricing.contracts.renewal import renew
from pricing.contracts.schemes import Hourly, PerToken, Prepaid, Subscription
from pricing.contracts.term import renewal_attempts, worth
from pricing.contracts.turn import Change
from pricing.money import Rounding, rounded
from pricing.rating.charge import Charge, Kind, total
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.month_notation import BEIJING, at, bill_of, shipped, term_of, usage_of
from tests.pricing.worked_by_time import (
    ANY_DAY,
    SPEC,
    Figures,
    Given,
    by_policy,
    contract,
    fen,
    local,
    month,
    text,
    totals,
)


def renewals(given: Given) -> Figures:
    """Work out a term and its renewals, whose ends are counted from the first day."""
    if "expires_at" in given:
        return _renewal_by_itself(given)
    chain = [_subscribed(given)]
    for months in given.get("renewals", ()):
        chain.append(_successor(renew(chain[-1], months, chain[-1].period.start, shipped())))
    ends = [local(term.period.end).isoformat() for term in chain]
    paid = [_order_of(term) for term in chain]
    numbered = {f"{nth}_expires_at": end for nth, end in zip(_NTH, ends, strict=False)}
    return numbered | {"total_cny": fen(sum(paid)), "expires_at": ends[-1]}


def conversion(given: Given) -> Figures:
    """Work a conversion out by what the contract becomes."""
    match given:
        case {"paid_at": _}:
            return _to_subscription(given)
        case {"switched_at": _}:
            return _to_hourly(given)
        case _:
            return _to_tokens(given)


def proration(given: Given) -> Figures:
    """Work out a change of specification: of plain figures, or of a node's."""
    match given:
        case {"cases": cases}:
            return {"cases": [fen(_half_up(_of_figures(case))) for case in cases]}
        case {"policy": "expenses_and_costs"}:
            return _expenses_and_costs(given)
        case _:
            return _respecified(given)


def overdue(given: Given) -> Figures:
    """Work out a node that runs on unpaid until it is locked."""
    since = at(given["overdue_at"])
    node = contract("h", Hourly(given["spec"]), given, Period(since, FOR_EVER), "n1")
    book = by_policy(given)
    stages = stages_of(since, overdue_of(node, book.policy), book.zone)
    until = replace(node, period=Period(since, stages.charged_until))
    charges = rate(month(since, [until], [Period(since, FOR_EVER)], book=book)).charges
    return {
        "locked_at": local(stages.locked_at).isoformat(),
        "released_at": local(stages.released_at).isoformat(),
        "billed_hours_until_lock": _hours(charges),
        "billed_cny": text(total(charges)),
    }


def _renewal_by_itself(given: Given) -> Figures:
    """Work out when renewal is tried, and what the try that succeeds costs."""
    expiry, book = at(given["expires_at"]), by_policy(given)
    start = _a_start(expiry, given["months"])
    term = replace(_subscribed({**given, "start": start.isoformat()}), auto_renew=True)
    assert term.period.end == expiry
    attempts = renewal_attempts(expiry, book.policy, book.zone)
    failed = given.get("attempts_fail", 0)
    paid_at = at(given["renewed_at"]) if "renewed_at" in given else attempts[failed]
    change = renew(term, given["months"], paid_at, book)
    return {
        "attempts": [local(instant).isoformat() for instant in attempts[: failed + 1]],
        "max_attempts": [local(instant).isoformat() for instant in attempts],
        "charged_cny": fen(change.amount),
        "new_starts_at": local(_successor(change).period.start).isoformat(),
        "new_expires_at": local(_successor(change).period.end).isoformat(),
    }


def _to_subscription(given: Given) -> Figures:
    start, turn = at(given["running_from"]), at(given["paid_at"])
    node = contract("h", Hourly(given["spec"]), given, Period(start, FOR_EVER), "n1")
    change = to_subscription(node, turn, given["months"], by_policy(given))
    inputs = month(start, change.contracts, [Period(start, FOR_EVER)])
    return _hourly(inputs) | {
        "order_cny": fen(change.amount),
        "expires_at": local(_successor(change).period.end).isoformat(),
    }


def _to_hourly(given: Given) -> Figures:
    said = given["order"]
    turn, until = at(given["switched_at"]), at(given["hourly_until"])
    paid = replace(
        _subscribed({**given, **said}),
        cash_paid=Decimal(said["cash_paid_cny"]) if "cash_paid_cny" in said else None,
    )
    book = by_policy(given)
    change = to_hourly(paid, turn, book)
    days = days_of(paid.period, turn, book.zone)
    inputs = replace(
        month(turn, change.contracts, [Period(paid.period.start, FOR_EVER)], book=book),
        service_to=until,
    )
    return _hourly(inputs) | {
        "total_days": days.total,
        "used_days": days.used,
        "remaining_days": days.remaining,
        "refund_cny": fen(-change.amount),
    }


def _to_tokens(given: Given) -> Figures:
    """Work out an hourly node whose pool is paid per token from an instant on."""
    start, turn = month_of(given["month"], BEIJING).start, at(given["effective"])
    node = contract("h", Hourly(given["spec"]), given, Period(start, FOR_EVER), "n1")
    change = to_tokens(node, PerToken(given["size_class"]), turn, shipped())
    usage = [
        row
        for when, count in ((turn - timedelta(hours=1), "tokens_before"), (turn, "tokens_from"))
        for row in usage_of(when.isoformat(), "dedicated", {"fresh": f"{given[count]}"})
    ]
    inputs = month(start, change.contracts, [Period(start, FOR_EVER)], usage)
    charges = rate(inputs).charges
    return totals(inputs, bill_of(inputs)) | {
        "hourly_hours": _hours(charges),
        "hourly_cny": text(total(_of_kind(charges, Kind.NODE_TIME))),
        "token_cny": text(total(_of_kind(charges, Kind.TOKENS))),
    }


def _respecified(given: Given) -> Figures:
    """Work out an upgrade or downgrade of a node in the middle of its term."""
    book, turn = by_policy(given), at(given["changed_at"])
    before = _subscribed({**given, "spec": given["old"]})
    after = _subscribed({**given, "spec": given["new"], "months": 1})
    step = _order_of(after) - _order_of(replace(before, scheme=Subscription(given["old"])))
    change = (upgrade if step >= 0 else downgrade)(before, given["new"], turn, book)
    return {
        "unused_hours": text(change.unused_hours),
        "upgrade_cny": fen(change.amount),
        "downgrade_cny": fen(change.amount),
        "refund_cny": fen(-change.amount),
        "monthly_difference_cny": fen(step),
    }


def _of_figures(case: Given) -> Fraction:
    prices = Decimal(case["new_monthly"]), Decimal(case["old_monthly"])
    return month_difference(*prices, Fraction(case["unused_hours"]))


def _expenses_and_costs(given: Given) -> Figures:
    paid, old, new = (Decimal(given[name]) for name in ("paid", "old_monthly", "new_monthly"))
    found = expenses_and_costs(paid, old, new, given["used_days"])
    return {
        "online_refund": fen(_half_up(found.left)),
        "ratio": text(found.ratio),
        "refund": fen(_half_up(found.refund)),
    }


def _subscribed(given: Given) -> Contract:
    """Return the subscription that an example starts from."""
    factor = Decimal(given.get("term_discount", "1"))
    scheme = Subscription(given.get("spec", SPEC), given["months"], factor)
    start = at(given.get("start", ANY_DAY))
    bought = contract("s", scheme, given, term_of(scheme, start), "n1")
    return replace(bought, quantity=given.get("quantity", 1))


def _a_start(expiry: datetime, months: int) -> datetime:
    """Return a day on which a term of so many months, now at its expiry, may have begun."""
    days = (expiry - timedelta(days=n) for n in range(1, 31 * months + 35))
    return next(day for day in days if midnight_after(day, months, BEIJING) == expiry)


def _successor(change: Change) -> Contract:
    return change.contracts[-1]


def _order_of(bought: Contract) -> Decimal:
    assert isinstance(bought.scheme, Prepaid)
    return worth(bought, bought.scheme, shipped())


def _hourly(inputs: Inputs) -> Figures:
    """Return what hourly time of a month with a conversion comes to by itself."""
    charges = _of_kind(rate(inputs).charges, Kind.NODE_TIME)
    only = [c for c in inputs.contracts if isinstance(c.scheme, Hourly)]
    bill: Bill = bill_of(replace(inputs, contracts=only))
    return {
        "hourly_seconds": int(sum(c.quantity for c in charges) * 3600),
        "hourly_total_cny": text(total(charges)),
        "hourly_payable_cny": fen(bill.payable),
    }


def _of_kind(charges: Sequence[Charge], kind: Kind) -> list[Charge]:
    return [c for c in charges if c.kind is kind]


def _hours(charges: Sequence[Charge]) -> int:
    hours = sum((c.quantity for c in _of_kind(charges, Kind.NODE_TIME)), Fraction(0))
    assert hours.denominator == 1
    return int(hours)


def _half_up(amount: Fraction) -> Decimal:
    return rounded(amount, 2, Rounding.HALF_UP)


_NTH = ("first", "second", "third", "fourth", "fifth")
