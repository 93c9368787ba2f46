"""Work out examples of changes: renewals, conversions, upgrades, refunds, arrears."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from metering.identity import FOR_EVER
from metering.period import Period, midnight_after, month_of
from metering.usage import Usage
from pricing.contracts.change import (
    downgrade,
    end_early,
    to_hourly,
    to_subscription,
    to_tokens,
    upgrade,
)
from pricing.contracts.contract import Contract
from pricing.contracts.overdue import overdue_of, stages_of
from pricing.contracts.proration import days_of, expenses_and_costs, month_difference
from pricing.contracts.renewal import renew, renew_to_day
from pricing.contracts.schemes import Hourly, PerToken, Prepaid, Subscription
from pricing.contracts.term import order_amount, renewal_attempts
from pricing.contracts.turn import Change
from pricing.prices.book import PriceBook
from pricing.rating.charge import Charge, Kind, total
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.month_notation import BEIJING, at, bill_of, shipped, term_of, usage_of
from tests.pricing.worked_notation import (
    ANY_DAY,
    HOUR,
    SPEC,
    Figures,
    Given,
    bills_of,
    by_policy,
    contract,
    fen,
    half_up,
    local,
    month,
    months_of,
    text,
    totals,
)


def renewals(given: Given) -> Figures:
    """Work out a term and its renewals, whose ends are counted from the first day."""
    if "expires_at" in given or _paid_at(given):
        return _renewal_by_itself(given)
    chain = [_subscribed(given)]
    for months in given.get("renewals", ()):
        chain.append(_successor(renew(chain[-1], months, chain[-1].period.start, by_policy(given))))
    ends = [local(term.period.end) for term in chain]
    paid = [_order_of(term) for term in chain]
    return {
        **{f"{nth}_expires_at": end.isoformat() for nth, end in zip(_NTH, ends, strict=False)},
        "orders_cny": [fen(amount) for amount in paid],
        "total_cny": fen(sum(paid)),
        "expires_at": ends[-1].isoformat(),
        "last_day": (ends[-1] - timedelta(days=1)).date().isoformat(),
    }


def conversion(given: Given) -> Figures:
    """Work a conversion out by what the contract becomes."""
    match given:
        case {"paid_at": _}:
            return _to_subscription(given)
        case {"size_class": _}:
            return _to_tokens(given)
        case {"hourly_until": _}:
            return _to_hourly(given)
        case _:
            return _ended(given)


def proration(given: Given) -> Figures:
    """Work out a change of specification: of plain figures, or of a node's."""
    match given:
        case {"cases": cases}:
            return {"cases": [fen(half_up(_of_figures(case))) for case in cases]}
        case {"unused_hours": _}:
            amount = half_up(_of_figures(given))
            return {"amount_cny": fen(amount), "refund_cny": fen(-amount)}
        case {"policy": "expenses_and_costs"}:
            return _expenses_and_costs(given)
        case {"unified_day": _}:
            return _unified(given)
        case _:
            return _respecified(given)


def overdue(given: Given) -> Figures:
    """Work out a node that runs on unpaid until it is locked."""
    since = at(given.get("overdue_at") or given["expires_at"])
    prepaid = given.get("mode") == "subscription"
    scheme = Subscription(given["spec"]) if prepaid else Hourly(given["spec"])
    node = contract("h", scheme, given, Period(since, FOR_EVER), "n1")
    book = by_policy(given)
    stages = stages_of(since, overdue_of(node, book.policy), book.zone)
    until = replace(node, period=Period(since, stages.charged_until))
    spans = [until.period]
    many = [] if prepaid else [month(m.start, [until], spans, book=book) for m in months_of(spans)]
    charges = [charge for inputs in many for charge in rate(inputs).charges]
    return {
        "locked_at": local(stages.locked_at).isoformat(),
        "released_at": local(stages.released_at).isoformat(),
        "billed_hours_until_lock": _hours(charges),
        "billed_cny": text(total(charges)),
        "billed_payable_cny": bills_of(many)["payable_cny"],
    }


