"""How worked examples are written: when something ran, by which choices, and what it came to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from metering.interval import Interval, State
from metering.period import Period, month_at, month_of
from metering.resources.schedule import WEEKDAYS, Schedule, Window, expected, minutes_of
from metering.usage import Usage
from pricing.bills.bill import Bill
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import Scheme
from pricing.money import Rounding, plain, rounded, shown
from pricing.prices.book import PriceBook
from pricing.prices.policy import Overdue, Policy
from pricing.rating.charge import PREPAID
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.month_notation import BEIJING, at, bill_of, month_from, shipped

Given = Mapping[str, Any]
Figures = dict[str, Any]
BEGIN = at("2026-01-01")
ANY_DAY = "2026-03-12T13:23:56+08:00"
SPEC = "polar.pg.g4.xlarge.gu10"
HOUR = 3600
_CHOICES = {"bill_when": "kv_cache_when"}
"""What examples call a choice -> what books call it."""
_DAYS = ("grace_days", "lock_days", "release_days")


def shows(found: Any, wanted: Any) -> bool:
    """Whether figures are those that are wanted; figures that nobody asks for may be more."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return all(name in found and shows(found[name], wanted[name]) for name in wanted)
    if isinstance(found, list) and isinstance(wanted, list):
        same = len(found) == len(wanted)
        return same and all(shows(a, b) for a, b in zip(found, wanted, strict=True))
    return type(found) is type(wanted) and bool(found == wanted)


def contract(
    name: str, scheme: Scheme, given: Given, period: Period, resource: str = ""
) -> Contract:
    """Build a contract of acme's for the region and quantity that are given."""
    region = given.get("region_id", "cn-hangzhou")
    bought = Contract(name, "acme", scheme, region, "dedicated", period, resource)
    return replace(bought, quantity=given.get("quantity", 1))


def month(
    instant: datetime,
    contracts: Sequence[Contract],
    spans: Iterable[Period] = (),
    usage: Sequence[Usage] = (),
    book: PriceBook | None = None,
) -> Inputs:
    """Return the inputs of the month that holds an instant."""
    intervals = [Interval("n1", span, State.RUNNING) for span in spans]
    empty = month_from(f"month {local(instant):%Y-%m}", book)
    return replace(empty, contracts=contracts, intervals=intervals, usage=usage)


def by_policy(given: Given, book: PriceBook | None = None) -> PriceBook:
    """Return a book with the choices that an example states, the shipped one by default."""
    book = book or shipped()
    known = {f.name for f in fields(Policy)}
    nested = given["policy"] if isinstance(given.get("policy"), Mapping) else {}
    said = {_CHOICES.get(name, name): value for name, value in {**given, **nested}.items()}
    chosen = {name: value for name, value in said.items() if name in known}
    days = [said[name] for name in _DAYS if name in said]
    if len(days) == len(_DAYS):
        chosen |= dict.fromkeys(("subscription_overdue", "postpaid_overdue"), Overdue(*days))
    if "term_discount" in given and isinstance(given.get("months"), int):
        factors = {given["months"]: Decimal(given["term_discount"])}
        book = replace(book, term_factors={**book.term_factors, **factors})
    return replace(book, policy=replace(book.policy, **chosen))


def spans_of(given: Given) -> list[Period]:
    """Return when a node ran, in whichever way it is given."""
    match given:
        case {"running": spans}:
            return [Period(at(a), at(b)) for a, b in spans]
        case {"running_from": start, "released": end} | {"running_from": start, "until": end}:
            return [Period(at(start), at(end))]
        case {"seconds_runs": runs}:
            starts = [BEGIN + timedelta(hours=n) for n in range(len(runs))]
            return [Period(s, s + timedelta(seconds=n)) for s, n in zip(starts, runs, strict=True)]
        case {"seconds": seconds}:
            return [Period(BEGIN, BEGIN + timedelta(seconds=seconds))]
        case {"hours": hours}:
            seconds = Fraction(hours) * HOUR
            return [Period(BEGIN, BEGIN + timedelta(seconds=int(seconds)))]
        case {"month": _} | {"span": _}:
            whole = _whole(given)
            return within(whole, given["schedule"]) if "schedule" in given else [whole]
        case _:
            raise AssertionError(f"an example must say when it ran, found {given}")


