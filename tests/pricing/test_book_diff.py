from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from metering.period import Period
from metering.resources.schedule import EVER
from pricing.money import Rounding
from pricing.prices.book import Cut, PriceBook, Region
from pricing.prices.diff import (
    Change,
    ChangedFieldError,
    ChangedPastError,
    check_succession,
    differences,
    field_differences,
    priced,
)
from pricing.prices.overlap import first_clash
from pricing.prices.policy import Policy, TaxRate
from pricing.prices.rate import Item, Model, Rate, Tier
from tests.pricing.month_notation import at, small_book, span
from tests.pricing.rate_strategies import instants, rates

NOW = at("2026-11-24")
NEXT_YEAR = at("2027-01-01")
TOKENS = Rate(Item.TOKENS, (("meter", ("output",)),), Decimal("0.8"), 1000, "Tokens")
REQUESTS = Rate(Item.REQUESTS, (), Decimal(1), 1, "Requests")


def book_of(*drawn: Rate) -> PriceBook:
    return replace(small_book(), rates=drawn)


def until(rate: Rate, end: datetime) -> Rate:
    return replace(rate, valid=Period(rate.valid.start, end))


def since(rate: Rate, start: datetime, price: str) -> Rate:
    return replace(rate, valid=Period(start, rate.valid.end), price=Decimal(price))


RISEN = book_of(until(TOKENS, NEXT_YEAR), since(TOKENS, NEXT_YEAR, "1"), REQUESTS)


def test_a_new_price_from_a_day_on_is_a_change_from_that_day() -> None:
    (found,) = differences(book_of(TOKENS, REQUESTS), RISEN)

    assert (found.change, found.period) == (Change.CHANGED, Period(NEXT_YEAR, EVER.end))
    assert found.percent == Decimal("25.00")
    assert found.sentence == (
        "changed from 2026-12-31T16:00:00+00:00: the tokens price for meter=output, "
        "0.8 per 1000 Tokens -> 1.0 per 1000 Tokens (+25.00 %)"
    )


def test_what_is_added_and_what_ends_is_told() -> None:
    found = differences(
        book_of(TOKENS), book_of(until(TOKENS, NEXT_YEAR), since(REQUESTS, NEXT_YEAR, "2"))
    )

    assert [d.sentence for d in found] == [
        "added from 2026-12-31T16:00:00+00:00: the requests price for anything, 2.0 per 1 Requests",
        (
            "ended from 2026-12-31T16:00:00+00:00: the tokens price for meter=output, "
            "0.8 per 1000 Tokens"
        ),
    ]
    assert [d.change for d in found] == [Change.ADDED, Change.ENDED]
    assert [d.percent for d in found] == [None, None]


def test_a_special_price_for_a_while_is_told_with_its_end() -> None:
    special = replace(TOKENS, price=Decimal("0.6"), valid=span("2026-12-01", "2026-12-08"))
    rest = replace(TOKENS, valid=Period(special.valid.end, EVER.end))
    new = book_of(until(TOKENS, special.valid.start), special, rest)

    (found,) = differences(book_of(TOKENS), new)

    assert found.sentence.startswith(
        "changed from 2026-11-30T16:00:00+00:00 to 2026-12-07T16:00:00+00:00: "
    )
    assert found.percent == Decimal("-25.00")


def test_a_percentage_compares_prices_of_one_unit() -> None:
    cheaper = replace(TOKENS, price=Decimal("0.4"), per=500)
    tenth = replace(TOKENS, price=Decimal("8.8"), per=10_000)

    assert [differences(book_of(TOKENS), book_of(r))[0].percent for r in (cheaper, tenth)] == [
        Decimal("0.00"),
        Decimal("10.00"),
    ]


def test_no_percentage_is_told_of_tiers_or_from_nothing() -> None:
    tiers = (Tier(10, Decimal("0.8")), Tier(None, Decimal("0.5"), Decimal(3)))
    tiered = replace(TOKENS, model=Model.GRADUATED, tiers=tiers)
    free = replace(TOKENS, price=Decimal(0))

    pairs = [(free, TOKENS), (TOKENS, tiered), (tiered, TOKENS)]
    found = [differences(book_of(a), book_of(b))[0] for a, b in pairs]

    assert [d.percent for d in found] == [None, None, None]
    assert priced(tiered) == "10: 0.8 | *: 0.5 + 3.0 per 1000 Tokens"


def test_a_price_that_its_book_never_reaches_is_no_difference() -> None:
    year = replace(book_of(TOKENS), valid=Period(at("2026-01-01"), NEXT_YEAR))
    later = replace(REQUESTS, valid=Period(NEXT_YEAR, EVER.end))

    assert differences(year, replace(year, rates=(TOKENS, later))) == []


def test_a_price_cut_in_two_that_say_the_same_is_no_difference() -> None:
    again = replace(TOKENS, valid=Period(NEXT_YEAR, EVER.end))

    assert differences(book_of(TOKENS), book_of(until(TOKENS, NEXT_YEAR), again)) == []


