"""Why two bills differ: each effect is what its name says, and together they are the difference."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.bills.part import Line, line_sum
from pricing.prices.book import PriceBook
from pricing.proof.difference import Effect, Share, difference
from pricing.rating.charge import LineKey
from tests.pricing.month_notation import bill_of, month_from, small_book
from tests.pricing.rates import book_of, tokens

SHARED = "token t1 shared small 2026-10-01\n"
USED = "used 2026-10-06T10 shared requests=3 fresh=1000000 cached=1000000\n"
DEARER = small_book(tokens="size_class,cny_per_10k_tokens,where\nsmall,0.15,mainland\n")
NODE = "hour h1 n2 g4.xlarge.gu10 2026-10-01\n"


def lines(text: str, book: PriceBook | None = None) -> tuple[Line, ...]:
    """Return the lines of a month's bill."""
    [part] = bill_of(month_from(text, book or small_book())).parts
    return part.lines


def effects(before: tuple[Line, ...], after: tuple[Line, ...]) -> Mapping[Effect, Fraction]:
    """Return the effects that are not nothing, having looked that they add up."""
    found = difference(before, after)
    assert sum(share.amount for share in found) == line_sum(after) - line_sum(before)
    assert [share.effect for share in found] == list(Effect)
    return {effect: amount for effect, amount in found if amount}


def test_the_same_bill_differs_in_nothing() -> None:
    assert effects(lines(SHARED + USED), lines(SHARED + USED)) == {}


def test_twice_the_tokens_are_volume() -> None:
    found = effects(lines(SHARED + USED), lines(SHARED + USED + USED))

    assert found == {Effect.VOLUME: 15}


def test_another_price_is_price() -> None:
    found = effects(lines(SHARED + USED), lines(SHARED + USED, DEARER))

    assert found == {Effect.PRICE: 15}


def test_more_of_the_input_from_a_cache_is_cache() -> None:
    contract = "model m1 shared - 2026-10-01 factors=cached:0.1\n"
    priced = _by_model()
    before = lines(contract + "used 2026-10-06T10 shared fresh=1000 cached=1000", priced)
    after = lines(contract + "used 2026-10-06T10 shared fresh=500 cached=1500", priced)

    found = effects(before, after)

    assert set(found) <= {Effect.CACHE, Effect.ROUNDING}
    assert found[Effect.CACHE] < 0


def test_another_model_is_mix() -> None:
    contract = "model m1 shared - 2026-10-01\n"
    priced = _by_model()
    before = lines(contract + "used 2026-10-06T10 shared model=m1 fresh=1000000", priced)
    after = lines(contract + "used 2026-10-06T10 shared model=m2 fresh=1000000", priced)

    assert set(effects(before, after)) == {Effect.MIX}


def test_more_running_hours_are_schedule() -> None:
    before = lines(NODE + "ran n2 2026-10-06T10:00 2026-10-06T12:00")
    after = lines(NODE + "ran n2 2026-10-06T10:00 2026-10-06T14:00")

    found = effects(before, after)

    assert found[Effect.SCHEDULE] == Fraction("26.6912")
    assert set(found) == {Effect.SCHEDULE, Effect.ROUNDING}
    assert set(effects((), after)) == {Effect.SCHEDULE, Effect.ROUNDING}


def test_what_left_a_reservation_is_spill() -> None:
    spilled = "used 2026-10-06T11 shared reason=kv_full fresh=1000000\n"

    assert set(effects(lines(SHARED + USED), lines(SHARED + USED + spilled))) == {Effect.SPILL}


def test_a_subscription_is_other_and_the_first_tokens_are_volume() -> None:
    bought = "sub s1 n1 g4.xlarge.gu10 2026-10-07\n"

    assert set(effects((), lines(bought))) == {Effect.OTHER}
    assert set(effects((), lines(SHARED + USED))) == {Effect.VOLUME}
    assert set(effects(lines(SHARED + USED), ())) == {Effect.VOLUME}


def test_other_tiers_of_the_same_prices_are_tier() -> None:
    [line, _, *_] = lines(SHARED + USED)
    before = (_tier(line, "0", 100, "1.00"), _tier(line, "1", 100, "0.50"))
    after = (_tier(line, "0", 100, "1.00"), _tier(line, "1", 300, "1.50"), _tier(line, "2", 0, "0"))

    found = effects(before, after)

    assert found == {Effect.VOLUME: Fraction("1.5"), Effect.TIER: Fraction("-0.5")}


def test_an_amount_is_shown_as_text() -> None:
    assert Share(Effect.MIX, Fraction(1, 3)).shown == "0.3333333333"


_Said = tuple[object, ...]
AMOUNTS = st.lists(
    st.tuples(
        st.sampled_from(["tokens", "requests", "node-time", "discount"]),
        st.sampled_from(["m1", "m2"]),
        st.sampled_from(["fresh", "cached", "output"]),
        st.sampled_from(["0", "1"]),
        st.sampled_from(["", "", "kv_full"]),
        st.integers(-3, 1000),
        st.decimals("-9", "99", places=4),
    ),
    max_size=8,
)


@given(AMOUNTS, AMOUNTS)
@settings(max_examples=50, deadline=None)
def test_effects_always_add_up(before: list[_Said], after: list[_Said]) -> None:
    [line, *_] = lines(SHARED + USED)

    effects(_made(line, before), _made(line, after))
    back = {s.effect: s.amount for s in difference(_made(line, after), _made(line, after))}
    assert not any(back.values())


def _made(like: Line, said: list[_Said]) -> tuple[Line, ...]:
    found = []
    for kind, model, meter, tier, reason, quantity, cost in said:
        assert like.key is not None
        key: LineKey = like.key._replace(
            kind=str(kind), model=str(model), meter=str(meter), tier=str(tier), reason=str(reason)
        )
        amounts = replace(like.amounts, quantity=Fraction(str(quantity)))
        found.append(Line({**like.cells, "BilledCost": cost}, key, amounts))
    return tuple(found)


def _tier(like: Line, tier: str, quantity: int, cost: str) -> Line:
    assert like.key is not None
    amounts = replace(like.amounts, quantity=Fraction(quantity))
    return Line({**like.cells, "BilledCost": Decimal(cost)}, like.key._replace(tier=tier), amounts)


def _by_model() -> PriceBook:
    return book_of(tokens("2", model="m1"), tokens("4", model="m2"), tokens("2", model="qwen3"))
