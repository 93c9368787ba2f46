import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from metering.period import Period
from metering.resources.schedule import EVER
from pricing.prices.book import ChangingPriceError, MissingPriceError, PriceBook, PriceGapError
from pricing.prices.dimension import match_of
from pricing.prices.lookup import Lookup
from pricing.prices.overlap import first_clash
from pricing.prices.rate import Item, Rate
from tests.pricing.month_notation import at, small_book, span
from tests.pricing.rate_strategies import (
    applies,
    hours_of_day,
    instants,
    questions,
    rates,
)

WANTED = st.sampled_from(list(questions()))


def tokens(price: str, start: str = "", end: str = "", **named: str) -> Rate:
    match = match_of({name: value.split("|") for name, value in named.items()})
    rate = Rate(Item.TOKENS, match, Decimal(price), 1000, "Tokens")
    valid = Period(at(start) if start else rate.valid.start, at(end) if end else rate.valid.end)
    return replace(rate, valid=valid)


def book_of(*rates: Rate, valid: Period = EVER) -> PriceBook:
    return replace(small_book(), rates=rates, valid=valid)


def price_at(book: PriceBook, when: str, **wanted: str) -> str:
    return str(book.rate_for(Item.TOKENS, at(when), **wanted).price)


NIGHT = (tokens("0.8", meter="fresh"), tokens("0.2", meter="fresh", hours="22-08"))
RISE = (tokens("0.8", end="2026-10-15"), tokens("0.9", start="2026-10-15"))


@settings(max_examples=60)
@given(st.lists(rates(), max_size=6), WANTED, instants, st.randoms(use_true_random=False))
def test_the_most_specific_rate_applies_in_whatever_order_they_stand(
    drawn: list[Rate], wanted: dict[str, str], when: datetime, order: Random
) -> None:
    assume(first_clash(drawn) is None)
    shuffled = list(drawn)
    order.shuffle(shuffled)
    book = book_of(*shuffled)
    local = (when.hour + 8) % 24
    holding = [r for r in drawn if r.item is Item.TOKENS and applies(r, wanted, when, local)]

    if holding:
        best = max(holding, key=lambda r: r.specificity)
        assert book.rate_for(Item.TOKENS, when, **wanted) == best
        assert book.explain(Item.TOKENS, when, **wanted)[0] == (best, "applies")
    else:
        with pytest.raises(MissingPriceError):
            book.rate_for(Item.TOKENS, when, **wanted)


@settings(max_examples=25)
@given(st.lists(rates(), max_size=40), st.lists(WANTED, min_size=1, max_size=4))
def test_the_tree_leads_to_all_rates_that_match(
    drawn: list[Rate], asked: list[dict[str, str]]
) -> None:
    lookup = Lookup(drawn)
    for wanted in [*asked, {}, {"meter": "fresh"}]:
        found = lookup.candidates(Item.TOKENS, wanted)

        expected = [r for r in drawn if r.matches(Item.TOKENS, wanted)]
        assert sorted(map(id, found)) == sorted(map(id, expected))
        assert [r.specificity for r in found] == sorted(
            (r.specificity for r in found), reverse=True
        )


@settings(max_examples=50)
@given(st.lists(rates(), max_size=5), WANTED, instants, st.integers(1, 100))
def test_versions_say_of_every_hour_what_applies_in_it(
    drawn: list[Rate], wanted: dict[str, str], start: datetime, hours: int
) -> None:
    assume(first_clash(drawn) is None)
    book = book_of(*drawn)
    period = Period(start, start + timedelta(hours=hours))
    try:
        found = book.versions(Item.TOKENS, period, **wanted)
    except MissingPriceError as gap:
        where = gap.gap.start if isinstance(gap, PriceGapError) else period.start
        with pytest.raises(MissingPriceError):
            book.rate_for(Item.TOKENS, where, **wanted)
        return

    assert [p.start for p, _ in found][1:] == [p.end for p, _ in found][:-1]
    assert (found[0][0].start, found[-1][0].end) == (period.start, period.end)
    assert all(a is not b for (_, a), (_, b) in pairwise(found))
    for part, rate in found:
        for hour in part.hours():
            assert book.rate_for(Item.TOKENS, hour.start, **wanted) is rate


@given(hours_of_day)
def test_a_night_tariff_holds_in_the_hours_of_the_book_s_zone(hour: int) -> None:
    book = book_of(*NIGHT)

    price = price_at(book, f"2026-10-01T{hour:02}:30", meter="fresh")

    assert price == ("0.2" if hour >= 22 or hour < 8 else "0.8")


@pytest.mark.parametrize(("day", "cheap"), [("2026-03-29", 3), ("2026-10-25", 5)])
def test_a_tariff_s_hours_last_as_long_as_the_clock_says_where_it_changes(
    day: str, cheap: int
) -> None:
    rates = (tokens("0.8"), tokens("0.2", hours="02-06"))
    book = replace(book_of(*rates), zone="Europe/Berlin")
    midnight = at(f"{day}T00:00:00+0{1 if day < '2026-04' else 2}:00")

    found = book.versions(Item.TOKENS, Period(midnight, midnight + timedelta(hours=12)))

    assert sum(p.seconds for p, r in found if r.price == Decimal("0.2")) == cheap * 3600


def test_two_versions_in_a_period_are_two_parts() -> None:
    found = book_of(*RISE).versions(Item.TOKENS, span("2026-10-01", "2026-11-01"))

    assert found == [
        (span("2026-10-01", "2026-10-15"), RISE[0]),
        (span("2026-10-15", "2026-11-01"), RISE[1]),
    ]


