"""Work out examples of pools beside nodes, of own models, of orders refused, and of advice."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from metering.identity import FOR_EVER
from metering.interval import Resource
from metering.period import Period
from metering.usage import Usage
from pricing.advice.break_even import break_even_hours, break_even_tokens
from pricing.contracts.contract import ContractError, TermError, check_contract
from pricing.contracts.order import AppOrder, OrderError, OwnModel, opened
from pricing.contracts.order_check import Ask, check_order
from pricing.contracts.order_store import shipped_catalogue
from pricing.contracts.schemes import (
    Hourly,
    KvCacheHourly,
    KvCacheSubscription,
    PerModelToken,
    PerToken,
    Scheme,
    Subscription,
    rate_of,
)
from pricing.money import Money, Rounding, rounded
from pricing.prices.book import MissingPriceError, PriceBook, UnknownRegionError
from pricing.prices.rate import Item, Model, Rate, charge
from pricing.rating.charge import PREPAID, Kind, total
from pricing.rating.rating import rate
from pricing.rating.spill import spill_report
from tests.pricing.month_notation import at, bill_of, shipped, term_of, usage_of
from tests.pricing.worked_by_cache import REGION, priced_cache
from tests.pricing.worked_by_time import node, subscription
from tests.pricing.worked_notation import (
    BEGIN,
    Figures,
    Given,
    by_policy,
    contract,
    cut,
    fen,
    month,
    spans_of,
    text,
)

MILLION = 1_000_000
SIZES = ("small", "medium", "large", "xlarge", "2xlarge", "4xlarge")
REFUSALS: Mapping[type[Exception], str] = {
    TermError: "InvalidTerm",
    MissingPriceError: "PriceNotFound",
    UnknownRegionError: "RegionNotFound",
    ContractError: "InvalidContract",
    OrderError: "InvalidOrder",
}


def hybrid(given: Given) -> Figures:
    """Work out a dedicated node: with what spills over to a pool, or shared among tenants."""
    return _overflow(given) if "pool" in given else _shared(given)


def own_model(given: Given) -> Figures:
    """Work out an own model, of which the node that is deployed is charged."""
    order = _order(given)
    deployed = Resource("n1", "acme", given["region_id"], given["deployed_spec"])
    found = opened(order, deployed, BEGIN, shipped())
    [charged] = found.contracts
    assert isinstance(charged.scheme, Hourly)
    assert len(found.notices) == (given["ordered_spec"] != given["deployed_spec"])
    ordered = node({**given, "spec": given["ordered_spec"]})
    return node({**given, "spec": charged.scheme.spec}) | {
        "billed_spec": charged.scheme.spec,
        "not_cny": ordered["payable_cny"],
    }


def refused(given: Given) -> Figures:
    """Work out why a contract or an order is refused, and what would be accepted."""
    with pytest.raises(tuple(REFUSALS)) as refusal:
        _asked(given)
    priced = {dict(r.dimensions)["region"] for r in shipped().rates if r.item is Item.TOKENS}
    names = (name for kind, name in REFUSALS.items() if isinstance(refusal.value, kind))
    return {
        "error": next(names),
        "allowed_months": list(shipped().terms),
        "mainland_regions": sorted(priced),
    }


def shared(given: Given) -> Figures:
    """Work out a sum that is cut into parts by weight."""
    weights = given["weights"]
    named = weights if isinstance(weights, Mapping) else dict(enumerate(weights))
    parts = Money(Fraction(given["amount"]), "CNY").share(list(named.values()), 2)
    found = {who: fen(part) for who, part in zip(named, parts, strict=True)}
    return {"shares": found if isinstance(weights, Mapping) else list(found.values())}


def advice(given: Given) -> Figures:
    """Work out from which hours and tokens a month a subscription is cheaper."""
    cases = given.get("cases") or [(given["region_id"], given["spec"])]
    found = [{"region_id": r, "spec": s} | _break_even(r, s) for r, s in map(_place, cases)]
    return found[0] | {"cases": found}


def peers(given: Given) -> Figures:
    """Work out what other providers print, by the same rates."""
    return {"cases": [fen(cut(_of_peer(case))) for case in given["cases"]]}


def _place(case: Given | Sequence[str]) -> tuple[str, str]:
    region, spec = (case["region_id"], case["spec"]) if isinstance(case, Mapping) else case
    return region, spec


def _order(given: Given) -> AppOrder:
    return AppOrder(
        id="o1",
        account="acme",
        cluster="pc-1",
        cluster_region=given["region_id"],
        region=given["region_id"],
        mode=given.get("mode", "hourly"),
        spec=given["ordered_spec"],
        engine="vLLM",
        own_model=OwnModel("models", "qwen", "own", given["region_id"]),
        max_access=given.get("max_access"),
        months=given.get("months"),
        quantity=given.get("quantity"),
    )


def _asked(given: Given) -> None:
    """Ask for what is to be refused."""
    if "ordered_spec" in given:
        check_order(Ask(_order(given), shipped_catalogue(), shipped(), BEGIN))
    ever = Period(BEGIN, FOR_EVER)
    check_contract(contract("c", _scheme(given), given, ever, "n1"), _priced(given))


def _scheme(given: Given) -> Scheme:
    months = given.get("months", 1)
    match given:
        case {"size_class": size}:
            return PerToken(size)
        case {"kvcache_gb": gb, "mode": "subscription"}:
            return KvCacheSubscription(gb, months)
        case {"kvcache_gb": gb}:
            return KvCacheHourly(gb)
        case {"mode": "hourly", "spec": spec}:
            return Hourly(spec)
        case _:
            return Subscription(given["spec"], months, Decimal(given.get("term_discount", "1")))


def _priced(given: Given) -> PriceBook:
    hourly, monthly = given.get("gb_hour_cny"), given.get("gb_month_cny")
    return priced_cache(given, shipped(), hourly=hourly, monthly=monthly)


def _overflow(given: Given) -> Figures:
    """Work out a reserved node and what spills over to a pool at prices of its own."""
    said, pool = given["dedicated"], given["pool"]
    spans = [] if said["mode"] == "subscription" else spans_of(said)
    begin = spans[0].start if spans else at(said.get("start", BEGIN.isoformat()))
    scheme = _scheme(said)
    ever = Period(begin, FOR_EVER)
    term = term_of(scheme, begin) if isinstance(scheme, Subscription) else ever
    spilled = replace(contract("p", PerModelToken(), {}, ever), pool="shared", region=_region(said))
    prices = {m: pool.get(f"{n}_cny_per_million") for m, n in _POOL_METERS.items()}
    rates = (_pool_rate(_region(said), meter, price) for meter, price in prices.items() if price)
    book = by_policy(said, shipped())
    book = replace(book, rates=(*book.rates, *rates))
    contracts = [contract("s", scheme, said, term, "n1"), spilled]
    inputs = month(begin, contracts, spans, _spilled(given, begin.isoformat()), book)
    charges, bill = rate(inputs).charges, bill_of(inputs)
    [reserved] = spill_report(charges, book).reservations
    dedicated = total(c for c in charges if c.kind in {*PREPAID, Kind.NODE_TIME})
    used = total(c for c in charges if c.kind is Kind.TOKENS)
    return {
        "dedicated_cny": fen(dedicated) if not spans else text(dedicated),
        "dedicated_payable_cny": fen(cut(dedicated)),
        "dedicated_tokens": reserved.tokens,
        "pool_cny": fen(cut(used)),
        "pool_total_cny": text(used),
        "total_cny": fen(bill.payable),
        "payable_cny": fen(bill.payable),
    }


def _spilled(given: Given, when: str) -> list[Usage]:
    pool = given["pool"]
    counted = {
        m: f"{pool[f'{n}_tokens']}" for m, n in _POOL_METERS.items() if f"{n}_tokens" in pool
    }
    inside = {"fresh": f"{given.get('dedicated_tokens', 0)}"}
    counted["reason"] = pool.get("reason", "saturated")
    return [*usage_of(when, "shared", counted), *usage_of(when, "dedicated", inside)]


def _shared(given: Given) -> Figures:
    """Work out what a node costs, and share it by tokens."""
    weights, said = given["tokens_by_tenant"], given["dedicated"]
    prepaid = said.get("mode") == "subscription"
    payable = subscription(said)["order_cny"] if prepaid else node(said)["payable_cny"]
    parts = shared({"amount": payable, "weights": weights})
    return {"payable_cny": payable, "shares_cny": parts["shares"]}


def _region(given: Given) -> str:
    return str(given.get("region_id", REGION))


def _break_even(region: str, spec: str) -> Figures:
    monthly = rate_of(Subscription(spec), region, shipped())
    hours = break_even_hours(monthly, rate_of(Hourly(spec), region, shipped()))
    assert hours is not None
    tokens = {size: rate_of(PerToken(size), REGION, shipped()) for size in SIZES}
    return {
        "break_even_hours": fen(rounded(hours, 2, Rounding.HALF_UP)),
        **{f"break_even_tokens_{s}": break_even_tokens(monthly, r) for s, r in tokens.items()},
    }


def _of_peer(case: Given) -> Fraction:
    """Return a peer's figure: units by the minute, or thousands of tokens a minute by the day."""
    if "ptu" in case:
        hourly = Rate(Item.NODE_HOUR, (), Decimal(case["hourly_per_ptu"]), 1, "Hours", Model.TIME)
        return charge(hourly, Fraction(case["ptu"] * case["minutes"], 60))
    days = case["days"]
    input_rate = Rate(Item.TOKENS, (), Decimal(case["input_cny_per_10ktpm_day"]), 10, "kTPM-Days")
    output_rate = Rate(Item.TOKENS, (), Decimal(case["output_cny_per_ktpm_day"]), 1, "kTPM-Days")
    inputs = charge(input_rate, Fraction(case["input_ktpm"] * days))
    return inputs + charge(output_rate, Fraction(case["output_ktpm"] * days))


def _pool_rate(region: str, meter: str, price: str) -> Rate:
    match = (("meter", (meter,)), ("pool", ("shared",)), ("region", (region,)))
    return Rate(Item.TOKENS, match, Decimal(price), MILLION, "Tokens")


_POOL_METERS = {"fresh": "input", "cached": "cached", "output": "output"}
