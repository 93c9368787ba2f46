"""What tokens earn and cost: every yuan of a node is somebody's, or idle."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from metering.period import HOUR, Period
from pricing.advice.margin import Custom, Of, Place, margins
from pricing.advice.margin_store import MarginStore, UnknownPlaceError
from pricing.rating.charge import Kind
from pricing.rating.rating import rate
from tests.pricing.month_notation import at, month_from, small_book
from tests.pricing.office_notation import ACME, LATER, OCTOBER, tell
from tests.pricing.rates import OCTOBER as MONTH

POOL = "token t1 shared small 2026-10-01\n"
HOURS = 744
NODE = Fraction("6405.92") * 31 / 32
"""October's share of a month's term: it ends at midnight after its last day (rule R6)."""


def custom(text: str, account: str = "acme") -> Custom:
    """Rate an account's month."""
    inputs = month_from(text, small_book())
    return Custom(account, inputs.usage, inputs.own_contracts, rate(inputs).charges)


def placed(text: str, **costs: str) -> dict[str, Place]:
    """Return places by name."""
    found = margins([custom(text)], MONTH, {name: Decimal(cost) for name, cost in costs.items()})
    return {one.name: one for one in found}


def test_tokens_of_a_pool_are_set_beside_what_it_costs() -> None:
    shared = placed(
        f"{POOL}used 2026-10-06T10 shared requests=1 fresh=3000000 model=a\n"
        "used 2026-10-06T10 shared requests=1 fresh=1000000 model=b\n"
        "used 2026-10-06T12 shared requests=1 fresh=1000000 model=b\n",
        shared="8",
    )["shared"]

    assert (shared.hours, shared.idle_hours, shared.tokens) == (HOURS, HOURS - 2, 5_000_000)
    assert (shared.cost, shared.idle_cost) == (8 * HOURS, 8 * (HOURS - 2))
    assert [(s.of, s.on_use, s.revenue) for s in shared.shares] == [
        (Of("acme", "a"), 6, Fraction("22.5")),
        (Of("acme", "b"), 10, 15),
    ]
    assert shared.margin == Fraction("37.5") - 8 * HOURS
    assert sum(share.margin for share in shared.shares) == shared.margin


def test_a_node_earns_its_time_and_shares_it_among_its_models() -> None:
    node = placed(
        "sub s1 n1 g4.xlarge.gu10 2026-10-01 months=1\n"
        "used 2026-10-06T10 dedicated requests=1 fresh=100 model=a\n"
        "used 2026-10-06T11 dedicated requests=1 fresh=900 model=b resource=n1\n",
        n1="5",
    )["n1"]

    assert node.idle_hours == HOURS - 2
    assert node.revenue == NODE
    assert [share.revenue for share in node.shares] == [NODE / 2] * 2
    assert node.margin == NODE - 5 * HOURS


def test_a_node_that_serves_nothing_is_idle_and_still_earns() -> None:
    node = placed("sub s1 n1 g4.xlarge.gu10 2026-10-01 months=1", n1="5")["n1"]

    assert (node.idle_hours, node.idle_cost, node.tokens) == (HOURS, node.cost, 0)
    [share] = node.shares
    assert (share.of, share.revenue) == (Of("acme", ""), NODE)
    assert (share.on_use, share.on_reservation) == (0, 0)


def test_what_has_no_cost_and_what_is_not_of_the_month_is_left_out() -> None:
    found = placed(
        f"{POOL}used 2026-10-06T10 shared requests=1 fresh=10\n"
        "used 2026-10-06T10 other requests=1 fresh=10\n"
        "used 2026-11-06T10 shared requests=1 fresh=10\n",
        other="1",
        shared="1",
    )

    assert {name: place.tokens for name, place in found.items()} == {"other": 10, "shared": 10}
    assert found["other"].revenue == 0
    assert placed(f"{POOL}used 2026-10-06T10 shared fresh=10", n9="1")["n9"].tokens == 0


def test_pools_with_two_nodes_of_a_customer_are_not_guessed_apart() -> None:
    two = (
        "hour h1 n1 g4.xlarge.gu10 2026-10-01\nhour h2 n2 g4.xlarge.gu10 2026-10-01\n"
        "used 2026-10-06T10 dedicated requests=1 fresh=10\n"
    )

    found = placed(two, n1="1", n2="1", dedicated="1")

    assert {name: place.tokens for name, place in found.items()} == {
        "dedicated": 10, "n1": 0, "n2": 0,
    }  # fmt: skip


@given(
    used=st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from("ab"), st.integers(0, 10**7)), max_size=8
    ),
    cost=st.decimals(0, 1000, places=4),
)
def test_every_yuan_is_shared_or_idle(used: list[tuple[int, str, int]], cost: Decimal) -> None:
    lines = [
        f"used {at('2026-10-06') + timedelta(hours=hour):%Y-%m-%dT%H:%M+00:00} shared "
        f"requests=1 fresh={tokens} model={model}"
        for hour, model, tokens in used
    ]
    one = custom("\n".join([POOL, *lines]))

    [place] = margins([one], MONTH, {"shared": cost})

    on_use = sum((share.on_use for share in place.shares), Fraction(0))
    on_reservation = sum((share.on_reservation for share in place.shares), Fraction(0))
    assert on_use + place.idle_cost == place.cost
    assert on_reservation == (place.cost if on_use else 0)
    charged = (c for c in one.charges if c.kind is Kind.TOKENS)
    assert place.revenue == sum((c.billed for c in charged), Fraction(0))


def test_margins_come_from_the_ledger_up_to_now(ledger: Engine) -> None:
    office = tell(ledger, f"{POOL}used 2026-10-06T10 shared requests=1 fresh=1000000")
    store = MarginStore(office)

    whole = store.found([ACME], "2026-10", {"shared": Decimal(2)}, LATER)
    part = store.found([ACME], "2026-10", {"shared": Decimal(2)}, OCTOBER.start + 90 * HOUR / 60)
    before = store.found([ACME], "2026-10", {"shared": Decimal(2)}, OCTOBER.start - HOUR)

    assert (whole.period, whole.currency) == (OCTOBER, "CNY")
    assert whole.places[0].revenue == Fraction("7.5")
    assert part.period == Period(OCTOBER.start, OCTOBER.start + HOUR)
    assert part.places[0].tokens == 0
    assert before.places[0].cost == 0
    with pytest.raises(UnknownPlaceError, match="found 'typo'"):
        store.found([ACME], "2026-10", {"typo": Decimal(2)}, LATER)
