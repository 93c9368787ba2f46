import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings

from pricing.prices.book import PriceBook
from pricing.prices.canonical import parse_canonical
from pricing.prices.diff import differences, field_differences
from pricing.prices.policy import Policy, TaxRate
from pricing.prices.rate import Model
from tests.pricing.month_notation import shipped, small_book, span
from tests.pricing.rate_strategies import books


@settings(max_examples=40)
@given(books())
def test_a_book_is_read_back_as_it_was_written(book: PriceBook) -> None:
    again = parse_canonical(book.canonical())

    assert again == book
    assert again.canonical() == book.canonical()
    assert (differences(book, again), field_differences(book, again)) == ([], [])


def test_the_shipped_book_is_read_back() -> None:
    assert parse_canonical(shipped().canonical()) == shipped()


def test_what_is_as_usual_is_left_out_so_that_old_hashes_hold() -> None:
    told = json.loads(small_book().canonical())

    assert list(told) == [
        "name", "source", "checked", "currency", "zone", "provider", "postpaid", "order", "terms",
        "regions", "rates",
    ]  # fmt: skip
    assert {len(rate) for rate in told["rates"]} == {5}


def test_where_a_rate_stands_is_no_part_of_the_book() -> None:
    book = small_book()
    moved = replace(book, rates=tuple(replace(r, line="elsewhere") for r in book.rates))

    assert moved.digest == book.digest


@pytest.mark.parametrize(
    "changed",
    [
        {"minor_said": 2},
        {"term_factors": {12: Decimal("0.85")}},
        {"bands": (0, 32_000)},
        {"class_models": {"small": ("qwen3",)}},
        {"valid": span("2026-10-01", "2026-11-01")},
        {"policy": Policy(max_lines=7)},
        {"taxes": (TaxRate("VAT", Decimal("0.06")),)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_else_a_book_says_changes_the_digest(changed: dict[str, object]) -> None:
    book = replace(small_book(), **changed)  # type: ignore[arg-type]

    assert book.digest != small_book().digest
    assert parse_canonical(book.canonical()) == book


def test_how_a_rate_charges_and_when_changes_the_digest() -> None:
    first, *others = small_book().rates
    changed = [
        replace(first, model=Model.FLAT),
        replace(first, valid=span("2026-01-01", "2027-01-01")),
    ]

    digests = {replace(small_book(), rates=(r, *others)).digest for r in (first, *changed)}
    assert len(digests) == 3