def _renewal_by_itself(given: Given) -> Figures:
    """Work out when renewal is tried, and what the try that succeeds costs."""
    book, months = by_policy(given), given.get("renew_months", given["months"])
    term = replace(_subscribed(given, _start_of(given)), auto_renew=given.get("auto_renew", True))
    expiry = term.period.end
    stages = stages_of(expiry, overdue_of(term, book.policy), book.zone)
    tries = renewal_attempts(expiry, book.policy, book.zone)
    failed = given.get("attempts_fail", 0)
    paid_at = at(_paid_at(given)) if _paid_at(given) else (*tries, None)[failed]
    found: Figures = {
        "expires_at": local(expiry).isoformat(),
        "attempts": [local(instant).isoformat() for instant in tries[: failed + 1]],
        "max_attempts": [local(instant).isoformat() for instant in tries],
        "locked_at": local(stages.locked_at).isoformat(),
        "released_at": local(stages.released_at).isoformat(),
    }
    return found | (_renewed(renew(term, months, paid_at, book)) if paid_at else {})


def _renewed(change: Change) -> Figures:
    period = _successor(change).period
    return {
        "charged_cny": fen(change.amount),
        "order_cny": fen(change.amount),
        "new_starts_at": local(period.start).isoformat(),
        "new_expires_at": local(period.end).isoformat(),
    }


def _to_subscription(given: Given) -> Figures:
    start, turn = at(given["running_from"]), at(given["paid_at"])
    node = contract("h", Hourly(given["spec"]), given, Period(start, FOR_EVER), "n1")
    change = to_subscription(node, turn, given["months"], by_policy(given))
    spans = [Period(start, turn)]
    many = [month(m.start, change.contracts, spans) for m in months_of(spans)]
    return _hourly(many) | {
        "order_cny": fen(change.amount),
        "expires_at": local(_successor(change).period.end).isoformat(),
    }


def _to_hourly(given: Given) -> Figures:
    turn, until = at(given["switched_at"]), at(given["hourly_until"])
    paid, book = _paid(given), by_policy(given)
    change = to_hourly(paid, turn, book)
    spans = [Period(turn, until)]
    many = [month(m.start, change.contracts, spans, book=book) for m in months_of(spans)]
    return _hourly(many) | _refund(paid, turn, change, book)


def _to_tokens(given: Given) -> Figures:
    """Work out a node whose pool is paid per token from an instant on."""
    book, scheme = by_policy(given), PerToken(given["size_class"])
    turn = at(given.get("effective") or given["switched_at"])
    prepaid = "order" in given
    start = month_of(given["month"], BEIJING).start if "month" in given else turn
    begun = at(given["running_from"]) if "running_from" in given else start
    hourly = contract("h", Hourly(given.get("spec", SPEC)), given, Period(begun, FOR_EVER), "n1")
    old = _paid(given) if prepaid else hourly
    change = to_tokens(old, scheme, turn, book)
    spans = [Period(begun, FOR_EVER)]
    inputs = month(start, change.contracts, spans, _tokens_around(given, turn), book)
    charges = rate(inputs).charges
    by_token = total(_of_kind(charges, Kind.TOKENS))
    return totals(inputs, bill_of(inputs)) | {
        "hourly_hours": _hours(charges),
        "hourly_cny": text(total(_of_kind(charges, Kind.NODE_TIME))),
        "token_cny": text(by_token),
        "token_total_cny": text(by_token),
        "token_payable_cny": bills_of([_only(inputs, change.contracts[-1])])["payable_cny"],
        **(_refund(old, turn, change, book) if prepaid else {}),
    }


def _ended(given: Given) -> Figures:
    """Work out a subscription that ends early, and becomes nothing else."""
    turn, paid, book = (
        at(_first(given, "ended_at", "switched_at", "at")),
        _paid(given),
        by_policy(given),
    )
    return _refund(paid, turn, end_early(paid, turn, book), book)


def _tokens_around(given: Given, turn: datetime) -> list[Usage]:
    before, since = given.get("tokens_before", 0), given.get("tokens_from", given.get("tokens", 0))
    return [
        row
        for when, count in ((turn - timedelta(hours=1), before), (turn, since))
        for row in usage_of(when.isoformat(), "dedicated", {"fresh": f"{count}"})
    ]


def _refund(paid: Contract, turn: datetime, change: Change, book: PriceBook) -> Figures:
    days = days_of(paid.period, turn, book.zone)
    return {
        "total_days": days.total,
        "used_days": days.used,
        "remaining_days": days.remaining,
        "refund_cny": fen(-change.amount),
    }


def _respecified(given: Given) -> Figures:
    """Work out an upgrade or downgrade of a node in the middle of its term."""
    book, turn = by_policy(given), at(given["changed_at"])
    before = _paid(given, spec=_first(given, "old", "old_spec", "spec"))
    new = _first(given, "new", "new_spec")
    factor = Decimal(given.get("term_discount", "1"))
    prices = [
        _month_of(before, spec, book) * Fraction(factor) for spec in (before_spec(before), new)
    ]
    step = prices[1] - prices[0]
    change = (upgrade if step >= 0 else downgrade)(before, new, turn, book)
    return {
        "unused_hours": text(change.unused_hours),
        "amount_cny": fen(change.amount),
        "upgrade_cny": fen(change.amount),
        "downgrade_cny": fen(change.amount),
        "refund_cny": fen(-change.amount),
        "monthly_difference_cny": fen(half_up(step)),
    }


