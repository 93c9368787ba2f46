"""The price of tokens and requests under a contract: a rate of its own, or an agreed factor.

A token class or service tier without a price of its own costs nothing else than what the contract
says in so many words: ``cached = 0.2`` is a fifth of the price of fresh tokens.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from pricing.contracts.contract import Contract
from pricing.contracts.schemes import priced_by
from pricing.prices.book import MissingPriceError, PriceBook
from pricing.prices.rate import Item, Rate
from pricing.rating.charge import Priced
from pricing.rating.usage_match import Served

STANDS_FOR: Mapping[str, str] = {
    "cached": "fresh",
    "written_5m": "fresh",
    "written_1h": "fresh",
    "reasoning": "output",
}
"""Token class -> the class whose price a factor is taken of, where it has none of its own."""

_ONE = Decimal(1)
_WHOLE = Fraction(1)
_RULE = "R9 tokens"


def token_price(
    contract: Contract, served: Served, meter: str, at: datetime, book: PriceBook
) -> Priced:
    """Return what one token of a class costs.

    Raises:
        MissingPriceError: neither the book nor the contract says. It is never guessed.
    """
    wanted = asked(contract, served)
    for as_meter, as_tier in _questions(contract.factors, meter, served.tier):
        try:
            rate = book.rate_for(Item.TOKENS, at, **wanted, tier=as_tier, meter=as_meter)
        except MissingPriceError:
            continue
        return _priced(
            rate, contract.factors, {"meter": (meter, as_meter), "tier": (served.tier, as_tier)}
        )
    raise MissingPriceError(book.name, Item.TOKENS, {**wanted, "tier": served.tier, "meter": meter})


def request_price(
    contract: Contract, served: Served, at: datetime, book: PriceBook
) -> Priced | None:
    """Return what a request costs, or None where the book does not price requests."""
    try:
        rate = book.rate_for(Item.REQUESTS, at, **asked(contract, served), tier=served.tier)
    except MissingPriceError:
        return None
    return Priced(rate, _WHOLE, "requests")


def asked(contract: Contract, served: Served) -> dict[str, str]:
    """Return the dimensions that a price of usage is asked for by, but for class and tier."""
    _, sold_by = priced_by(contract.scheme)
    named = {
        "region": contract.region,
        **(sold_by or {"provider": served.provider, "model": served.model}),
        "pool": served.pool,
        "operation": served.operation,
        "band": served.band,
        "resource": contract.resource or served.resource,
    }
    return {name: value for name, value in named.items() if value}


def _questions(factors: Mapping[str, Decimal], meter: str, tier: str) -> Iterator[tuple[str, str]]:
    """Yield the class and tier to ask for: their own first, then what a factor lets stand in."""
    meters = [meter, *([STANDS_FOR[meter]] if meter in factors and meter in STANDS_FOR else [])]
    tiers = [tier, *([""] if tier in factors else [])]
    return ((m, t) for t in tiers for m in meters)


def _priced(
    rate: Rate, factors: Mapping[str, Decimal], said: Mapping[str, tuple[str, str]]
) -> Priced:
    """Apply the factors of what the rate does not price for itself."""
    if not factors:
        return Priced(rate, _WHOLE, _RULE)
    named = {name for name, _ in rate.match}
    factor, rule = _ONE, _RULE
    for name, (wanted, found) in said.items():
        if wanted in factors and (wanted != found or name not in named):
            factor *= factors[wanted]
            rule += f", {wanted} x {factors[wanted]}"
    return Priced(rate, Fraction(factor), rule)
