"""Laws of rating under any prices: splitting, order, sums before pricing, adjustments."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from metering.usage import Usage, UsageKey
from pricing.bills.posting import Amounts, amounts_of, delta, posted
from pricing.contracts.terms import Discount, Included, Terms
from pricing.prices.book import PriceBook
from pricing.prices.policy import TaxRate
from pricing.prices.rate import Item, Model, Rate
from pricing.rating.charge import Kind, LineKey, total
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from pricing.rating.usage_match import cuts
from tests.pricing.month_notation import small_book
from tests.pricing.month_strategies import instants, months, usage_rows
from tests.pricing.rates import by, priced, tokens, valid

SOME = settings(deadline=None, max_examples=25)
ANY = tokens("0.3")
TIERS = ((10**8, "4", "0"), (10**9, "2", "7"), (None, "1", "0"))
TURN = "2026-10-01T07:30"

TOKEN_PRICES: Mapping[str, tuple[Rate, ...]] = {
    "unit": (ANY,),
    "night": (ANY, tokens("0.1", hours="22-08")),
    "versions": (valid(ANY, end=TURN), valid(tokens("0.4"), start=TURN)),
    "by class": (ANY, tokens("1", meter="fresh,output")),
    "graduated": (by(ANY, Model.GRADUATED, *TIERS),),
    "volume": (by(ANY, Model.VOLUME, *TIERS),),
    "package": (by(ANY, Model.PACKAGE),),
    "flat": (by(ANY, Model.FLAT),),
    "requests": (ANY, priced(Item.REQUESTS, "0.00001")),
}
GROWING = frozenset(TOKEN_PRICES) - {"volume"}
"""Under a volume price a tier that was reached is left again: its line is taken back."""

UNPRICED = frozenset({Kind.RESERVED, Kind.TRUE_UP, Kind.DISCOUNT, Kind.TAX})
"""What needs no price of the book: a reservation's tokens, and a minimum that was promised."""

amounts = st.decimals("0.01", 10**4, places=2)
percents = st.decimals("0.25", 100, places=2)


@st.composite
def books(draw: st.DrawFn, names: frozenset[str] = frozenset(TOKEN_PRICES)) -> PriceBook:
    """Draw a book with prices of nodes and some way to price tokens."""
    book = small_book()
    nodes = tuple(r for r in book.rates if r.item is not Item.TOKENS)
    policy = replace(
        book.policy,
        hour_rounding=draw(st.sampled_from(["second", "minute", "hour_ceil"])),
        token_lines=draw(st.sampled_from(["day", "month"])),
    )
    prices = TOKEN_PRICES[draw(st.sampled_from(sorted(names)))]
    taxes = draw(st.sampled_from([(), (TaxRate("VAT", Decimal("0.06")),)]))
    return replace(book, rates=nodes + prices, policy=policy, taxes=taxes)


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    """Draw any agreements."""
    least, most = sorted([draw(amounts), draw(amounts)])
    return Terms(
        included=draw(st.sampled_from([(), (Included(10**9),), (Included(10**8, "fresh"),)])),
        usage_discount=draw(st.sampled_from([Decimal(0), Decimal("12.5")])),
        minimum=draw(st.sampled_from([None, least])),
        maximum=draw(st.sampled_from([None, most])),
        discounts=draw(
            st.sampled_from(
                [(), (Discount("part", draw(percents)), Discount("sum", amount=draw(amounts)))]
            )
        ),
    )


@st.composite
def agreed_months(draw: st.DrawFn, names: frozenset[str] = frozenset(TOKEN_PRICES)) -> Inputs:
    """Draw a month under any book, whose contracts all have the same terms."""
    agreed = draw(terms())
    inputs = draw(months())
    contracts = [replace(c, terms=agreed) for c in inputs.contracts]
    return replace(inputs, contracts=contracts, book=draw(books(names)))


