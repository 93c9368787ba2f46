"""Work out examples of nodes: from what an example gives to the figures that it may expect."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from metering.identity import FOR_EVER
from metering.period import Period, day_of, month_of
from pricing.contracts.change import downgrade, upgrade
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import Hourly, Subscription, rate_of
from pricing.contracts.turn import ChangeError
from pricing.focus.column import Row
from pricing.money import Rounding, plain, rounded
from pricing.prices.book import MissingPriceError, PriceBook
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.month_notation import BEIJING, at, bill_of, shipped, term_of
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
    local,
    month,
    months_of,
    spans_of,
    text,
    within,
)


def subscription(given: Given) -> Figures:
    """Work out an order of so many nodes of one spec."""
    start, factor = at(given.get("start", ANY_DAY)), Decimal(given.get("term_discount", "1"))
    scheme = Subscription(given.get("spec", SPEC), given["months"], factor)
    bought = contract("s", scheme, given, term_of(scheme, start), "n1")
    bill = bill_of(month(start, [bought], book=by_policy(given)))
    listed = sum(row["ListCost"] for row in bill.lines if row["ChargeCategory"] == "Purchase")
    end = local(bought.period.end)
    return {
        "order_cny": fen(bill.payable),
        "total_cny": fen(bill.payable),
        "payable_cny": fen(bill.payable),
        "list_cny": fen(listed),
        "discount_cny": fen(listed - bill.payable),
        "last_day": (end - timedelta(days=1)).date().isoformat(),
        "expires_at": end.isoformat(),
    }


def node_figures_of(given: Given) -> Figures:
    """Work an hourly node out by which time is given."""
    match given:
        case {"regions": _}:
            return regions(given)
        case {"months": _}:
            return whole_months(given)
        case {"days": _}:
            return window_days(given)
        case _:
            return node(given)


def node(given: Given) -> Figures:
    """Work out a node that is paid by the second, of one spec or of some in turn."""
    return _node(given, spans_of(given) if _has_time(given) else _of_pieces(given))


def whole_months(given: Given) -> Figures:
    """Work out months in which a node never stops."""
    found = [(name, month_of(name, BEIJING)) for name in given["months"]]
    return {
        "months": [
            _node(given, [period])
            | {"month": name, "hours": period.seconds // HOUR, "days": period.seconds // 86_400}
            for name, period in found
        ],
        "subscription_same_cny": _month_price(given),
    }


def window_days(given: Given) -> Figures:
    """Work out single days of a daily schedule."""
    zone = given["schedule"].get("tz", BEIJING)
    found = [(day, _day(day, zone)) for day in given["days"]]
    return {
        "days": [
            _node(given, within(period, given["schedule"])) | {"day": day} for day, period in found
        ]
    }


def regions(given: Given) -> Figures:
    """Work out one run in several regions."""
    paid = {
        region: _node({**given, "region_id": region}, spans_of(given))["payable_cny"]
        for region in given["regions"]
    }
    low, *_, high = sorted(map(Decimal, paid.values()))
    by_name = {f"{region.replace('-', '_')}_cny": amount for region, amount in paid.items()}
    return by_name | {"difference_cny": fen(high - low)}


def _day(text: str, zone: str) -> Period:
    """Return a day of the calendar in a zone."""
    return day_of(datetime.fromisoformat(f"{text}T12:00").replace(tzinfo=ZoneInfo(zone)), zone)


def _has_time(given: Given) -> bool:
    return not _said_pieces(given)


def _said_pieces(given: Given) -> Sequence[Any]:
    """Return pieces of time that name their specification, in whichever way they are given."""
    named = [s for s in given.get("running", ()) if isinstance(s, Mapping)]
    return named or given.get("segments") or given.get("charges") or ()


def _of_pieces(given: Given) -> list[Period]:
    return [period for _, period in _pieces(given)]


def _pieces(given: Given) -> list[tuple[str, Period]]:
    """Return what ran after what: each piece says its spec, and when or for how long it ran."""
    found = []
    for hours, said in enumerate(_said_pieces(given)):
        piece = _named(said)
        start = timedelta(hours=hours) if "seconds" in piece else timedelta()
        [span] = spans_of(piece)
        found.append((piece["spec"], Period(span.start + start, span.end + start)))
    return found


def _named(said: Given | Sequence[str]) -> Given:
    """Return a piece by names, where it was written as spec, start and end."""
    if isinstance(said, Sequence):
        spec, start, end = said
        return {"spec": spec, "running": [[start, end]]}
    ends = [said[name] for name in ("from", "to") if name in said]
    running = ends or said.get("running")
    is_one = running and isinstance(running[0], str)
    return {**said, "running": [running]} if is_one else said


def _contracts(given: Given, spans: Sequence[Period], book: PriceBook) -> list[Contract]:
    """Return the contracts under which a node ran, one a specification."""
    if not _has_time(given):
        return [
            contract(f"h{n}", Hourly(spec), given, period, "n1")
            for n, (spec, period) in enumerate(_pieces(given), start=1)
        ]
    old, new = _specs(given)
    first = contract("h", Hourly(old), given, Period(min(spans).start, FOR_EVER), "n1")
    if not new:
        return [first]
    turn = at(given["changed_at"])
    try:
        return list(upgrade(first, new, turn, book).contracts)
    except ChangeError:
        return list(downgrade(first, new, turn, book).contracts)


def _specs(given: Given) -> tuple[str, str]:
    """Return the specification that a node has, and the one that it gets if it is changed."""
    old, new = (*given["specs"],) if "specs" in given else (_old(given), "")
    return old, new or next(
        (given[name] for name in ("new_spec", "new", "to") if name in given), ""
    )


def _old(given: Given) -> str:
    return next(str(given[n]) for n in ("old_spec", "old", "spec") if n in given)


def _node(given: Given, spans: Sequence[Period]) -> Figures:
    book = by_policy(given)
    contracts = _contracts(given, spans, book)
    many = [month(m.start, contracts, spans, book=book) for m in months_of(spans)]
    bills = [bill_of(inputs) for inputs in many]
    rows = [row for bill in bills for row in bill.lines]
    lines = [row for row in rows if row["ChargeCategory"] == "Usage"]
    of_lines = sum((Fraction(row["BilledCost"]) for row in lines), Fraction(0))
    quantity = given.get("quantity", 1)
    each = [_seconds(inputs) // quantity for inputs in many]
    found, seconds = bills_of(many, bills), sum(each)
    for figures, ran in zip(found["months"].values(), each, strict=True):
        figures |= {"seconds": ran, "hours": text(Fraction(ran, HOUR))}
    return found | {
        "lines": [_line(row, quantity) for row in lines],
        "lines_cny": [plain(row["BilledCost"]) for row in lines],
        "wrong_payable_cny": f"{rounded(of_lines, 2, Rounding.DOWN):f}",
        "seconds": seconds,
        "hours": text(Fraction(seconds, HOUR)),
        "billed_hours": seconds // HOUR,
        **_subscribed(given),
    }


def _seconds(inputs: Inputs) -> int:
    return sum(int(c.quantity * HOUR) for c in rate(inputs).charges)


def _line(row: Row, quantity: int) -> Figures:
    return {
        "hour": local(row["ChargePeriodStart"]).replace(minute=0, second=0).isoformat(),
        "start": local(row["ChargePeriodStart"]).isoformat(),
        "seconds": int(row["ConsumedQuantity"]) // quantity,
        "spec": row["SkuPriceDetails"]["InstanceType"],
        "cny": plain(row["BilledCost"]),
    }


def _subscribed(given: Given) -> Figures:
    """Return what a month's subscription of the same node costs, if there is one node."""
    return {"vs_subscription_cny": _month_price(given)} if "spec" in given else {}


def _month_price(given: Given) -> str:
    try:
        monthly = rate_of(Subscription(given["spec"]), given["region_id"], shipped())
    except MissingPriceError:
        return ""
    return fen(monthly.price * given.get("quantity", 1))
