from datetime import timedelta

import pytest
from builders import arrivals_of, hour
from hypothesis import given
from hypothesis import strategies as st

from metering.event import Outcome, Quality
from metering.identity import (
    UNATTRIBUTED,
    AmbiguousIdentityError,
    EmptyIdentityError,
    Identity,
    Kind,
    WholeHourError,
    bind,
    check_unambiguous,
)
from metering.interval import Interval, State, running, running_seconds
from metering.period import HOUR, Period
from metering.report import UnknownDimensionError, report
from metering.rollup import RawKey, fold
from metering.usage import Usage, UsageKey, bound_usage, revised

NOON = hour("2026-10-01T12")
KEY = RawKey(NOON, tenant="t-acme", project="p", api_key="k1", cluster="c1")
DAY = Period(NOON, NOON + timedelta(days=1))


def test_the_most_specific_identity_binds() -> None:
    known = [
        Identity(Kind.CLUSTER, "c1", "by-cluster"),
        Identity(Kind.TENANT, "t-acme", "by-tenant"),
        Identity(Kind.API_KEY, "k1", "by-key", project="named"),
    ]

    assert bind(KEY, known).account == "by-key"
    assert bind(KEY, known).project == "named"
    assert bind(KEY, known[:2]).account == "by-tenant"
    assert bind(KEY, known[:2]).project == "p"


def test_usage_of_nobody_is_unattributed() -> None:
    elsewhere = Identity(Kind.TENANT, "t-other", "other")

    assert bind(KEY, [elsewhere]).account == UNATTRIBUTED


def test_an_identity_binds_only_while_it_is_valid() -> None:
    identity = Identity(Kind.TENANT, "t-acme", "acme", valid=Period(NOON + HOUR, NOON + 2 * HOUR))

    assert bind(KEY, [identity]).account == UNATTRIBUTED


def test_one_value_belongs_to_one_account_at_a_time() -> None:
    first = Identity(Kind.TENANT, "t", "a", valid=DAY)
    after = Identity(Kind.TENANT, "t", "b", valid=Period(DAY.end, DAY.end + HOUR))
    check_unambiguous([first, after])

    with pytest.raises(
        AmbiguousIdentityError,
        match=r"'a' from .* and to 'b' from .*, both valid from 2026-10-01T12",
    ):
        check_unambiguous([first, Identity(Kind.TENANT, "t", "b", valid=DAY)])


def test_identities_change_hands_on_whole_hours_only() -> None:
    half_past = NOON + timedelta(minutes=30)

    with pytest.raises(WholeHourError, match="whole hour, found 2026-10-01T12:30"):
        Identity(Kind.TENANT, "t", "a", valid=Period(NOON, half_past))
    with pytest.raises(EmptyIdentityError, match="kind tenant must have a value"):
        Identity(Kind.TENANT, "", "a")


def test_rows_bound_to_one_account_are_put_together() -> None:
    sums = fold(
        arrivals_of(
            """
            e1 2026-10-01T12:00Z tenant=t1 fresh=10
            e2 2026-10-01T12:10Z tenant=t2 fresh=20 output=1
            """
        )
    )
    both = [Identity(Kind.TENANT, t, "acme") for t in ("t1", "t2")]

    quantities = {k.meter: q for k, q in bound_usage(sums, both).items()}

    assert quantities == {"requests": 2, "fresh": 30, "output": 1}


def key_of_meter(meter: str, account: str = "acme", **said: object) -> UsageKey:
    fixed: dict[str, object] = {
        "hour": NOON, "account": account, "project": "", "cluster": "", "resource": "",
        "pool": "", "model": "m", "operation": "chat", "outcome": Outcome.OK,
        "quality": Quality.MEASURED, "meter": meter,
    }  # fmt: skip
    return UsageKey(**{**fixed, **said})  # type: ignore[arg-type]


rows = st.dictionaries(st.sampled_from("abcd").map(key_of_meter), st.integers(1, 9), max_size=4)


@given(rows, rows)
def test_a_revision_turns_the_old_rows_into_the_new_ones(
    old: dict[UsageKey, int], new: dict[UsageKey, int]
) -> None:
    changed = revised(old, new)

    assert {k: q for k, q in (old | changed).items() if q} == new
    assert revised(new, new) == {}


def test_a_report_shows_totals_with_their_details_inside() -> None:
    usage = [
        Usage(key_of_meter("requests"), 3),
        Usage(key_of_meter("requests", outcome=Outcome.THROTTLED), 1),
        Usage(key_of_meter("requests", quality=Quality.UNKNOWN), 2),
        Usage(key_of_meter("fresh"), 10),
        Usage(key_of_meter("cached"), 5),
        Usage(key_of_meter("written_1h"), 2),
        Usage(key_of_meter("output"), 7),
        Usage(key_of_meter("reasoning"), 1),
    ]

    found = report(usage, ["account", "hour"])

    figures = found.rows["acme", "2026-10-01T12:00:00+00:00"]
    assert figures == found.totals
    assert (figures.requests, figures.requests_failed, figures.requests_unknown) == (6, 1, 2)
    assert (figures.input_tokens, figures.cached_tokens, figures.cache_write_tokens) == (17, 5, 2)
    assert (figures.output_tokens, figures.reasoning_tokens) == (8, 1)


def test_usage_is_grouped_by_known_dimensions_only() -> None:
    with pytest.raises(UnknownDimensionError, match="found 'colour'"):
        report([], ["colour"])


def test_running_time_counts_each_second_once_and_only_while_running() -> None:
    states = [
        Interval("n1", Period(NOON, NOON + HOUR), State.RUNNING),
        Interval("n1", Period(NOON + HOUR / 2, NOON + 2 * HOUR), State.RUNNING),
        Interval("n1", Period(NOON + 2 * HOUR, NOON + 3 * HOUR), State.STOPPED),
        Interval("n2", DAY, State.RUNNING),
    ]

    assert running(states, "n1", DAY) == [Period(NOON, NOON + 2 * HOUR)]
    assert running_seconds(states, "n1", Period(NOON + HOUR, DAY.end)) == 3600