@SOME
@given(agreed_months(), st.lists(instants, max_size=4), st.data())
def test_billing_progressively_and_late_equals_billing_once(
    inputs: Inputs, cutoffs: list[datetime], drawn: st.DataObject
) -> None:
    carried: dict[LineKey, Amounts] = {}
    for service_to in sorted(cutoffs):
        known = drawn.draw(st.lists(st.sampled_from(inputs.usage), unique_by=lambda u: u.key))
        so_far = replace(inputs, usage=known, service_to=service_to)
        carried = after_posting(so_far, carried)

    assert after_posting(inputs, carried) == {
        c.key: amounts_of(c) for c in rate(inputs).charges if not amounts_of(c).is_nothing
    }


@SOME
@given(agreed_months(), st.lists(instants, max_size=2))
def test_posting_twice_posts_nothing(inputs: Inputs, cutoffs: list[datetime]) -> None:
    for service_to in (*cutoffs, inputs.month.end):
        charges = rate(replace(inputs, service_to=service_to)).charges

        assert delta(charges, {c.key: amounts_of(c) for c in charges}) == []


@SOME
@given(agreed_months(GROWING), instants, instants)
def test_time_that_passes_takes_no_line_back(
    inputs: Inputs, one: datetime, other: datetime
) -> None:
    early, late = (
        {c.key for c in rate(replace(inputs, service_to=end)).charges}
        for end in sorted([one, other])
    )

    assert early <= late


@SOME
@given(agreed_months(), st.data())
def test_the_order_of_usage_and_contracts_does_not_matter(
    inputs: Inputs, drawn: st.DataObject
) -> None:
    shuffled = replace(
        inputs,
        usage=drawn.draw(st.permutations(inputs.usage)),
        contracts=drawn.draw(st.permutations(inputs.contracts)),
    )

    assert rate(shuffled) == rate(inputs)


@SOME
@given(agreed_months(), st.lists(usage_rows(), max_size=30))
def test_usage_summed_between_the_cuts_is_rated_as_it_is_by_the_hour(
    inputs: Inputs, more: list[Usage]
) -> None:
    by_hour = replace(inputs, usage=[*inputs.usage, *more])

    summed = replace(by_hour, usage=summed_between_cuts(by_hour))

    assert sorted(rate(summed).blockers) == sorted(rate(by_hour).blockers)
    assert rate(summed).charges == rate(by_hour).charges


@SOME
@given(agreed_months())
def test_no_charge_depends_on_what_is_missing(inputs: Inputs) -> None:
    priced_ones = rate(inputs)
    unpriced = replace(inputs.book, rates=())

    nothing = rate(replace(inputs, book=unpriced))

    assert {c.kind for c in nothing.charges} <= UNPRICED
    assert len(nothing.blockers) >= len(priced_ones.blockers)


@SOME
@given(agreed_months())
def test_what_a_contract_costs_stays_between_nothing_and_its_maximum(inputs: Inputs) -> None:
    charges = [c for c in rate(inputs).charges if c.contract and c.kind is not Kind.TERM]
    for contract in inputs.own_contracts:
        own = [c for c in charges if c.contract == contract]
        discounts = [c for c in own if c.kind is Kind.DISCOUNT]
        cost = total(own)
        before = cost - total(discounts)

        assert 0 <= cost <= before
        most = contract.terms.maximum
        assert most is None or before <= Fraction(most)


def after_posting(inputs: Inputs, before: Mapping[LineKey, Amounts]) -> dict[LineKey, Amounts]:
    """Return what bills carry after the difference is posted."""
    postings = delta(rate(inputs).charges, before)
    return posted([*before.items(), *((p.key, p.amounts) for p in postings)])


def summed_between_cuts(inputs: Inputs) -> list[Usage]:
    """Sum usage as a store may: under the first hour of its slot."""
    edges = cuts(replace(inputs, usage=[]))
    sums: dict[UsageKey, int] = defaultdict(int)
    for usage in inputs.usage:
        before = [edge for edge in edges if edge <= usage.key.hour]
        hour = before[-1] if before and inputs.to_date.holds(usage.key.hour) else usage.key.hour
        sums[replace(usage.key, hour=hour)] += usage.quantity
    return [Usage(key, quantity) for key, quantity in sums.items()]
