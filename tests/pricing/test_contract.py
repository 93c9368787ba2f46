from calendar import monthrange
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.identity import FOR_EVER
from metering.period import NaiveTimeError, Period, UnknownZoneError
from pricing.contracts.contract import (
    Contract,
    ContractError,
    DiscountError,
    OverlappingContractsError,
    TermError,
    check_contract,
    check_disjoint,
    subscription_period,
)
from pricing.contracts.schemes import Hourly, PerToken, Subscription
from pricing.prices.book import MissingPriceError, UnknownRegionError
from tests.pricing.month_notation import BEIJING, at, month_from, shipped, span

GU10 = "polar.pg.g4.xlarge.gu10"
OCTOBER = span("2026-10-01", "2026-11-01")
NODE = Contract("h1", "acme", Hourly(GU10), "cn-hangzhou", "dedicated", OCTOBER, "n1")
POOL = Contract("t1", "acme", PerToken("small"), "cn-hangzhou", "shared", OCTOBER)


def contracts_of(text: str) -> list[Contract]:
    return list(month_from(text).contracts)


@pytest.mark.parametrize(
    "contract",
    [
        NODE,
        POOL,
        replace(NODE, scheme=Subscription(GU10, 36, Decimal("0.5"))),
        replace(POOL, period=Period(at("2026-10-01"), FOR_EVER), resource="ep1"),
        replace(NODE, period=span("2026-10-01T00:00:07", "2026-10-01T00:00:08")),
    ],
)
def test_a_contract_that_the_book_prices_is_accepted(contract: Contract) -> None:
    check_contract(contract, shipped())

    check_disjoint([contract])


def test_a_term_of_10_months_is_not_sold() -> None:
    with pytest.raises(TermError) as refusal:
        check_contract(replace(NODE, scheme=Subscription(GU10, 10)), shipped())

    assert str(refusal.value) == (
        "a term must be one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 24, 36 months, found 10"
    )


@pytest.mark.parametrize("discount", ["0", "-0.1", "1.01"])
def test_a_discount_factor_is_above_0_and_at_most_1(discount: str) -> None:
    with pytest.raises(DiscountError) as refusal:
        check_contract(replace(NODE, scheme=Subscription(GU10, 1, Decimal(discount))), shipped())

    assert str(refusal.value) == (
        "the discount factor of contract 'h1' must be above 0 and at most 1, "
        f"found {Decimal(discount)}"
    )


@pytest.mark.parametrize("scheme", [Hourly(GU10), Subscription(GU10)])
def test_a_contract_by_time_names_its_node(scheme: Hourly | Subscription) -> None:
    with pytest.raises(ContractError) as refusal:
        check_contract(replace(NODE, scheme=scheme, resource=""), shipped())

    assert str(refusal.value) == "contract 'h1' must name the node it is for, found none"


@pytest.mark.parametrize(
    ("period", "found"),
    [
        (
            span("2026-10-01T00:30", "2026-11-01"),
            ["2026-09-30T16:00:00+00:00", "2026-09-30T17:00:00+00:00", "2026-09-30T16:30:00+00:00"],
        ),
        (
            span("2026-10-01", "2026-10-31T23:59:59"),
            ["2026-10-31T15:00:00+00:00", "2026-10-31T16:00:00+00:00", "2026-10-31T15:59:59+00:00"],
        ),
    ],
)
def test_a_contract_per_token_turns_on_a_whole_hour(period: Period, found: list[str]) -> None:
    with pytest.raises(ContractError) as refusal:
        check_contract(replace(POOL, period=period), shipped())

    before, after, instant = found
    assert str(refusal.value) == (
        "contract 't1' must start and end on a whole hour, by which usage is kept, "
        f"as {before} or {after}, found {instant}"
    )


def test_a_contract_in_an_unknown_region_is_refused() -> None:
    with pytest.raises(UnknownRegionError, match="found 'cn-atlantis'"):
        check_contract(replace(NODE, region="cn-atlantis"), shipped())


def test_a_contract_without_a_price_is_refused_before_any_usage() -> None:
    with pytest.raises(MissingPriceError) as refusal:
        check_contract(replace(POOL, region="eu-central-1"), shipped())

    assert str(refusal.value) == (
        "book polardb-2026 must have a tokens price for region=eu-central-1, size_class=small "
        "at 2026-09-30T16:00:00+00:00, found none"
    )


@pytest.mark.parametrize("naive", ["start", "end"])
def test_a_time_without_a_zone_is_refused(naive: str) -> None:
    ends = {"start": at("2026-10-01"), "end": at("2026-11-01")}
    ends[naive] = datetime(2026, 10, 7, 9)  # noqa: DTZ001 - that is what is refused

    with pytest.raises(NaiveTimeError) as refusal:
        Period(**ends)

    assert str(refusal.value) == (
        "a time must carry its zone, as in 2026-10-01T00:00:00+08:00, found 2026-10-07T09:00:00"
    )


