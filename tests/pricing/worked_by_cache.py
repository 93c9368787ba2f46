"""Work out examples of KV-caches: by the hour or the month, changed in size, and sizes sold."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from metering.identity import FOR_EVER
from metering.period import Period, month_of
from pricing.contracts.change import resize_kv_cache
from pricing.contracts.contract import Contract, ContractError, check_contract
from pricing.contracts.schemes import KvCacheHourly, KvCacheSubscription
from pricing.contracts.term import order_amount
from pricing.money import Rounding, plain, rounded
from pricing.prices.book import PriceBook
from pricing.prices.rate import Item, Model, Rate
from pricing.rating.charge import total
from pricing.rating.rating import rate
from tests.pricing.month_notation import BEIJING, at, shipped, term_of
from tests.pricing.month_notation import bill_of as bill_of_inputs
from tests.pricing.worked_notation import (
    ANY_DAY,
    BEGIN,
    HOUR,
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
)

REGION = "cn-hangzhou"
FEE_PLACES = 8
"""Decimals that the public document shows of a fee, before it charges two of them."""


def kv_cache(given: Given) -> Figures:
    """Work out a KV-cache by what is given of it."""
    match given:
        case {"sizes_gb": _}:
            return _sizes(given)
        case {"bill_when": [*ways]}:
            return {way: kv_cache({**given, "bill_when": way}) for way in ways}
        case {"mode": "subscription"} | {"gb_month_cny": _}:
            return _by_the_month(given)
        case _:
            return _by_the_hour(given)


def fee_to_the_second(given: Given) -> Figures:
    """Work out gigabytes at a ten-decimal price for so many seconds."""
    period = Period(BEGIN, BEGIN + timedelta(seconds=given["seconds"]))
    book = priced_cache(given, shipped(), hourly=given["price"])
    cache = contract("kv", KvCacheHourly(given["gb"]), given, period, "n1")
    inputs = month(BEGIN, [cache], [period], book=book)
    fee = rounded(total(rate(inputs).charges), FEE_PLACES, Rounding.DOWN)
    charged = bill_of_inputs(inputs).payable
    return {
        "fee": plain(fee),
        "charged": fen(charged),
        "round_down": plain(fee - charged),
    }


def priced_cache(given: Given, book: PriceBook, **prices: str | None) -> PriceBook:
    """Return a book that sells gigabytes by the hour or the month at prices that are given."""
    region = (("region", (given.get("region_id", REGION),)),)
    sold = {
        "hourly": (Item.KV_CACHE_HOUR, "GB-Hours", Model.TIME),
        "monthly": (Item.KV_CACHE_MONTH, "GB-Months", Model.UNIT),
    }
    rates = [
        Rate(sold[name][0], region, Decimal(price), 1, *sold[name][1:])
        for name, price in prices.items()
        if price is not None
    ]
    return replace(book, rates=(*book.rates, *rates))


def _book(given: Given) -> PriceBook:
    hourly, monthly = given.get("gb_hour_cny"), given.get("gb_month_cny")
    if monthly:
        hourly = hourly or "0.02"  # at which used time of a term is listed, and nothing is charged
    return priced_cache(given, by_policy(given), hourly=hourly, monthly=monthly)


def _by_the_hour(given: Given) -> Figures:
    """Work out a cache that is charged with its node's time, or always."""
    book, spans = _book(given), spans_of(given)
    whole = month_of(given["month"], BEIJING) if "month" in given else spans[0]
    period = Period(whole.start, max(whole.end, spans[-1].end))
    scheme = KvCacheHourly(_gb(given)) if _gb(given) else KvCacheHourly()
    caches = [contract("kv", scheme, given, period, "n1")]
    check_contract(caches[0], book)
    if "new_gb" in given:
        turn = at(given["changed_at"])
        caches = list(resize_kv_cache(caches[0], given["new_gb"], turn, book).contracts)
    many = [month(m.start, caches, spans, book=book) for m in months_of([period])]
    hours = sum((c.quantity for i in many for c in rate(i).charges), Fraction(0))
    return bills_of(many) | {
        "gb_hours": int(hours) if hours.denominator == 1 else text(hours),
        "hours": text(hours / scheme.gb),
        "seconds": int(hours / scheme.gb * HOUR),
    }


def _by_the_month(given: Given) -> Figures:
    """Work out a prepaid cache: its order, and what another size costs or gives back."""
    book, start = _book(given), at(given.get("start", ANY_DAY))
    factor = Decimal(given.get("term_discount", "1"))
    scheme = KvCacheSubscription(_gb(given) or 100, given.get("months", 1), factor)
    bought = contract("kv", scheme, given, term_of(scheme, start), "n1")
    check_contract(bought, book)
    end = local(bought.period.end)
    figures: Figures = {
        "order_cny": fen(order_amount(bought, scheme, book)),
        "total_cny": fen(order_amount(bought, scheme, book)),
        "last_day": (end - timedelta(days=1)).date().isoformat(),
        "expires_at": end.isoformat(),
    }
    return figures | (_resized(given, bought, book) if "new_gb" in given else {})


def _resized(given: Given, bought: Contract, book: PriceBook) -> Figures:
    change = resize_kv_cache(bought, given["new_gb"], at(given["changed_at"]), book)
    return {
        "unused_hours": text(change.unused_hours),
        "upgrade_cny": fen(change.amount),
        "downgrade_cny": fen(change.amount),
        "amount_cny": fen(change.amount),
        "refund_cny": fen(-change.amount),
    }


def _gb(given: Given) -> int:
    return int(next((given[n] for n in ("kvcache_gb", "old_gb", "gb") if n in given), 0))


def _sizes(given: Given) -> Figures:
    book = priced_cache(given, shipped(), hourly="0.02")
    ever = Period(BEGIN, FOR_EVER)
    asked = [contract("kv", KvCacheHourly(gb), given, ever, "n1") for gb in given["sizes_gb"]]
    return {"valid": [_is_sold(one, book) for one in asked], "default_gb": KvCacheHourly().gb}


def _is_sold(asked: Contract, book: PriceBook) -> bool:
    try:
        check_contract(asked, book)
    except ContractError:
        return False
    return True
