from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from metering.identity import FOR_EVER
from metering.period import Period
from pricing.advice.comparison import Comparison, comparisons, hourly_tokens, token_quote
from pricing.contracts.schemes import PerToken
from tests.pricing.book_notation import book_with
from tests.pricing.month_notation import month_from, small_book

NODE = "hour h1 n1 g4.xlarge.gu10 2026-10-01\n"
GU10_MONTH, GU10_HOUR = Decimal("6405.92"), Decimal("13.3456")


def only(text: str) -> Comparison:
    [found] = comparisons(month_from(text, small_book()))
    return found


def payable(found: Comparison) -> dict[str, str]:
    return {option.name: str(option.payable) for option in found.options}


def test_a_node_is_rated_in_every_way_that_the_book_prices() -> None:
    found = only(
        f"{NODE}ran n1 2026-10-06T00 2026-10-06T10\n"
        "used 2026-10-06T01 dedicated resource=n1 fresh=900000 output=100000 requests=5\n"
    )

    assert payable(found) == {
        "subscription": "6405.92",
        "hourly": "133.45",
        "hourly when busy": "13.34",
        "token medium": "15.00",
        "token small": "7.50",
    }
    assert (found.now.payable, found.hours, found.tokens) == (Decimal("133.45"), 10, 1_000_000)
    assert (found.cheapest.name, found.saving) == ("token small", Decimal("125.95"))
    assert found.idle_hours == 9
    assert found.now.per_million == Fraction("133.45")


def test_the_bound_of_hours_flips_the_choice() -> None:
    """480.0024 hours of 13.3456 are 6405.92: a second less, and paying by the hour is cheaper."""
    found = only(NODE)
    bound = found.break_even_hours
    assert bound == Fraction(GU10_MONTH) / Fraction(GU10_HOUR)

    under = only(f"{NODE}ran n1 2026-10-01T00 2026-10-20T23:59:59\n")
    over = only(f"{NODE}ran n1 2026-10-01T00 2026-10-21T00:01:00\n")

    costs = payable(under), payable(over)
    assert [Decimal(c["hourly"]) < Decimal(c["subscription"]) for c in costs] == [True, False]


def test_a_reservation_runs_all_the_time_and_idles_where_it_serves_nothing() -> None:
    found = only("sub s1 n1 g4.xlarge.gu10 2026-10-01\n")

    assert (found.hours, found.idle_hours) == (744, 744)
    assert payable(found)["hourly"] == "9929.12"
    assert found.now.payable == GU10_MONTH
    assert found.now.per_million is None


def test_a_longer_term_costs_what_its_factor_says() -> None:
    terms = dict(only(NODE).terms)

    assert set(terms) == {1, 2, 12}
    assert set(terms.values()) == {Fraction(GU10_MONTH)}


def test_what_the_book_does_not_price_is_said_and_left_out() -> None:
    inputs = month_from("hour h1 n1 g4.xlarge.gu10 2026-10-01 region=cn-hongkong\n", small_book())
    [found] = comparisons(inputs)

    assert set(payable(found)) == {"subscription", "hourly", "hourly when busy"}
    assert found.break_even_tokens == ()


def test_kv_caches_and_pools_are_no_nodes() -> None:
    text = "kvhour k1 n1 100 2026-10-01\ntoken t1 shared small 2026-10-01\n"

    assert comparisons(month_from(text, small_book())) == []


def test_the_bound_of_tokens_is_the_first_that_costs_as_much() -> None:
    bound = dict(only(NODE).break_even_tokens)["small"]

    assert bound * Fraction("0.075") / 10_000 >= Fraction(GU10_MONTH)
    assert (bound - 1) * Fraction("0.075") / 10_000 < Fraction(GU10_MONTH)


def test_tokens_that_cost_nothing_have_no_bound() -> None:
    tokens = "size_class,cny_per_10k_tokens,where\nsmall,0,mainland\nmedium,0.15,mainland\n"
    [found] = comparisons(month_from(NODE, small_book(tokens=tokens)))

    assert [size_class for size_class, _ in found.break_even_tokens] == ["medium"]


def test_a_price_that_changes_gives_no_one_bound() -> None:
    nodes = (
        "region_id,spec,monthly_cny,hourly_cny,valid_from,valid_to\n"
        "cn-hangzhou,polar.pg.g4.xlarge.gu10,6405.92,13.3456,,2026-10-15\n"
        "cn-hangzhou,polar.pg.g4.xlarge.gu10,7000.00,14.0000,2026-10-15,\n"
    )
    [found] = comparisons(month_from(NODE, small_book(nodes=nodes)))

    assert found.break_even_hours is None
    assert found.break_even_tokens == ()
    assert found.terms == ()


def test_a_node_that_is_paid_per_token_is_compared_by_what_it_was_before() -> None:
    text = "hour h1 n1 g4.xlarge.gu10 2026-10-01 until=2026-10-02\n"
    inputs = month_from(text, small_book())
    [before] = inputs.contracts
    period = Period(before.period.end, FOR_EVER)
    after = replace(before, id="t1", scheme=PerToken("small"), period=period)
    found = comparisons(replace(inputs, contracts=(before, after)))

    assert [one.spec for one in found] == ["polar.pg.g4.xlarge.gu10"] * 2
    assert found[1].hours == 0


@given(st.fractions(min_value=1, max_value=10**6), st.integers(min_value=1, max_value=10**12))
def test_a_quoted_price_rated_again_is_the_reservation(monthly: Fraction, tokens: int) -> None:
    quote = token_quote(monthly, tokens)

    assert quote is not None
    assert quote * tokens / 1_000_000 == monthly


