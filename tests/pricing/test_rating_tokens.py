"""Tokens by model, class, tier and hour; factors, tiers of price, requests, reservations."""

from dataclasses import replace
from fractions import Fraction

import pytest

from pricing.prices.rate import Item, Model, Rate
from pricing.rating.charge import Charge, Kind
from pricing.rating.inputs import Inputs
from pricing.rating.rating import Rated, rate
from tests.pricing.month_notation import month_from, span
from tests.pricing.rates import OCTOBER, book_of, by, priced, tokens, valid

FRESH = tokens("2", model="qwen3", meter="fresh")
OUTPUT = tokens("8", model="qwen3", meter="output")
ANY = tokens("1")


def rated(inputs: Inputs, *rates: Rate, lines: str = "day") -> Rated:
    return rate(replace(inputs, book=book_of(*rates, policy={"token_lines": lines})))


def charged(inputs: Inputs, *rates: Rate, lines: str = "day") -> list[Charge]:
    charges, blockers = rated(inputs, *rates, lines=lines)

    assert blockers == []
    return charges


def test_tokens_are_charged_at_the_price_of_their_model_and_class(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared requests=2 fresh=1000000 output=500000
    """
    found = [(c.meter, c.billed, c.requests, c.rule) for c in charged(inputs, FRESH, OUTPUT)]

    assert found == [("fresh", 2, 2, "R9 tokens"), ("output", 4, 0, "R9 tokens")]


@pytest.mark.parametrize(
    ("said", "billed"),
    [
        ("provider=bailian", 5),
        ("provider=own", 1),
        ("tier=batch", 5),
        ("tier=flex", 1),
        ("band=32000", 5),
        ("operation=embedding", 5),
        ("resource=ep1", 5),
    ],
)
def test_the_most_specific_price_of_a_request_applies(said: str, billed: int) -> None:
    inputs = month_from(
        f"model m1 shared - 2026-10-01\nused 2026-10-06T10 shared fresh=1000000 {said}"
    )
    special = {"provider": "bailian", "tier": "batch", "band": "32000", "resource": "ep1"}
    special |= {"operation": "embedding"}
    name, _, _ = said.partition("=")

    [charge] = charged(inputs, ANY, tokens("5", **{name: special[name]}))

    assert charge.billed == billed


def test_a_night_tariff_makes_a_line_of_its_own_on_the_same_day(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T07 shared fresh=1000000 requests=1
    used  2026-10-06T08 shared fresh=1000000 requests=2
    used  2026-10-06T21 shared fresh=1000000 requests=4
    used  2026-10-06T22 shared fresh=1000000 requests=8
    used  2026-10-07T00 shared fresh=1000000 requests=16
    """
    night = tokens("0.5", hours="22-08")

    found = {(c.period, c.billed): c.requests for c in charged(inputs, ANY, night)}

    sixth, seventh = span("2026-10-06", "2026-10-07"), span("2026-10-07", "2026-10-08")
    assert found == {(sixth, 1): 9, (sixth, 2): 6, (seventh, Fraction(1, 2)): 16}


def test_another_price_within_a_month_makes_lines_of_sub_periods(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=1000000
    used  2026-10-07T10 shared fresh=1000000
    used  2026-10-07T11 shared fresh=1000000
    used  2026-10-08T10 shared fresh=1000000
    """
    turn = "2026-10-07T11:00"
    rates = valid(ANY, end=turn), valid(tokens("3"), start=turn)

    by_day = [(c.period, c.billed) for c in charged(inputs, *rates)]
    by_month = [(c.period, c.billed) for c in charged(inputs, *rates, lines="month")]

    assert by_day == [
        (span("2026-10-06", "2026-10-07"), 1),
        (span("2026-10-07", turn), 1),
        (span(turn, "2026-10-08"), 3),
        (span("2026-10-08", "2026-10-09"), 3),
    ]
    assert by_month == [(span("2026-10-01", turn), 2), (span(turn, "2026-11-01"), 6)]


def test_a_price_that_changes_within_an_hour_holds_from_the_next_one(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-07T11 shared fresh=1000000
    used  2026-10-07T12 shared fresh=1000000
    """
    turn = "2026-10-07T11:30"

    charges = charged(inputs, valid(ANY, end=turn), valid(tokens("3"), start=turn))

    assert [c.billed for c in charges] == [1, 3]


def test_an_explicit_price_of_zero_stays_zero(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=1000000 requests=1
    """
    free = tokens("0", model="qwen3")

    [charge] = charged(inputs, ANY, free)

    assert (charge.quantity, charge.billed, charge.rate) == (1_000_000, 0, free)


@pytest.mark.parametrize(
    ("factors", "said", "billed", "rule"),
    [
        ("cached:0.2", "cached=1000000", "0.4", "R9 tokens, cached x 0.2"),
        ("written_5m:1.25", "written_5m=1000000", "2.5", "R9 tokens, written_5m x 1.25"),
        ("reasoning:1", "reasoning=1000000", "8", "R9 tokens, reasoning x 1"),
        ("batch:0.5", "fresh=1000000 tier=batch", "1", "R9 tokens, batch x 0.5"),
        (
            "cached:0.2,batch:0.5",
            "cached=1000000 tier=batch",
            "0.2",
            "R9 tokens, cached x 0.2, batch x 0.5",
        ),
        ("fresh:0.5", "fresh=1000000", "2", "R9 tokens"),
        ("batch:0.5", "fresh=1000000", "2", "R9 tokens"),
    ],
)
def test_a_class_or_tier_without_a_price_costs_the_agreed_part_of_another(
    factors: str, said: str, billed: str, rule: str
) -> None:
    inputs = month_from(
        f"model m1 shared - 2026-10-01 factors={factors}\nused 2026-10-06T10 shared {said}"
    )
    standard = [
        replace(r, match=tuple(sorted({**dict(r.match), "tier": ("",)}.items())))
        for r in (FRESH, OUTPUT)
    ]

    [charge] = charged(inputs, *standard)

    assert (charge.billed, charge.rule) == (Fraction(billed), rule)


def test_a_price_of_its_own_goes_before_a_factor(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01 factors=cached:0.2,batch:0.5
    used  2026-10-06T10 shared cached=1000000 tier=batch
    """
    own = tokens("1.5", model="qwen3", meter="cached", tier="batch")

    [charge] = charged(inputs, FRESH, own)

    assert (charge.billed, charge.discount) == (Fraction("1.5"), 1)


def test_a_factor_applies_to_a_price_for_all_classes(inputs: Inputs) -> None:
    """
    token t1 shared small 2026-10-01 factors=cached:0.1,batch:0.5
    used  2026-10-06T10 shared fresh=10000 cached=10000
    used  2026-10-07T10 shared fresh=10000 tier=batch
    """
    found = [(c.meter, c.listed, c.billed) for c in rate(inputs).charges]

    price = Fraction("0.075")
    assert found == [
        ("fresh", price, price),
        ("cached", price, price / 10),
        ("fresh", price, price / 2),
    ]


def test_a_class_without_price_and_factor_blocks_the_bill_and_is_never_free(
    inputs: Inputs,
) -> None:
    """
    model m1 shared - 2026-10-01 factors=reasoning:1
    used  2026-10-06T10 shared fresh=1000000 cached=7 reasoning=5 requests=1
    used  2026-10-07T10 shared cached=8
    """
    charges, blockers = rated(inputs, FRESH)

    about = (
        "book small must have a tokens price for region=cn-hangzhou, model=qwen3, pool=shared, "
        "operation=chat, tier="
    )
    assert [(c.meter, c.requests) for c in charges] == [("fresh", 1)]
    assert blockers == [
        f"15 cached tokens: {about}, meter=cached, found none",
        f"5 reasoning tokens: {about}, meter=reasoning, found none",
    ]


def test_requests_are_charged_where_the_book_prices_them(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared requests=3 fresh=1000000
    used  2026-10-06T11 shared requests=4 operation=rerank
    used  2026-10-06T12 shared requests=5 operation=embedding
    """
    per_request = priced(Item.REQUESTS, "0.5", operation="chat,rerank")

    found = [(c.kind, c.quantity, c.billed, c.requests) for c in charged(inputs, ANY, per_request)]

    assert found == [
        (Kind.REQUESTS, 3, Fraction("1.5"), 0),
        (Kind.TOKENS, 1_000_000, 1, 3),
        (Kind.REQUESTS, 4, 2, 4),
    ]


GRADUATED = by(ANY, Model.GRADUATED, (1_000_000, "4", "0"), (None, "2", "0"))
VOLUME = by(ANY, Model.VOLUME, (1_000_000, "4", "0"), (None, "2", "0"))


@pytest.mark.parametrize(
    ("count", "graduated", "volume"),
    [
        (1, [(0, "0.000004")], "0.000004"),
        (1_000_000, [(0, "4")], "4"),
        (1_000_001, [(0, "4"), (1, "0.000002")], "2.000002"),
    ],
)
def test_a_tier_ends_with_its_bound(
    count: int, graduated: list[tuple[int, str]], volume: str
) -> None:
    inputs = month_from(f"model m1 shared - 2026-10-01\nused 2026-10-06T10 shared fresh={count}")

    found = [(c.tier, c.billed) for c in charged(inputs, GRADUATED)]
    [at_once] = charged(inputs, VOLUME)

    assert found == [(tier, Fraction(amount)) for tier, amount in graduated]
    assert at_once.billed == Fraction(volume)


def test_tiers_count_all_usage_of_the_month_that_their_rate_prices(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    model m2 lab    - 2026-10-01
    used  2026-10-06T10 shared fresh=900000 requests=1
    used  2026-10-07T10 shared fresh=100000 requests=2 project=p1 model=other
    used  2026-10-08T10 shared output=500000 requests=4 reason=full
    used  2026-10-08T10 lab    fresh=600000 requests=8
    """
    found = [
        (c.contract and c.contract.id, c.tier, c.quantity, c.billed, c.requests, c.period)
        for c in charged(inputs, GRADUATED)
    ]

    assert found == [
        ("m1", 0, 1_000_000, 4, 7, OCTOBER),
        ("m1", 1, 500_000, 1, 0, OCTOBER),
        ("m2", 0, 600_000, Fraction("2.4"), 8, OCTOBER),
    ]


def test_a_tiered_line_names_what_its_rate_names_and_no_more(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01 factors=cached:0.5
    used  2026-10-06T10 shared fresh=3000000 cached=2000000 project=p1
    """
    graduated = by(FRESH, Model.GRADUATED, (1_000_000, "4", "0"), (None, "2", "0"))

    found = [(c.model, c.meter, c.project, c.tier, c.billed) for c in charged(inputs, graduated)]

    assert found == [
        ("qwen3", "fresh", "", 0, 4),
        ("qwen3", "fresh", "", 1, 4),
        ("qwen3", "cached", "", 0, 2),
        ("qwen3", "cached", "", 1, 1),
    ]


@pytest.mark.parametrize(
    ("model", "billed"), [(Model.PACKAGE, 6), (Model.FLAT, 2)], ids=["package", "flat"]
)
def test_packages_and_flat_prices_count_the_month(model: Model, billed: int) -> None:
    inputs = month_from("""
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=1000001
    used  2026-10-09T10 shared fresh=1000000
    """)

    [charge] = charged(inputs, by(tokens("2"), model))

    assert (charge.quantity, charge.billed) == (2_000_001, billed)


def test_what_corrections_took_back_altogether_is_no_line(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=5
    used  2026-10-06T11 shared fresh=-5
    """
    assert charged(inputs, ANY) == []


def test_tokens_inside_a_reservation_are_shown_by_the_month_and_cost_nothing(
    inputs: Inputs,
) -> None:
    """
    sub   s1 n1 g4.xlarge.gu10 2026-10-01
    token t1 shared small 2026-10-01
    used  2026-10-06T10 dedicated requests=3 fresh=1000 output=20
    used  2026-10-09T10 dedicated requests=4 fresh=500  project=p1
    used  2026-10-09T10 dedicated requests=8 fresh=7    model=other
    used  2026-10-09T10 shared    requests=1 fresh=10000 reason=queue_full
    """
    charges, blockers = rate(inputs)

    reserved = [(c.model, c.meter, c.quantity, c.requests) for c in charges if not c.reason]
    [overflow] = [c for c in charges if c.reason]
    assert reserved[2:] == [
        ("other", "fresh", 7, 8),
        ("qwen3", "fresh", 1500, 7),
        ("qwen3", "output", 20, 0),
    ]
    assert {(c.period, c.listed, c.billed) for c in charges if c.kind is Kind.RESERVED} == {
        (OCTOBER, 0, 0)
    }
    assert (overflow.reason, overflow.billed) == ("queue_full", Fraction("0.075"))
    assert blockers == []
