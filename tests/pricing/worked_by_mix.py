"""Work out examples of pools beside nodes, of KV-caches, of own models, and of advice."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from metering.identity import FOR_EVER
from metering.interval import Resource
from metering.period import Period, month_of
from metering.usage import Usage
from pricing.advice.break_even import break_even_hours, break_even_tokens
from pricing.contracts.contract import Contract, ContractError, check_contract
from pricing.contracts.order import AppOrder, OwnModel, opened
from pricing.contracts.schemes import (
    Hourly,
    KvCacheHourly,
    PerModelToken,
    PerToken,
    Scheme,
    Subscription,
    rate_of,
)
from pricing.money import Money, Rounding, plain, rounded
from pricing.prices.book import PriceBook
from pricing.prices.rate import Item, Model, Rate, charge
from pricing.rating.charge import PREPAID, Kind, total
from pricing.rating.rating import rate
from tests.pricing.month_notation import BEIJING, at, bill_of, shipped, term_of, usage_of
from tests.pricing.worked_by_time import (
    Figures,
    Given,
    by_policy,
    contract,
    fen,
    month,
    node,
    totals,
)

REGION = "cn-hangzhou"
MILLION = 1_000_000
FEE_PLACES = 8
"""Decimals that the public document shows of a fee, before it charges two of them."""
BEGIN = at("2026-01-01")


def hybrid(given: Given) -> Figures:
    """Work out a dedicated node: with what spills over to a pool, or shared among tenants."""
    return _overflow(given) if "pool" in given else _shared(given)


def kv_cache(given: Given) -> Figures:
    """Work out a KV-cache's month, or the sizes that are sold."""
    if "sizes_gb" in given:
        return _sizes(given)
    gb, period = given["kvcache_gb"], month_of(given["month"], BEIJING)
    book = _with_rates(by_policy(given), _kv_cache_rate(given["gb_hour_cny"]))
    inputs = month(period.start, [_kv_cache(gb, period)], [period], book=book)
    hours = sum((c.quantity for c in rate(inputs).charges), Fraction(0))
    return totals(inputs, bill_of(inputs)) | {"gb_hours": int(hours)}


def fee_to_the_second(given: Given) -> Figures:
    """Work out gigabytes at a ten-decimal price for so many seconds."""
    period = Period(BEGIN, BEGIN + timedelta(seconds=given["seconds"]))
    book = _with_rates(shipped(), _kv_cache_rate(given["price"]))
    inputs = month(BEGIN, [_kv_cache(given["gb"], period)], [period], book=book)
    fee = rounded(total(rate(inputs).charges), FEE_PLACES, Rounding.DOWN)
    charged = bill_of(inputs).payable
    return {
        "fee": plain(fee),
        "charged": fen(charged),
        "round_down": plain(fee - charged),
    }


def own_model(given: Given) -> Figures:
    """Work out an own model, of which the node that is deployed is charged."""
    order = AppOrder(
        id="o1",
        account="acme",
        cluster="pc-1",
        cluster_region=given["region_id"],
        region=given["region_id"],
        mode="hourly",
        spec=given["ordered_spec"],
        engine="vLLM",
        own_model=OwnModel("models", "qwen", "own", given["region_id"]),
    )
    deployed = Resource("n1", "acme", given["region_id"], given["deployed_spec"])
    found = opened(order, deployed, BEGIN, shipped())
    [charged] = found.contracts
    assert isinstance(charged.scheme, Hourly)
    assert len(found.notices) == (given["ordered_spec"] != given["deployed_spec"])
    ran = {"region_id": given["region_id"], "seconds": given["seconds"]}
    ordered = node({**ran, "spec": given["ordered_spec"]})
    return node({**ran, "spec": charged.scheme.spec}) | {
        "billed_spec": charged.scheme.spec,
        "not_cny": ordered["payable_cny"],
    }


def advice(given: Given) -> Figures:
    """Work out from which hours and tokens a month a subscription is cheaper."""
    per_token = rate_of(PerToken("medium"), REGION, shipped())
    return {
        "cases": [
            {"region_id": region, "spec": spec} | _break_even(region, spec, per_token)
            for region, spec in given["cases"]
        ]
    }


def peers(given: Given) -> Figures:
    """Work out what other providers print, by the same rates."""
    return {"cases": [fen(_cut(_of_peer(case))) for case in given["cases"]]}