def within(period: Period, said: Given) -> list[Period]:
    """Return when a schedule runs a node within a period: daily or on days of the week."""
    days = next((v for k, v in said.items() if k != "holidays" and "day" in k), WEEKDAYS)
    windows = tuple(_window(window, days) for window in said["windows"])
    zone = said.get("tz", said.get("zone", BEIJING))
    off = frozenset(date.fromisoformat(day) for day in said.get("holidays", ()))
    return expected(Schedule("n1", "given", windows, zone, holidays=off), period)


def months_of(spans: Iterable[Period]) -> list[Period]:
    """Return the calendar months that spans reach into, in order."""
    found: set[Period] = set()
    for span in spans:
        start = span.start
        while start < span.end:
            found.add(month := month_at(start, BEIJING))
            start = month.end
    return sorted(found)


def exact(inputs: Inputs) -> Fraction:
    """Return what is paid afterwards, before it is cut."""
    charges = (c for c in rate(inputs).charges if c.kind not in PREPAID)
    return sum((c.billed for c in charges), Fraction(0))


def totals(inputs: Inputs, bill: Bill) -> Figures:
    """Return the exact total, what is payable of it, and what is cut off."""
    return totals_of(exact(inputs), Fraction(bill.payable))


def totals_of(total: Fraction, payable: Fraction) -> Figures:
    """Return an exact total, what is payable of it, and what is cut off."""
    return {
        "total_cny": text(total),
        "payable_cny": fen(payable),
        "round_down_cny": text(total - payable),
    }


def bills_of(many: Iterable[Inputs], made: Sequence[Bill] | None = None) -> Figures:
    """Return what months come to together, and each by itself; their bills may be at hand."""
    told = list(many)
    names = [f"{local(inputs.month.start):%Y-%m}" for inputs in told]
    bills = [bill_of(inputs) for inputs in told] if made is None else made
    pairs = zip(names, told, bills, strict=True)
    sums = {name: (exact(inputs), Fraction(bill.payable)) for name, inputs, bill in pairs}
    total = sum((amount for amount, _ in sums.values()), Fraction(0))
    payable = sum((amount for _, amount in sums.values()), Fraction(0))
    each = {name: totals_of(*amounts) for name, amounts in sums.items()}
    return totals_of(total, payable) | {"months": each, "month": next(iter(each), "")}


def local(instant: datetime) -> datetime:
    """Return an instant in Beijing time."""
    return instant.astimezone(ZoneInfo(BEIJING))


def text(amount: Fraction) -> str:
    """Write an amount with up to ten decimals."""
    return plain(shown(amount)).removesuffix(".0")


def fen(amount: Fraction | Decimal | int) -> str:
    """Write an amount with two decimals, which must be all it has."""
    assert Fraction(amount) * 100 % 1 == 0
    return f"{rounded(Fraction(amount), 2, Rounding.DOWN):f}"


def half_up(amount: Fraction) -> Decimal:
    """Round to the fen."""
    return rounded(amount, 2, Rounding.HALF_UP)


def cut(amount: Fraction) -> Decimal:
    """Cut to the fen."""
    return rounded(amount, 2, Rounding.DOWN)


def _whole(given: Given) -> Period:
    if "month" in given:
        return month_of(given["month"], BEIJING)
    start, end = given["span"]
    return Period(at(start), at(end))


def _window(said: Any, days: Any) -> Window:
    """Read a window: two times of the clock, perhaps after the days it is of."""
    if isinstance(said, Mapping):
        own = next((v for k, v in said.items() if "day" in k), days)
        start, end = (v for k, v in said.items() if "day" not in k)
        return _window([own, start, end], days)
    *own, start, end = said
    return Window(minutes_of(start), minutes_of(end), _weekdays(own[0] if own else days))


def _weekdays(said: Any) -> frozenset[str]:
    """Read days of the week: names, numbers of which Monday is 1, or a span as in Mon-Fri."""
    if isinstance(said, str) and "-" in said:
        first, last = (WEEKDAYS.index(day.strip()[:3].lower()) for day in said.split("-"))
        return frozenset(WEEKDAYS[first : last + 1])
    many = [said] if isinstance(said, str | int) else said
    return frozenset(WEEKDAYS[d - 1] if isinstance(d, int) else d[:3].lower() for d in many)
