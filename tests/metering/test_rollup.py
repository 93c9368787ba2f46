from dataclasses import replace

import pytest
from builders import T0, event, usage_events
from hypothesis import given
from hypothesis import strategies as st

from metering.arrival import Arrival, conflicts, first_arrivals
from metering.choice import Why, verdicts
from metering.event import Outcome, Quality, Role
from metering.event_sql import DIMENSIONS
from metering.rollup import RawKey, Sums, added, fold, raw_key

streams = st.lists(usage_events, max_size=14).map(
    lambda events: [Arrival(e, T0 + i) for i, e in enumerate(events)]
)


def total(arrivals: list[Arrival]) -> Sums:
    return _plus(fold(arrivals))


def _plus(sums: dict[RawKey, Sums]) -> Sums:
    out = Sums()
    for part in sums.values():
        out = out.plus(part)
    return out


def test_a_resent_event_counts_once(arrivals: list[Arrival]) -> None:
    """
    e1 2026-01-31T16:00Z tenant=acme fresh=900 cached=100 written_5m=50
    e1 2026-01-31T16:00Z tenant=acme fresh=900 cached=100 written_5m=50
    """
    assert total(arrivals) == Sums(requests=1, fresh=900, cached=100, written_5m=50)


def test_of_two_claims_to_one_identity_the_first_counts(arrivals: list[Arrival]) -> None:
    """
    e1 2026-01-31T16:00Z tenant=acme fresh=900
    e1 2026-01-31T16:00Z tenant=acme fresh=901
    """
    assert total(arrivals).fresh == 900
    assert total([arrivals[1]._replace(stored_at=0), arrivals[0]]).fresh == 901
    [conflict] = conflicts(arrivals)
    assert (conflict.first_stored_at, conflict.stored_at) == (T0, T0 + 1)


def test_resends_are_no_conflicts(arrivals: list[Arrival]) -> None:
    """
    e1 2026-01-31T16:00Z tenant=acme fresh=900
    e1 2026-01-31T16:00Z tenant=acme fresh=900
    """
    assert conflicts(arrivals) == []


def test_records_of_one_call_bill_once_by_the_lowest_rank(arrivals: list[Arrival]) -> None:
    """
    app     2026-01-31T16:00Z tenant=acme fresh=10 rank=20 call=r1
    gateway 2026-01-31T16:00Z tenant=acme fresh=11 rank=0 call=r1
    engine  2026-01-31T16:00Z fresh=12 rank=40 call=r1
    """
    assert total(arrivals) == Sums(requests=1, fresh=11)


def test_a_record_that_knows_its_counts_goes_before_a_better_one_that_does_not(
    arrivals: list[Arrival],
) -> None:
    """
    gateway 2026-01-31T16:00Z rank=0 call=r1 quality=unknown
    engine  2026-01-31T16:00Z fresh=12 rank=40 call=r1
    """
    assert total(arrivals) == Sums(requests=1, fresh=12)


def test_choices_of_a_call_share_one_prompt_and_add_up_their_outputs(
    arrivals: list[Arrival],
) -> None:
    """
    one 2026-01-31T16:00Z fresh=25 output=10 choice=1 call=r1
    two 2026-01-31T16:00Z fresh=25 output=9 reasoning=1 choice=1 call=r1
    """
    assert total(arrivals) == Sums(requests=1, fresh=25, output=19, reasoning=1)


def test_witnesses_never_bill(arrivals: list[Arrival]) -> None:
    """
    one 2026-01-31T16:00Z fresh=25 role=witness
    """
    assert fold(arrivals) == {}


def test_an_event_belongs_to_the_hour_in_which_it_ends() -> None:
    before = event("e1", "2026-01-31T15:59:59Z")
    after = replace(event("e2", "2026-01-31T16:00:00Z"), started_at=1)

    assert [raw_key(e).hour.hour for e in (before, after)] == [15, 16]


def test_the_key_carries_what_was_said() -> None:
    said = event("e1", tenant="acme", pool="shared", outcome="throttled", quality="unknown",
                 provider="openai", tier="batch", spill_reason="queue full")  # fmt: skip

    key = raw_key(said)

    assert (key.tenant, key.pool) == ("acme", "shared")
    assert (key.outcome, key.quality) == (Outcome.THROTTLED, Quality.UNKNOWN)
    assert (key.provider, key.tier, key.spill_reason) == ("openai", "batch", "queue full")


@given(streams, st.randoms(use_true_random=False))
def test_the_order_of_reading_does_not_matter(arrivals: list[Arrival], rng: object) -> None:
    shuffled = list(arrivals)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]

    assert fold(shuffled) == fold(arrivals)


@given(streams, st.lists(st.integers(0, 13), max_size=10))
def test_resends_do_not_matter(arrivals: list[Arrival], again: list[int]) -> None:
    resent = [
        Arrival(arrivals[i].event, T0 + 1000 + n) for n, i in enumerate(again) if i < len(arrivals)
    ]

    assert fold([*arrivals, *resent]) == fold(arrivals)


def test_calls_under_one_id_in_different_traces_are_different_calls(
    arrivals: list[Arrival],
) -> None:
    """
    one   2026-01-31T16:00Z tenant=a fresh=10 call=r1 trace=t1
    same  2026-01-31T16:00Z tenant=a fresh=10 call=r1 trace=t1
    other 2026-02-28T16:00Z tenant=b fresh=20 call=r1 trace=t2
    lower 2026-02-28T16:00Z tenant=b fresh=30 call=r1 trace=t3 rank=9
    """
    assert total(arrivals) == Sums(requests=2, fresh=30)


@given(streams)
def test_every_record_has_one_verdict_and_what_does_not_bill_is_told_by_what_does(
    arrivals: list[Arrival],
) -> None:
    records = [a.event for a in first_arrivals(arrivals)]
    found = verdicts(records)
    billing = {v.event.event_id: v.event for v in found if v.bills}
    by_id = {v.event.event_id: v for v in found}
    told = {v.event.trace_id for v in found if v.why not in {Why.TREE, Why.WITNESS}}

    assert sorted(v.event.event_id for v in found) == sorted(e.event_id for e in records)
    assert _plus(fold(arrivals)).requests == len(billing)
    for verdict in found:
        match verdict.why:
            case Why.TREE:
                assert verdict.event.trace_id in told
            case Why.CALL | Why.CHOICE | Why.WINDOW:
                other = by_id[verdict.instead]
                assert other.bills or (other.why is Why.WINDOW and other.instead in billing)
            case _:
                assert verdict.bills or verdict.event.role is Role.WITNESS


def test_sums_of_parts_add_up() -> None:
    one, other = fold([Arrival(event("a", fresh=1), 1)]), fold([Arrival(event("b", fresh=2), 2)])

    assert _plus(added([one, other])) == Sums(requests=2, fresh=3)


def test_a_raw_key_says_what_rows_are_grouped_by_in_their_order() -> None:
    assert RawKey.__slots__ == ("hour", *DIMENSIONS, "band")


@pytest.mark.parametrize("text", [*Outcome, *Quality])
def test_a_key_is_found_by_its_texts(text: Outcome | Quality) -> None:
    assert {text: 1}[text.value] == 1  # type: ignore[index]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_calls_that_made_tokens_are_billable(outcome: Outcome) -> None:
    free = {Outcome.CLIENT_ERROR, Outcome.THROTTLED, Outcome.SERVER_ERROR}

    assert outcome.is_billable == (outcome not in free)