def test_only_size_classes_that_are_for_the_models_served_are_compared() -> None:
    """Small is for qwen3 alone, medium for both: what served llama too cannot be small."""
    book = book_with("class_models: {small: [qwen3], medium: [qwen3, llama]}\n")
    qwen = "used 2026-10-06T01 dedicated resource=n1 fresh=900000 requests=5\n"
    llama = "used 2026-10-06T02 dedicated resource=n1 model=llama fresh=900000 requests=5\n"
    other = qwen.replace("resource=n1", "resource=n1 model=glm")
    refused = llama.replace("fresh=900000 ", "").replace(
        "requests", "outcome=client_error requests"
    )
    unnamed = "used 2026-10-06T03 dedicated resource=n1 model= fresh=1 requests=1\n"

    def classes(usage: str) -> tuple[str, list[str]]:
        text = f"{NODE}ran n1 2026-10-06T00 2026-10-06T10\n{usage}"
        [found] = comparisons(month_from(text, book))
        bounds = [size_class for size_class, _ in found.break_even_tokens]
        assert sorted(f"token {name}" for name in bounds) == sorted(
            name for name in payable(found) if name.startswith("token")
        )
        return found.cheapest.name, bounds

    assert classes(qwen) == ("token small", ["medium", "small"])
    assert classes(qwen + llama) == ("token medium", ["medium"])
    assert classes(other) == ("hourly", [])
    assert classes(qwen + refused + unnamed) == ("token small", ["medium", "small"])


def test_a_token_price_is_quoted_for_what_was_served_and_for_a_busy_month() -> None:
    """Ten busy hours of 10, 20 ... 100 tokens: 550 served; every hour like the fifth, or ninth."""
    hours = "".join(
        f"used 2026-10-06T{h:02} dedicated resource=n1 fresh={h * 10} requests=1\n"
        for h in range(1, 11)
    )
    quotes = dict(only(f"{NODE}ran n1 2026-10-06T00 2026-10-06T12\n{hours}").quotes)

    millions = {"served": 550, "p50": 50 * 744, "p90": 90 * 744}
    assert quotes == {k: Fraction(GU10_MONTH) * 10**6 / n for k, n in millions.items()}
    assert only(NODE).quotes == ()


def test_without_tokens_there_is_no_quote() -> None:
    assert token_quote(Fraction(1), 0) is None
    assert hourly_tokens([], Fraction(1, 2)) == 0


def test_the_hour_at_a_quantile_is_one_of_the_hours() -> None:
    inputs = month_from(
        "token t1 shared small 2026-10-01\n"
        + "".join(
            f"used 2026-10-06T{h:02} shared fresh={h * 10} requests=1\n" for h in range(1, 11)
        )
    )
    usage = inputs.usage

    assert [hourly_tokens(usage, Fraction(p, 10)) for p in (1, 5, 9, 10)] == [10, 50, 90, 100]


def test_of_a_node_whose_spec_nobody_told_only_tokens_are_compared() -> None:
    inputs = month_from("token t1 shared small 2026-10-01\n", small_book())
    [contract] = inputs.contracts
    [found] = comparisons(replace(inputs, contracts=(replace(contract, resource="n9"),)))

    assert set(payable(found)) == {"token small", "token medium"}
    assert any("node-month price" in sentence for sentence in found.missing)
    assert any("node-hour price" in sentence for sentence in found.missing)


def test_a_price_that_ends_within_the_month_is_missing() -> None:
    tokens = (
        "size_class,cny_per_10k_tokens,where,valid_from,valid_to\n"
        "small,0.075,mainland,,2026-10-05\n"
        "medium,0.15,mainland,,\n"
    )
    text = (
        f"{NODE}ran n1 2026-10-06T00 2026-10-06T10\n"
        "used 2026-10-06T01 dedicated resource=n1 fresh=10 requests=1\n"
    )
    [found] = comparisons(month_from(text, small_book(tokens=tokens)))

    assert set(payable(found)) == {"subscription", "hourly", "hourly when busy", "token medium"}
    assert found.missing


def test_of_an_open_month_a_reservation_costs_as_much_as_is_over() -> None:
    """Ten days of 31: a month reserved has cost 2066.43 by now, and not yet 6405.92."""
    found = only(
        f"month 2026-10 to=2026-10-11\n{NODE}ran n1 2026-10-01T00 2026-10-11T00\n"
        "used 2026-10-06T01 dedicated resource=n1 fresh=1000000 requests=5\n"
    )

    assert payable(found)["subscription"] == "2066.43"
    assert payable(found)["hourly"] == "3202.94"
    assert dict(found.quotes)["served"] == Fraction(GU10_MONTH) * 10 / 31
    assert dict(found.quotes)["p50"] == Fraction(GU10_MONTH) / 744


def test_what_a_schedule_can_save_is_told_and_is_never_the_cheapest() -> None:
    found = only(
        f"{NODE}ran n1 2026-10-06T00 2026-10-07T00\n"
        "used 2026-10-06T01 dedicated resource=n1 fresh=900000000 requests=5\n"
        "used 2026-10-06T05 dedicated resource=n1 fresh=900000000 requests=5\n"
    )

    assert payable(found)["hourly when busy"] == "26.69"
    assert (found.cheapest.name, found.saving) == ("hourly", 0)


def test_an_hour_that_a_node_served_in_is_busy_as_long_as_it_ran() -> None:
    found = only(
        f"{NODE}ran n1 2026-10-06T01:30 2026-10-06T02:30\n"
        "used 2026-10-06T01 dedicated resource=n1 fresh=900000000 requests=5\n"
    )

    assert payable(found)["hourly when busy"] == "6.67"
    assert payable(found)["hourly"] == "13.34"
