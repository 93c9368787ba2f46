"""Which record of a call bills: by id, by the span tree, by a window of time and tokens."""

from dataclasses import replace

import pytest
from builders import event
from hypothesis import given
from hypothesis import strategies as st

from metering.arrival import Arrival
from metering.choice import WINDOW_NS, Why, verdicts
from metering.event import UsageEvent


def told(arrivals: list[Arrival]) -> list[str]:
    """Return the verdict of each arrival, in order, as the name of its reason."""
    by_id = {v.event.event_id: v.why.name for v in verdicts(a.event for a in arrivals)}
    return [by_id[a.event.event_id] for a in arrivals]


def test_a_framework_above_its_client_sums_it_up(arrivals: list[Arrival]) -> None:
    """
    agent  2026-10-01T00:10Z trace=t span=s1 rank=30 fresh=30 output=3
    first  2026-10-01T00:08Z trace=t span=s2 parent=s1 rank=10 fresh=10 output=1 call=r1
    second 2026-10-01T00:09Z trace=t span=s3 parent=s1 rank=10 fresh=20 output=2 call=r2
    """
    assert told(arrivals) == ["TREE", "BILLS", "BILLS"]


def test_an_engine_below_its_caller_repeats_it(arrivals: list[Arrival]) -> None:
    """
    sdk    2026-10-01T00:10Z trace=t span=s1 rank=10 fresh=30 output=3 call=r1
    engine 2026-10-01T00:10Z trace=t span=s2 parent=s1 rank=41 fresh=30 output=3 call=other
    """
    assert told(arrivals) == ["BILLS", "TREE"]


def test_what_is_below_a_gateway_repeats_it(arrivals: list[Arrival]) -> None:
    """
    gateway 2026-10-01T00:10Z trace=t span=s1 rank=5 fresh=30 output=3 call=g1
    sdk     2026-10-01T00:10Z trace=t span=s2 parent=s1 rank=10 fresh=30 output=3 call=r1
    """
    assert told(arrivals) == ["BILLS", "TREE"]


def test_an_embedding_below_a_chat_is_a_call_of_its_own(arrivals: list[Arrival]) -> None:
    """
    chat  2026-10-01T00:10Z trace=t span=s1 rank=10 fresh=30 output=3 call=r1
    embed 2026-10-01T00:10Z trace=t span=s2 parent=s1 rank=10 fresh=8 call=r2 operation=embeddings
    """
    assert told(arrivals) == ["BILLS", "BILLS"]


def test_spans_of_different_traces_are_not_linked(arrivals: list[Arrival]) -> None:
    """
    one   2026-10-01T00:10Z trace=t span=s1 rank=10 fresh=30 output=3 call=r1
    other 2026-10-01T00:10Z trace=u span=s2 parent=s1 rank=10 fresh=30 output=3 call=r2
    """
    assert told(arrivals) == ["BILLS", "BILLS"]


def test_two_clients_that_tell_of_one_time_and_the_same_tokens_tell_of_one_call(
    arrivals: list[Arrival],
) -> None:
    """
    chain  2026-10-01T00:10:01Z trace=t span=s1 rank=30 fresh=30 output=3 seconds=3 dialect=lang
    client 2026-10-01T00:10:00Z trace=u span=s2 rank=10 fresh=30 output=3 seconds=2 dialect=otel
    """
    assert told(arrivals) == ["WINDOW", "BILLS"]


@pytest.mark.parametrize("change", ["gateway", "model", "fresh", "dialect", "call", "seconds"])
def test_what_differs_in_more_than_its_client_is_another_call(
    arrivals: list[Arrival], change: str
) -> None:
    """
    chain  2026-10-01T00:10:01Z trace=t span=s1 fresh=30 output=3 seconds=3 dialect=lang
    client 2026-10-01T00:10:00Z trace=u span=s2 fresh=30 output=3 seconds=2 dialect=otel
    """
    chain, client = (a.event for a in arrivals)
    others = {
        "gateway": "service-2",
        "model": "other",
        "fresh": 31,
        "dialect": "lang",
        "call": "r2",
        "seconds": 9,
    }
    changed = _changed(client, change, others[change])
    pair = [_changed(chain, "call", "r1") if change == "call" else chain, changed]

    assert [v.why for v in verdicts(pair)] == [Why.BILLS, Why.BILLS]


def test_each_record_of_a_client_is_paired_once(arrivals: list[Arrival]) -> None:
    """
    a1 2026-10-01T00:10:00Z trace=a span=s1 rank=30 fresh=30 output=3 seconds=1 dialect=lang
    a2 2026-10-01T00:10:00Z trace=b span=s2 rank=30 fresh=30 output=3 seconds=1 dialect=lang
    a3 2026-10-01T00:10:00Z trace=c span=s3 rank=30 fresh=30 output=3 seconds=1 dialect=lang
    b1 2026-10-01T00:10:00Z trace=d span=s4 rank=10 fresh=30 output=3 seconds=1 dialect=otel
    b2 2026-10-01T00:10:00Z trace=e span=s5 rank=10 fresh=30 output=3 seconds=1 dialect=otel
    """
    assert sorted(told(arrivals)) == ["BILLS"] * 3 + ["WINDOW"] * 2


@given(st.integers(-3 * WINDOW_NS, 3 * WINDOW_NS))
def test_the_window_is_as_wide_as_it_says(apart: int) -> None:
    one, other = (_at(0, "lang"), _at(apart, "otel"))

    is_one_call = sum(v.bills for v in verdicts([one, other])) == 1
    assert is_one_call == (abs(apart) <= WINDOW_NS)


def _at(offset: int, dialect: str) -> UsageEvent:
    told = event(dialect, fresh=5, output=1, seconds=20, dialect=dialect)
    return _changed(_changed(told, "started_at", told.started_at + offset), "ended_at",
                    told.ended_at + offset)  # fmt: skip


def _changed(told: UsageEvent, name: str, value: object) -> UsageEvent:
    match name:
        case "gateway":
            return replace(told, source=replace(told.source, gateway=str(value)))
        case "model":
            return replace(told, call=replace(told.call, requested_model=str(value)))
        case "call":
            return replace(told, call=replace(told.call, response_id=str(value)))
        case "fresh":
            return replace(told, tokens=replace(told.tokens, fresh=int(str(value))))
        case "seconds":
            return replace(told, started_at=told.ended_at - int(str(value)) * 10**9)
        case _:
            return replace(told, **{name: value})