def before_spec(bought: Contract) -> str:
    """Return the specification of a subscribed node."""
    assert isinstance(bought.scheme, Subscription)
    return bought.scheme.spec


def _month_of(bought: Contract, spec: str, book: PriceBook) -> Fraction:
    scheme = Subscription(spec)
    return Fraction(order_amount(replace(bought, scheme=scheme), scheme, book))


def _unified(given: Given) -> Figures:
    """Work out a renewal up to a day of the month that all terms end on."""
    term, book = _subscribed(given), by_policy(given)
    return _renewed(renew_to_day(term, given["unified_day"], term.period.start, book))


def _of_figures(case: Given) -> Fraction:
    prices = Decimal(case["new_monthly"]), Decimal(case["old_monthly"])
    return month_difference(*prices, Fraction(case["unused_hours"]))


def _expenses_and_costs(given: Given) -> Figures:
    paid, old, new = (Decimal(given[name]) for name in ("paid", "old_monthly", "new_monthly"))
    factor = next((Decimal(v) for k, v in given.items() if "discount" in k), Decimal(1))
    found = expenses_and_costs(paid, old, new, given["used_days"], factor)
    return {
        "online_refund": fen(half_up(found.left)),
        "ratio": text(found.ratio),
        "refund": fen(half_up(found.refund)),
    }


def _paid(given: Given, **changed: str) -> Contract:
    """Return the subscription that an example starts from, with what of it was paid in cash."""
    said = {**given, **given.get("order", {}), **changed}
    cash = said.get("cash_paid_cny")
    return replace(_subscribed(said), cash_paid=None if cash is None else Decimal(cash))


def _subscribed(given: Given, start: datetime | None = None) -> Contract:
    """Return a subscription as it was bought."""
    factor = Decimal(given.get("term_discount", "1"))
    scheme = Subscription(given.get("spec", SPEC), given["months"], factor)
    begun = start or at(given.get("start", ANY_DAY))
    return contract("s", scheme, given, term_of(scheme, begun), "n1")


def _start_of(given: Given) -> datetime:
    """Return the given start, or a day on which a term that ends as it is given may have begun."""
    if "expires_at" not in given:
        return at(given["start"])
    expiry, months = at(given["expires_at"]), given["months"]
    days = (expiry - timedelta(days=n) for n in range(1, 31 * months + 35))
    return next(day for day in days if midnight_after(day, months, BEIJING) == expiry)


def _paid_at(given: Given) -> str:
    return str(next((given[n] for n in ("renewed_at", "paid_at", "renew_at") if n in given), ""))


def _first(given: Given, *names: str) -> str:
    return next(str(given[name]) for name in names if name in given)


def _successor(change: Change) -> Contract:
    return change.contracts[-1]


def _order_of(bought: Contract) -> Decimal:
    assert isinstance(bought.scheme, Prepaid)
    return order_amount(bought, bought.scheme, shipped())


def _hourly(many: Sequence[Inputs]) -> Figures:
    """Return what hourly time of months with a conversion comes to by itself."""
    alone = [_only(i, *(c for c in i.contracts if isinstance(c.scheme, Hourly))) for i in many]
    charges = [charge for inputs in alone for charge in rate(inputs).charges]
    found = bills_of(alone)
    return {
        "hourly_seconds": int(sum(c.quantity for c in charges) * HOUR),
        "hourly_hours": text(sum((c.quantity for c in charges), Fraction(0))),
        "hourly_total_cny": found["total_cny"],
        "hourly_payable_cny": found["payable_cny"],
    }


def _only(inputs: Inputs, *contracts: Contract) -> Inputs:
    """Return what contracts alone come to."""
    return replace(inputs, contracts=contracts)


def _of_kind(charges: Sequence[Charge], kind: Kind) -> list[Charge]:
    return [c for c in charges if c.kind is kind]


def _hours(charges: Sequence[Charge]) -> int:
    hours = sum((c.quantity for c in _of_kind(charges, Kind.NODE_TIME)), Fraction(0))
    assert hours.denominator == 1
    return int(hours)


_NTH = ("first", "second", "third", "fourth", "fifth", "sixth")
