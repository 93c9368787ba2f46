"""Work out examples of nodes: from what an example gives to the figures that it may expect."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from metering.identity import FOR_EVER
from metering.interval import Interval, State
from metering.period import Period, day_of, month_of
from metering.resources.schedule import WEEKDAYS, Schedule, Window, expected, minutes_of
from metering.usage import Usage
from pricing.bills.bill import Bill
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import Hourly, Scheme, Subscription, rate_of
from pricing.money import Rounding, plain, rounded, shown
from pricing.prices.book import PriceBook
from pricing.prices.policy import Policy
from pricing.rating.charge import PREPAID
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.month_notation import BEIJING, at, bill_of, month_from, shipped, term_of

Given = Mapping[str, Any]
Figures = dict[str, Any]
ANY_DAY = "2026-03-12T13:23:56+08:00"
SPEC = "polar.pg.g4.xlarge.gu10"


def subscription(given: Given) -> Figures:
    """Work out an order of so many nodes of one spec."""
    start, factor = at(given.get("start", ANY_DAY)), Decimal(given.get("term_discount", "1"))
    scheme = Subscription(given.get("spec", SPEC), given["months"], factor)
    node = contract("s", scheme, given, term_of(scheme, start), "n1")
    bought = replace(node, quantity=given.get("quantity", 1))
    bill = bill_of(month(start, [bought]))
    listed = sum(row["ListCost"] for row in bill.lines if row["ChargeCategory"] == "Purchase")
    end = local(bought.period.end)
    return {
        "order_cny": fen(bill.payable),
        "list_cny": fen(listed),
        "discount_cny": fen(listed - bill.payable),
        "last_day": (end - timedelta(days=1)).date().isoformat(),
        "expires_at": end.isoformat(),
    }


def node(given: Given) -> Figures:
    """Work out a node that is paid by the second."""
    return _node(given, _spans(given))


def whole_months(given: Given) -> Figures:
    """Work out months in which a node never stops."""
    found = [(name, month_of(name, BEIJING)) for name in given["months"]]
    return {
        "months": [
            {"month": name, "hours": period.seconds // 3600}
            | _only(_node(given, [period]), "total_cny", "payable_cny")
            for name, period in found
        ],
        "subscription_same_cny": _month_price(given),
    }


def window_days(given: Given) -> Figures:
    """Work out single days of a daily schedule."""
    return {
        "days": [
            {"day": day}
            | _only(
                _node(given, _within(day_of_text(day, given["schedule"]["tz"]), given["schedule"])),
                "seconds",
                "total_cny",
                "payable_cny",
            )
            for day in given["days"]
        ]
    }


def day_of_text(text: str, zone: str) -> Period:
    """Return a day of the calendar in a zone."""
    return day_of(datetime.fromisoformat(f"{text}T12:00").replace(tzinfo=ZoneInfo(zone)), zone)


def regions(given: Given) -> Figures:
    """Work out one run in several regions."""
    paid = {
        region: _node({**given, "region_id": region}, _spans(given))["payable_cny"]
        for region in given["regions"]
    }
    low, high = sorted(map(Decimal, paid.values()))
    by_name = {f"{region.replace('-', '_')}_cny": amount for region, amount in paid.items()}
    return by_name | {"difference_cny": fen(high - low)}


def contract(
    name: str, scheme: Scheme, given: Given, period: Period, resource: str = ""
) -> Contract:
    """Build a contract of acme's for the region that is given."""
    region = given.get("region_id", "cn-hangzhou")
    return Contract(name, "acme", scheme, region, "dedicated", period, resource)


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
    chosen = {name: value for name, value in given.items() if name in known}
    return replace(book, policy=replace(book.policy, **chosen))


def exact(inputs: Inputs) -> Fraction:
    """Return what is paid afterwards, before it is cut."""
    charges = (c for c in rate(inputs).charges if c.kind not in PREPAID)
    return sum((c.billed for c in charges), Fraction(0))


