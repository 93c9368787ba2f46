"""The published formulas, on plain figures."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.advice.break_even import break_even_hours, break_even_tokens
from pricing.contracts.proration import days_of, expenses_and_costs, month_difference
from pricing.prices.rate import Item, Model, Rate
from tests.pricing.month_notation import BEIJING, at, span

PRICES = st.integers(0, 10**8).map(lambda fen: Decimal(fen) / 100)
HOURS = st.integers(0, 10**7).map(lambda seconds: Fraction(seconds, 3600))


@given(new=PRICES, old=PRICES, parts=st.lists(HOURS, max_size=6))
def test_prorated_parts_of_any_split_add_up_to_the_whole(
    new: Decimal, old: Decimal, parts: list[Fraction]
) -> None:
    whole = month_difference(new, old, sum(parts, Fraction(0)))

    assert sum(month_difference(new, old, part) for part in parts) == whole
    assert month_difference(old, new, sum(parts, Fraction(0))) == -whole


@pytest.mark.parametrize(
    ("start", "end", "at_", "total", "used"),
    [
        ("2026-03-12T13:23:56", "2026-04-13", "2026-03-20T10:00", 31, 8),
        ("2026-03-12T13:23:56", "2026-04-13", "2026-03-12T13:23:56", 31, 0),
        ("2026-03-12T13:23:56", "2026-04-13", "2026-03-12T13:23:57", 31, 1),
        ("2026-03-12T13:23:56", "2026-04-13", "2026-03-13T13:23:56", 31, 1),
        ("2028-01-31T10:00", "2028-03-01", "2028-02-29T23:59:59", 29, 30),
    ],
)
def test_a_started_day_is_used(start: str, end: str, at_: str, total: int, used: int) -> None:
    days = days_of(span(start, end), at(at_), BEIJING)

    assert (days.total, days.used, days.remaining) == (total, used, max(0, total - used))
    assert days.unused == Fraction(max(0, total - used), total)


def test_the_last_day_of_a_term_alone_is_no_whole_day() -> None:
    days = days_of(span("2026-04-12T10:00", "2026-04-13"), at("2026-04-12T10:00"), BEIJING)

    assert (days.total, days.unused) == (0, 0)


@given(seconds=st.integers(0, 40 * 86_400))
def test_the_unused_days_never_exceed_the_unused_time(seconds: int) -> None:
    term = span("2026-03-12T13:23:56", "2026-04-13")
    when = min(term.start + timedelta(seconds=seconds), term.end)
    left = Fraction(int((term.end - when).total_seconds()), term.seconds)

    assert 0 <= days_of(term, when, BEIJING).unused <= left


@given(paid=PRICES, old=PRICES, new=PRICES, days=st.integers(0, 2000))
def test_expenses_and_costs_never_give_back_more_than_was_paid_or_less_than_nothing(
    paid: Decimal, old: Decimal, new: Decimal, days: int
) -> None:
    assert 0 <= expenses_and_costs(paid, old, new, days).refund <= paid


def test_a_free_node_is_downgraded_for_nothing() -> None:
    assert expenses_and_costs(Decimal(0), 0, 0, 3).refund == 0


def test_a_price_of_nothing_is_never_beaten() -> None:
    month = Rate(Item.NODE_MONTH, (), Decimal(100), 1, "Months")
    free = Rate(Item.NODE_HOUR, (), Decimal(0), 1, "Hours", Model.TIME)

    assert break_even_hours(month, free) is None
    assert break_even_tokens(month, Rate(Item.TOKENS, (), Decimal(0), 1, "Tokens")) is None


def test_the_token_at_which_a_node_is_as_cheap_counts_as_cheaper() -> None:
    month = Rate(Item.NODE_MONTH, (), Decimal("0.30"), 1, "Months")

    assert (
        break_even_tokens(month, Rate(Item.TOKENS, (), Decimal("0.15"), 10_000, "Tokens")) == 20_000
    )
    assert (
        break_even_tokens(month, Rate(Item.TOKENS, (), Decimal("0.16"), 10_000, "Tokens")) == 18_750
    )
    assert (
        break_even_tokens(month, Rate(Item.TOKENS, (), Decimal("0.17"), 10_000, "Tokens")) == 17_648
    )