def test_a_special_price_for_a_while_cuts_the_period_in_three() -> None:
    usual, special = tokens("0.8"), tokens("0.5", "2026-10-10", "2026-10-12", meter="fresh")
    book = book_of(usual, special)

    found = book.versions(Item.TOKENS, span("2026-10-01", "2026-11-01"), meter="fresh")

    assert [(str(r.price), p.seconds // 86_400) for p, r in found] == [
        ("0.8", 9),
        ("0.5", 2),
        ("0.8", 20),
    ]


def test_a_hole_between_two_versions_is_named() -> None:
    book = book_of(tokens("0.8", end="2026-10-15"), tokens("0.9", start="2026-10-16"))

    with pytest.raises(PriceGapError) as refusal:
        book.versions(Item.TOKENS, span("2026-10-01", "2026-11-01"), meter="fresh")

    assert refusal.value.gap == span("2026-10-15", "2026-10-16")
    assert refusal.value.args[0] == (
        "book small must have a tokens price for meter=fresh from 2026-10-14T16:00:00+00:00 "
        "to 2026-10-15T16:00:00+00:00, found none"
    )


def test_no_price_at_all_is_missing_from_the_period_s_start() -> None:
    with pytest.raises(MissingPriceError, match="at 2026-09-30T16:00:00"):
        book_of().versions(Item.TOKENS, span("2026-10-01", "2026-11-01"))


def test_a_book_that_ended_has_no_prices() -> None:
    book = book_of(tokens("0.8"), valid=span("2026-10-01", "2026-11-01"))

    assert price_at(book, "2026-10-31T23:59:59") == "0.8"
    with pytest.raises(MissingPriceError):
        price_at(book, "2026-11-01")
    (lost,) = book.explain(Item.TOKENS, at("2026-11-01"))
    assert lost.why == (
        "its book holds from 2026-09-30T16:00:00+00:00 to 2026-10-31T16:00:00+00:00"
    )


def test_a_price_that_never_changes_needs_no_instant() -> None:
    book = book_of(tokens("0.8"), tokens("0.5", "2026-10-10", meter="fresh"))

    assert book.rate_for(Item.TOKENS, meter="output").price == Decimal("0.8")


@pytest.mark.parametrize(
    "changing",
    [
        RISE,
        NIGHT,
        (tokens("0.8"), tokens("0.5", "2026-10-10", meter="fresh")),
    ],
    ids=["rise", "night", "special"],
)
def test_a_price_that_changes_must_be_asked_for_at_an_instant(changing: Sequence[Rate]) -> None:
    with pytest.raises(ChangingPriceError, match="must be asked for at an instant, found none"):
        book_of(*changing).rate_for(Item.TOKENS, meter="fresh")


def test_an_explanation_says_what_every_rate_lacks() -> None:
    rates = (
        tokens("0.1", region="cn-hongkong"),
        tokens("0.2", meter="fresh|output", tier="batch"),
        tokens("0.3", meter="output", hours="22-08"),
        tokens("0.4", end="2026-10-01"),
        tokens("0.5", start="2026-11-01"),
        tokens("0.6", start="2026-10-01", end="2026-11-01"),
        tokens("0.7", meter="output"),
        Rate(Item.REQUESTS, (), Decimal(1), 1, "Requests"),
    )
    wanted = {"region": "cn-hangzhou", "meter": "output"}

    found = book_of(*rates).explain(Item.TOKENS, at("2026-10-01T12:00"), **wanted)

    assert [(str(rate.price), why) for rate, why in found] == [
        ("0.7", "applies"),
        ("0.6", "names 0 dimensions, the one that applies 1"),
        ("0.2", "needs tier=batch, found nothing"),
        ("0.3", "holds 22-08, found the hour 12"),
        ("0.1", "needs region=cn-hongkong, found cn-hangzhou"),
        ("0.4", "ended 2026-09-30T16:00:00+00:00"),
        ("0.5", "begins 2026-10-31T16:00:00+00:00"),
    ]


def test_an_explanation_calls_the_empty_tier_standard() -> None:
    (lost,) = book_of(tokens("1", tier="batch")).explain(Item.TOKENS, at("2026-10-01"), tier="")

    assert lost.why == "needs tier=batch, found standard"


def test_a_memory_that_is_full_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pricing.prices.lookup._REMEMBERED", 2)  # 20,000 questions would take long
    lookup = Lookup(RISE)

    found = [lookup.candidates(Item.TOKENS, {"model": f"m{n}"}) for n in range(5)]

    assert found == [RISE] * 5


def test_a_value_that_no_rate_names_leads_to_those_that_name_none() -> None:
    named = [tokens("0.5", model=f"m{n}") for n in range(20)]
    lookup = Lookup([*named, tokens("0.9")])

    found = lookup.candidates(Item.TOKENS, {"model": "other"})

    assert [str(r.price) for r in found] == ["0.9"]


def test_prices_are_found_fast_in_a_book_of_two_thousand() -> None:
    """The goal is 2 us for a question asked before and 50 us for a new one; here with slack."""
    many = [
        tokens("0.5", model=f"m{n // 48}", meter=f"t{n // 8 % 6}", provider=f"p{n % 8}")
        for n in range(2000)
    ]
    book, when = book_of(*many), at("2026-10-01")
    questions = [dict(rate.dimensions) for rate in many]
    book.rate_for(Item.TOKENS, when, **questions[0])

    new = seconds_each(book, questions[1:])
    again = min(seconds_each(book, questions) for _ in range(3))

    assert new < 500e-6
    assert again < 20e-6


def seconds_each(book: PriceBook, questions: Sequence[Mapping[str, str]]) -> float:
    when = at("2026-10-01")
    begun = time.process_time()
    for wanted in questions:
        book.rate_for(Item.TOKENS, when, **wanted)
    return (time.process_time() - begun) / len(questions)