def totals(inputs: Inputs, bill: Bill) -> Figures:
    """Return the exact total, what is payable of it, and what is cut off."""
    total = exact(inputs)
    return {
        "total_cny": text(total),
        "payable_cny": fen(bill.payable),
        "round_down_cny": text(total - Fraction(bill.payable)),
    }


def local(instant: datetime) -> datetime:
    """Return an instant in Beijing time."""
    return instant.astimezone(ZoneInfo(BEIJING))


def text(amount: Fraction) -> str:
    """Write an amount with up to ten decimals."""
    return plain(shown(amount)).removesuffix(".0")


def fen(amount: Decimal | int) -> str:
    """Write an amount with two decimals, which must be all it has."""
    assert Fraction(amount) * 100 % 1 == 0
    return f"{rounded(Fraction(amount), 2, Rounding.DOWN):f}"


def _node(given: Given, spans: Sequence[Period]) -> Figures:
    nodes = [contract("h1", Hourly(given["spec"]), given, Period(spans[0].start, FOR_EVER), "n1")]
    inputs = month(spans[0].start, nodes, spans, book=by_policy(given))
    bill = bill_of(inputs)
    lines = [row for row in bill.lines if row["ChargeCategory"] == "Usage"]
    of_lines = sum((Fraction(row["BilledCost"]) for row in lines), Fraction(0))
    seconds = sum(int(c.quantity * 3600) for c in rate(inputs).charges)
    return totals(inputs, bill) | {
        "lines": [
            {
                "hour": local(row["ChargePeriodStart"]).isoformat(),
                "seconds": int(row["ConsumedQuantity"]),
                "cny": plain(row["BilledCost"]),
            }
            for row in lines
        ],
        "lines_cny": [plain(row["BilledCost"]) for row in lines],
        "wrong_payable_cny": f"{rounded(of_lines, 2, Rounding.DOWN):f}",
        "seconds": seconds,
        "hours": str(Fraction(seconds, 3600)),
        "billed_hours": seconds // 3600,
        "vs_subscription_cny": _month_price(given),
    }


def _month_price(given: Given) -> str:
    return fen(rate_of(Subscription(given["spec"]), given["region_id"], shipped()).price)


def _spans(given: Given) -> list[Period]:
    """Return when a node ran, in whichever way it is given."""
    begin = at("2026-01-01")
    match given:
        case {"running": spans}:
            return [Period(at(a), at(b)) for a, b in spans]
        case {"running_from": start, "released": end}:
            return [Period(at(start), at(end))]
        case {"seconds_runs": runs}:
            starts = [begin + timedelta(hours=n) for n in range(len(runs))]
            return [Period(s, s + timedelta(seconds=n)) for s, n in zip(starts, runs, strict=True)]
        case {"seconds": seconds}:
            return [Period(begin, begin + timedelta(seconds=seconds))]
        case {"month": _} | {"span": _}:
            whole = _whole(given)
            return _within(whole, given["schedule"]) if "schedule" in given else [whole]
        case _:
            raise AssertionError(f"an hourly example must say when it ran, found {given}")


def _whole(given: Given) -> Period:
    if "month" in given:
        return month_of(given["month"], BEIJING)
    start, end = given["span"]
    return Period(at(start), at(end))


def _within(period: Period, schedule: Given) -> list[Period]:
    """Return when a schedule runs a node within a period: daily or on days of the week."""
    said = next((v for k, v in schedule.items() if "day" in k), WEEKDAYS)
    days = frozenset(str(day)[:3].lower() for day in said)
    windows = [Window(minutes_of(a), minutes_of(b), days) for a, b in schedule["windows"]]
    return expected(Schedule("n1", "given", tuple(windows), schedule["tz"]), period)


def _only(figures: Figures, *names: str) -> Figures:
    return {name: figures[name] for name in names}
