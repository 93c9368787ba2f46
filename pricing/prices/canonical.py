"""Read a book back from its canonical text: what is stored by hash is what was in force."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from metering.period import Period, parse_instant
from metering.resources.schedule import EVER
from pricing.money import Rounding
from pricing.prices.book import Cut, PriceBook, Region, Scope
from pricing.prices.policy import TaxRate, policy_of
from pricing.prices.rate import Item, Model, Rate, Tier, usual_model


def parse_canonical(text: str) -> PriceBook:
    """Return the book that ``PriceBook.canonical`` wrote."""
    said = json.loads(text)
    return PriceBook(
        name=said["name"],
        source=said["source"],
        checked=said["checked"],
        currency=said["currency"],
        zone=said["zone"],
        provider=said["provider"],
        postpaid=_cut(said["postpaid"]),
        order=_cut(said["order"]),
        terms=tuple(said["terms"]),
        regions=tuple(Region(*region) for region in said["regions"]),
        rates=tuple(_rate(rate) for rate in said["rates"]),
        minor_said=said.get("minor"),
        term_factors={months: Decimal(f) for months, f in said.get("term_factors", ())},
        bands=tuple(said.get("bands", ())),
        class_models={name: tuple(models) for name, models in said.get("class_models", ())},
        valid=_period(said.get("valid")),
        policy=policy_of(said.get("policy", {})),
        taxes=tuple(_tax(tax) for tax in said.get("taxes", ())),
    )


def _cut(said: Sequence[Any]) -> Cut:
    places, mode, *scope = said
    return Cut(places, Rounding(mode), *map(Scope, scope))


def _rate(said: Sequence[Any]) -> Rate:
    item, match, price, per, unit = said[:5]
    more = said[5] if len(said) > 5 else {}
    return Rate(
        item=Item(item),
        match=tuple((k, (v,) if isinstance(v, str) else tuple(v)) for k, v in match),
        price=Decimal(price),
        per=per,
        unit=unit,
        model=Model(more.get("model", usual_model(Item(item)))),
        tiers=tuple(Tier(to, Decimal(p), Decimal(flat)) for to, p, flat in more.get("tiers", ())),
        valid=_period(more.get("valid")),
    )


def _tax(said: Sequence[Any]) -> TaxRate:
    name, rate, valid, applies_to = said
    return TaxRate(name, Decimal(rate), _period(valid), tuple(applies_to))


def _period(ends: Sequence[str] | None) -> Period:
    return Period(*map(parse_instant, ends)) if ends else EVER