def _overflow(given: Given) -> Figures:
    """Work out a reserved node and what spills over to a pool at prices of its own."""
    said, pool = given["dedicated"], given["pool"]
    scheme: Scheme = Subscription(said["spec"], said["months"])
    reserved = contract("s", scheme, said, term_of(Subscription(said["spec"]), BEGIN), "n1")
    spilled = contract("p", PerModelToken(), said, Period(BEGIN, FOR_EVER))
    book = _with_rates(
        shipped(),
        *(
            _pool_rate(meter, pool[f"{name}_cny_per_million"])
            for meter, name in (("fresh", "input"), ("output", "output"))
        ),
    )
    contracts = [reserved, replace(spilled, pool="shared")]
    inputs = month(BEGIN, contracts, usage=_spilled(given), book=book)
    charges, bill = rate(inputs).charges, bill_of(inputs)
    return {
        "dedicated_cny": fen(_cut(total(c for c in charges if c.kind in PREPAID))),
        "pool_cny": fen(_cut(total(c for c in charges if c.kind is Kind.TOKENS))),
        "total_cny": fen(bill.payable),
    }


def _spilled(given: Given) -> list[Usage]:
    pool = given["pool"]
    counted = {"fresh": f"{pool['input_tokens']}", "output": f"{pool['output_tokens']}"}
    inside = {"fresh": f"{given['dedicated_tokens']}"}
    when = BEGIN.isoformat()
    return [*usage_of(when, "shared", counted), *usage_of(when, "dedicated", inside)]


def _shared(given: Given) -> Figures:
    """Work out a node's month, and share it by tokens."""
    weights = given["tokens_by_tenant"]
    payable = node(given["dedicated"])["payable_cny"]
    shares = Money(Fraction(payable), "CNY").share(list(weights.values()), 2)
    return {
        "payable_cny": payable,
        "shares_cny": {who: fen(part) for who, part in zip(weights, shares, strict=True)},
    }


def _sizes(given: Given) -> Figures:
    book = _with_rates(shipped(), _kv_cache_rate("0.02"))
    ever = Period(BEGIN, FOR_EVER)
    return {
        "valid": [_is_sold(_kv_cache(gb, ever), book) for gb in given["sizes_gb"]],
        "default_gb": KvCacheHourly().gb,
    }


def _is_sold(asked: Contract, book: PriceBook) -> bool:
    try:
        check_contract(asked, book)
    except ContractError:
        return False
    return True


def _break_even(region: str, spec: str, per_token: Rate) -> Figures:
    monthly = rate_of(Subscription(spec), region, shipped())
    hours = break_even_hours(monthly, rate_of(Hourly(spec), region, shipped()))
    assert hours is not None
    return {
        "break_even_hours": fen(rounded(hours, 2, Rounding.HALF_UP)),
        "break_even_tokens_medium": break_even_tokens(monthly, per_token),
    }


def _of_peer(case: Given) -> Fraction:
    """Return a peer's figure: units by the minute, or thousands of tokens a minute by the day."""
    if "ptu" in case:
        hourly = _rate(Item.NODE_HOUR, case["hourly_per_ptu"], model=Model.TIME)
        return charge(hourly, Fraction(case["ptu"] * case["minutes"], 60))
    days = case["days"]
    input_rate = _rate(Item.TOKENS, case["input_cny_per_10ktpm_day"], per=10)
    output_rate = _rate(Item.TOKENS, case["output_cny_per_ktpm_day"])
    inputs = charge(input_rate, Fraction(case["input_ktpm"] * days))
    return inputs + charge(output_rate, Fraction(case["output_ktpm"] * days))


def _kv_cache(gb: int, period: Period) -> Contract:
    return contract("kv", KvCacheHourly(gb), {"region_id": REGION}, period, "n1")


def _kv_cache_rate(price: str) -> Rate:
    region = (("region", (REGION,)),)
    return _rate(Item.KV_CACHE_HOUR, price, match=region, model=Model.TIME)


def _pool_rate(meter: str, price: str) -> Rate:
    match = (("meter", (meter,)), ("pool", ("shared",)))
    return _rate(Item.TOKENS, price, match=match, per=MILLION)


def _rate(
    item: Item,
    price: str,
    *,
    match: tuple[tuple[str, tuple[str, ...]], ...] = (),
    per: int = 1,
    model: Model = Model.UNIT,
) -> Rate:
    return Rate(item, match, Decimal(price), per, "Units", model)


def _with_rates(book: PriceBook, *rates: Rate) -> PriceBook:
    return replace(book, rates=(*book.rates, *rates))


def _cut(amount: Fraction) -> Decimal:
    return rounded(amount, 2, Rounding.DOWN)
