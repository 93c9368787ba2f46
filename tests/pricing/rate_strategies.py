"""Rates that collide on purpose, and the slow, plain way to find the one that applies."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any

from hypothesis import strategies as st

from metering.period import Period
from metering.resources.schedule import EVER
from pricing.money import Rounding
from pricing.prices.book import Cut, PriceBook, Scope
from pricing.prices.dimension import HOURS, match_of
from pricing.prices.policy import Overdue, Policy, TaxRate
from pricing.prices.rate import TIERED, UNITS, Item, Model, Rate, Tier, usual_model
from tests.pricing.month_notation import at, small_book

VALUES = {
    "region": ("cn-hangzhou", "cn-hongkong"),
    "meter": ("fresh", "output"),
    "model": ("qwen3", "deepseek", "glm"),
    "tier": ("", "batch"),
}
SPANS = ("22-08", "08-22", "06-12")
MONTHS = tuple(at(f"2026-{month:02}-01") for month in range(9, 13))

prices = st.decimals(0, 10, places=10) | st.sampled_from([Decimal(0), Decimal("0.075")])
quantities = st.fractions(0, 5000) | st.integers(0, 5000).map(Fraction)
validities = st.sampled_from(
    [EVER, *(Period(a, b) for a in (EVER.start, *MONTHS) for b in (*MONTHS, EVER.end) if a < b)]
)
hours_of_day = st.integers(0, 23)
instants = st.integers(0, 4 * 31 * 24).map(lambda n: at("2026-08-25") + timedelta(hours=n))


@st.composite
def matches(draw: st.DrawFn) -> Mapping[str, Sequence[str]]:
    """Draw some dimensions with some of their values, and perhaps hours."""
    names = draw(st.sets(st.sampled_from([*VALUES, HOURS]), max_size=3))
    known = {**VALUES, HOURS: SPANS}
    return {n: draw(st.lists(st.sampled_from(known[n]), min_size=1, max_size=2)) for n in names}


@st.composite
def tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    """Draw tiers, the last without an end."""
    bounds = sorted(draw(st.sets(st.integers(1, 3000), max_size=4)))
    flats = st.just(Decimal(0)) | prices
    return tuple(Tier(b, draw(prices), draw(flats)) for b in [*bounds, None])


@st.composite
def rates(draw: st.DrawFn, *models: Model) -> Rate:
    """Draw a rate of any model, or of one of some."""
    item = draw(st.sampled_from([Item.TOKENS, Item.REQUESTS, Item.NODE_HOUR]))
    model = draw(st.sampled_from(models or (usual_model(item), *Model)))
    steps = draw(tiers()) if model in TIERED else ()
    return Rate(
        item=item,
        match=match_of(draw(matches())),
        price=steps[0].price if steps else draw(prices),
        per=draw(st.sampled_from([1, 7, 1000])),
        unit=UNITS[item],
        model=model,
        tiers=steps,
        valid=draw(validities),
    )


@st.composite
def books(draw: st.DrawFn) -> PriceBook:
    """Draw a book in which nothing need make sense, except that it can be written."""
    factors = draw(st.dictionaries(st.integers(1, 36), st.decimals("0.01", 1, places=4)))
    cuts = st.builds(Cut, st.integers(0, 4), st.sampled_from(Rounding), st.sampled_from(Scope))
    tax = st.builds(TaxRate, st.text(), prices, validities, st.just(()) | st.just(("tokens",)))
    policies = st.builds(
        Policy,
        hour_rounding=st.sampled_from(["second", "minute", "hour_ceil"]),
        postpaid_overdue=st.builds(Overdue, st.just(0), st.integers(1, 3), st.integers(4, 9)),
        max_bill=st.none() | prices,
        max_lines=st.integers(1, 10),
    )
    changed: dict[str, Any] = {
        "name": draw(st.text()),
        "postpaid": draw(cuts),
        "order": draw(cuts),
        "rates": tuple(draw(st.lists(rates(), max_size=4))),
        "minor_said": draw(st.none() | st.integers(0, 4)),
        "term_factors": factors,
        "bands": tuple(sorted(draw(st.sets(st.integers(0, 10**6), max_size=3)))),
        "class_models": draw(
            st.dictionaries(st.text(), st.lists(st.text(), min_size=1).map(tuple), max_size=3)
        ),
        "valid": draw(validities),
        "policy": draw(policies),
        "taxes": tuple(draw(st.lists(tax, max_size=2))),
    }
    return replace(small_book(), **changed)


def questions() -> Iterator[dict[str, str]]:
    """Yield a value of every dimension, in every combination."""
    for values in product(*VALUES.values()):
        yield dict(zip(VALUES, values, strict=True))


def applies(rate: Rate, wanted: Mapping[str, str], when: datetime, hour: int) -> bool:
    """Whether a rate prices something at an instant, told from its fields one by one."""
    for name, values in rate.match:
        if name == HOURS:
            if not any(in_span(span, hour) for span in values):
                return False
        elif wanted[name] not in values:
            return False
    return rate.valid.start <= when < rate.valid.end


def in_span(span: str, hour: int) -> bool:
    """Whether an hour of the day lies in ``HH-HH``."""
    start, end = map(int, span.split("-"))
    return start <= hour < end if start < end else hour >= start or hour < end
