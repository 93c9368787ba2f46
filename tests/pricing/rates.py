"""Rates and books of a few rates, for tests that ask what one rate comes to."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

from metering.period import Period
from pricing.prices.book import PriceBook
from pricing.prices.dimension import match_of
from pricing.prices.policy import policy_of
from pricing.prices.rate import TIERED, UNITS, Item, Model, Rate, Tier, usual_model
from tests.pricing.month_notation import at, small_book

HANGZHOU = "cn-hangzhou"
OCTOBER = Period(at("2026-10-01"), at("2026-11-01"))


def priced(item: Item, price: str, per: int = 1, **match: str | Sequence[str]) -> Rate:
    """Build a rate in Hangzhou: values of one dimension by commas, as ``meter="fresh,cached"``."""
    named = {k: v.split(",") if isinstance(v, str) else v for k, v in match.items()}
    where = match_of({"region": [HANGZHOU], **named})
    return Rate(item, where, Decimal(price), per, UNITS[item], usual_model(item))


def tokens(price: str, per: int = 1_000_000, **match: str | Sequence[str]) -> Rate:
    """Build a token rate per million."""
    return priced(Item.TOKENS, price, per, **match)


def by(rate: Rate, model: Model, *tiers: tuple[int | None, str, str]) -> Rate:
    """Return a rate charged by another model: each tier as (up to, price, flat)."""
    found = tuple(Tier(up_to, Decimal(price), Decimal(flat)) for up_to, price, flat in tiers)
    price = found[0].price if model in TIERED else rate.price
    return replace(rate, model=model, tiers=found, price=price)


def valid(rate: Rate, start: str = "2026-01-01", end: str = "2028-01-01") -> Rate:
    """Return a rate that holds for a time."""
    return replace(rate, valid=Period(at(start), at(end)))


def book_of(*rates: Rate, policy: dict[str, Any] | None = None, **changed: Any) -> PriceBook:
    """Build a book of these rates alone."""
    return replace(_small(), rates=rates, policy=policy_of(policy or {}), **changed)


@cache
def _small() -> PriceBook:
    return small_book()