@pytest.mark.parametrize(
    "text",
    [
        """
        hour  a n1 g4.xlarge.gu10 2026-10-01
        hour  b n1 g4.xlarge.gu10 2026-10-07 until=2026-10-08
        """,
        """
        sub   a n1 g4.xlarge.gu10 2026-09-10 months=1
        hour  b n1 g4.xlarge.gu10 2026-10-07
        """,
        """
        hour  a n1 g4.xlarge.gu10 2026-10-01
        hour  b n1 g4.xlarge.gu10 2026-10-07 account=borealis pool=other
        """,
    ],
)
def test_two_contracts_for_one_node_at_a_time_are_refused_by_name(text: str) -> None:
    for listed in permutations(contracts_of(text)):
        names = " and ".join(repr(c.id) for c in listed)

        with pytest.raises(OverlappingContractsError) as refusal:
            check_disjoint(listed)

        assert str(refusal.value) == (
            f"n1 must be under one contract at a time, found {names} "
            "both from 2026-10-06T16:00:00+00:00"
        )


@pytest.mark.parametrize(
    "text",
    [
        """
        token a shared small 2026-10-01
        token b shared small 2026-10-07
        """,
        """
        token a shared small 2026-10-01
        token b shared medium 2026-10-07 resource=ep1
        """,
        """
        token a shared small 2026-10-01
        hour  b n1 g4.xlarge.gu10 2026-10-07 pool=shared
        """,
    ],
)
def test_a_pool_that_would_be_charged_twice_is_refused_by_name(text: str) -> None:
    for listed in permutations(contracts_of(text)):
        names = " and ".join(repr(c.id) for c in listed)

        with pytest.raises(OverlappingContractsError) as refusal:
            check_disjoint(listed)

        assert f"must be under one contract at a time, found {names} both" in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        """
        sub   a n1 g4.xlarge.gu10 2026-09-01 months=1
        hour  b n1 g4.xlarge.gu10 2026-10-02
        """,
        """
        hour  a n1 g4.xlarge.gu10 2026-10-01
        hour  b n2 g4.xlarge.gu10 2026-10-01
        """,
        """
        token a shared small 2026-10-01
        token b shared small 2026-10-01 account=borealis
        token c lab    small 2026-10-01
        hour  d n1 g4.xlarge.gu10 2026-10-01
        """,
        """
        token a lab small  2026-10-01 resource=ep1
        token b lab medium 2026-10-01 resource=ep2
        """,
    ],
)
def test_contracts_for_different_things_or_times_stand_side_by_side(text: str) -> None:
    for listed in permutations(contracts_of(text)):
        check_disjoint(listed)


@pytest.mark.parametrize(
    ("contract", "pool", "resource", "is_covered"),
    [
        (NODE, "dedicated", "n1", True),
        (NODE, "dedicated", "n2", False),
        (NODE, "dedicated", "", True),
        (NODE, "shared", "n1", False),
        (POOL, "shared", "any", True),
        (POOL, "shared", "", True),
        (POOL, "dedicated", "", False),
    ],
)
def test_a_contract_covers_its_pool_and_its_node_if_it_names_one(
    contract: Contract, pool: str, resource: str, *, is_covered: bool
) -> None:
    hour = span("2026-10-06T10:00", "2026-10-06T11:00")

    assert contract.covers(pool, resource, hour) is is_covered


def test_a_contract_covers_nothing_before_its_start_or_from_its_end_on() -> None:
    before = span("2026-09-30T23:00", "2026-10-01T00:00")
    after = span("2026-11-01T00:00", "2026-11-01T01:00")

    assert not POOL.covers("shared", "", before)
    assert not POOL.covers("shared", "", after)


@settings(deadline=None, max_examples=60)
@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001 - zoned below
    st.sampled_from([1, 2, 9, 12, 36]),
)
def test_a_term_ends_at_midnight_after_the_same_day_of_its_last_month(
    start: datetime, months: int
) -> None:
    begun = at(start.isoformat())
    term = subscription_period(Subscription(GU10, months), Period(begun, FOR_EVER), BEIJING)

    end = term.end.astimezone(ZoneInfo(BEIJING))
    last_day = (end - timedelta(days=1)).date()
    days = monthrange(last_day.year, last_day.month)[1]
    assert term.start == begun
    assert end.time() == time(0)
    assert (last_day.year - start.year) * 12 + last_day.month - start.month == months
    assert last_day.day == min(start.day, days)


def test_a_term_in_an_unknown_zone_is_refused() -> None:
    with pytest.raises(UnknownZoneError, match="found 'Beijing'"):
        subscription_period(Subscription(GU10), OCTOBER, "Beijing")