def test_a_change_over_several_versions_is_told_once() -> None:
    risen = [replace(TOKENS, price=Decimal(1), valid=v) for v in cut(EVER, NEXT_YEAR)]

    (found,) = differences(book_of(TOKENS), book_of(*risen))

    assert found.period == EVER


def test_two_changes_of_one_price_are_told_apart() -> None:
    later = at("2027-07-01")
    first, second = since(TOKENS, NEXT_YEAR, "1"), since(TOKENS, later, "1.2")

    found = differences(
        book_of(TOKENS), book_of(until(TOKENS, NEXT_YEAR), until(first, later), second)
    )

    assert [(d.period.start, d.percent) for d in found] == [
        (NEXT_YEAR, Decimal("25.00")),
        (later, Decimal("50.00")),
    ]


def test_a_book_that_ends_ends_its_prices() -> None:
    ended = replace(book_of(TOKENS), valid=Period(EVER.start, NEXT_YEAR))

    (found,) = differences(book_of(TOKENS, until(REQUESTS, at("1980-01-01"))), ended)[1:]

    assert (found.change, found.period.start) == (Change.ENDED, NEXT_YEAR)


def cut(period: Period, instant: datetime) -> tuple[Period, Period]:
    return Period(period.start, instant), Period(instant, period.end)


@settings(max_examples=50)
@given(st.lists(rates(), max_size=3), st.lists(rates(), max_size=3), instants)
def test_books_differ_where_and_only_where_their_prices_do(
    olds: list[Rate], news: list[Rate], when: datetime
) -> None:
    assume(first_clash(olds) is None and first_clash(news) is None)
    found = differences(book_of(*olds), book_of(*news))

    told = {
        (d.rate.item, d.rate.match, d.old and d.old.id, d.new and d.new.id)
        for d in found
        if d.period.holds(when)
    }
    before, after = ids(olds, when), ids(news, when)
    keys = [k for k in before.keys() | after.keys() if before.get(k) != after.get(k)]
    assert told == {(*k, before.get(k), after.get(k)) for k in keys}


def ids(drawn: list[Rate], when: datetime) -> dict[tuple[Item, object], str]:
    return {(r.item, r.match): r.id for r in drawn if r.valid.holds(when)}


def test_a_version_may_follow_that_changes_only_what_is_to_come() -> None:
    check_succession(book_of(TOKENS, REQUESTS), RISEN, NOW)
    check_succession(book_of(TOKENS, REQUESTS), RISEN, NEXT_YEAR)


def test_a_version_that_changes_the_past_is_refused_with_the_rate() -> None:
    with pytest.raises(ChangedPastError) as refusal:
        check_succession(book_of(TOKENS, REQUESTS), RISEN, at("2027-01-01T00:00:01"))

    assert str(refusal.value) == (
        "prices before 2026-12-31T16:00:01+00:00 must stay as they are (let the old rate end and "
        "the new one begin later), found changed from 2026-12-31T16:00:00+00:00: the tokens price "
        "for meter=output, 0.8 per 1000 Tokens -> 1.0 per 1000 Tokens (+25.00 %)"
    )


@pytest.mark.parametrize("new", [(), (TOKENS, REQUESTS, replace(REQUESTS, item=Item.FEE))])
def test_neither_an_old_price_may_go_nor_one_be_added_to_the_past(new: tuple[Rate, ...]) -> None:
    with pytest.raises(ChangedPastError):
        check_succession(book_of(TOKENS, REQUESTS), book_of(*new), NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"currency": "USD"},
        {"minor_said": 3},
        {"zone": "Europe/Berlin"},
        {"postpaid": Cut(2, Rounding.HALF_UP)},
        {"order": Cut(1, Rounding.HALF_UP)},
        {"bands": (0, 8)},
        {"policy": Policy(hour_rounding="minute")},
        {"taxes": (TaxRate("VAT", Decimal("0.06")),)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_has_no_validity_may_not_change_at_all(changed: dict[str, object]) -> None:
    new = replace(book_of(TOKENS), **changed)  # type: ignore[arg-type]

    with pytest.raises(ChangedFieldError, match=r"^book small must keep its "):
        check_succession(book_of(TOKENS), new, NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"checked": "2026-11-30"},
        {"terms": (1, 2, 3, 12)},
        {"term_factors": {12: Decimal("0.8")}},
        {"class_models": {"small": ("qwen3",)}},
        {"regions": (*small_book().regions, Region("r", "R", "R"))},
        {"taxes": (TaxRate("VAT", Decimal("0.06"), Period(NEXT_YEAR, EVER.end)),)},
        {"valid": Period(EVER.start, NEXT_YEAR)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_holds_from_now_on_may_change(changed: dict[str, object]) -> None:
    old, new = book_of(TOKENS), replace(book_of(TOKENS), **changed)  # type: ignore[arg-type]

    check_succession(old, new, NOW)
    assert [d.name for d in field_differences(old, new)] == list(changed)


def test_a_book_that_has_not_begun_may_change_in_everything() -> None:
    old = replace(book_of(TOKENS), valid=Period(NEXT_YEAR, EVER.end))
    new = replace(book_of(REQUESTS), currency="USD", valid=old.valid)

    check_succession(old, new, NOW)
