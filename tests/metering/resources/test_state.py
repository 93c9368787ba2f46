"""States as they were told, folded into intervals."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from builders import hour
from hypothesis import given
from hypothesis import strategies as st

from metering.identity import FOR_EVER
from metering.interval import Interval, State, running_seconds
from metering.period import HOUR, Period
from metering.resources.heartbeat import Heard, Pulse, heard_with, silent_at
from metering.resources.state import (
    EARLIEST,
    AheadOfTheClockError,
    LongAgoError,
    StateEvent,
    check_not_ahead,
    fold_states,
)

NOON = hour("2026-10-01T12")
MINUTE = timedelta(minutes=1)
TIMEOUT = 2 * MINUTE
DAY = Period(NOON, NOON + 24 * HOUR)

minutes = st.integers(0, 90).map(lambda n: NOON + n * MINUTE)
states = st.sampled_from(State)


@st.composite
def told_events(draw: st.DrawFn, *, distinct: bool = False) -> list[StateEvent]:
    """Events of one resource, in order of storing; ``distinct``: of different instants."""
    by = (lambda pair: pair[0]) if distinct else None
    pairs = draw(st.lists(st.tuples(minutes, states), max_size=12, unique_by=by))
    return [StateEvent("n1", at, state, number=n) for n, (at, state) in enumerate(pairs)]


def told(at: datetime, state: State, number: int = 0, resource: str = "n1") -> StateEvent:
    return StateEvent(resource, at, state, number=number)


def was(state: State, start: datetime, end: datetime = FOR_EVER) -> Interval:
    return Interval("n1", Period(start, end), state)


def pulse(*beats: datetime, is_over: bool = False) -> dict[str, Pulse]:
    """What was heard of n1; ``is_over``: the clock said that it fell silent."""
    heard = heard_with((), beats, TIMEOUT)
    return {"n1": Pulse((*heard[:-1], replace(heard[-1], is_over=is_over)), TIMEOUT)}


def at_instant(events: list[StateEvent], instant: datetime) -> State | None:
    """What was last told of an instant: the meaning of folding, one instant at a time."""
    before = [e for e in events if e.at <= instant]
    return max(before, key=lambda e: (e.at, e.number)).state if before else None


def test_a_state_holds_until_the_next() -> None:
    events = [told(NOON, State.CREATING), told(NOON + HOUR, State.RUNNING)]

    assert fold_states(events) == [
        was(State.CREATING, NOON, NOON + HOUR),
        was(State.RUNNING, NOON + HOUR),
    ]


def test_a_repeated_state_makes_no_new_interval() -> None:
    events = [told(NOON + n * HOUR, State.RUNNING, n) for n in range(3)]

    assert fold_states(events) == [was(State.RUNNING, NOON)]


def test_of_two_told_for_one_instant_the_later_stored_holds() -> None:
    events = [told(NOON, State.STOPPED, 2), told(NOON, State.RUNNING, 1)]

    assert fold_states(events) == [was(State.STOPPED, NOON)]


def test_resources_are_folded_apart() -> None:
    events = [told(NOON, State.RUNNING, 1, "b"), told(NOON, State.STOPPED, 2, "a")]

    assert [(i.resource, i.state) for i in fold_states(events)] == [
        ("a", State.STOPPED),
        ("b", State.RUNNING),
    ]


@given(told_events())
def test_intervals_are_contiguous_and_none_is_like_its_neighbour(events: list[StateEvent]) -> None:
    intervals = fold_states(events)

    ends = [i.period.end for i in intervals]
    assert [i.period.start for i in intervals[1:]] == ends[:-1]
    assert ends[-1:] == ([FOR_EVER] if events else [])
    assert all(a.state != b.state for a, b in pairwise(intervals))
    assert all(i.period.start < i.period.end for i in intervals)


@given(told_events(), minutes)
def test_an_interval_holds_what_was_last_told(events: list[StateEvent], instant: datetime) -> None:
    found = [i.state for i in fold_states(events) if i.period.holds(instant)]

    assert found == [s for s in [at_instant(events, instant)] if s]


@given(st.data())
def test_order_of_arrival_does_not_matter(data: st.DataObject) -> None:
    events = data.draw(told_events(distinct=True))
    arrived = data.draw(st.permutations(events))
    renumbered = [replace(e, number=n) for n, e in enumerate(arrived)]

    assert fold_states(renumbered) == fold_states(events)


@given(told_events(), st.data())
def test_a_resend_changes_nothing(events: list[StateEvent], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(events), max_size=3)) if events else []

    assert fold_states([*events, *again]) == fold_states(events)


def test_what_is_declared_holds_where_nothing_was_told() -> None:
    declared = [was(State.RUNNING, NOON, NOON + HOUR)]

    assert fold_states([], declared) == declared


def test_a_told_state_cuts_a_declared_one() -> None:
    declared = [was(State.RUNNING, NOON)]

    assert fold_states([told(NOON + HOUR, State.STOPPED)], declared) == [
        was(State.RUNNING, NOON, NOON + HOUR),
        was(State.STOPPED, NOON + HOUR),
    ]


def test_the_end_of_what_was_declared_does_not_end_what_was_told_within() -> None:
    declared = [was(State.RUNNING, NOON, NOON + 3 * HOUR)]
    events = [told(NOON + HOUR, State.STOPPED, 1), told(NOON + 2 * HOUR, State.RUNNING, 2)]

    assert fold_states(events, declared)[-1] == was(State.RUNNING, NOON + 2 * HOUR)


def test_an_earlier_told_state_does_not_undo_what_was_declared_later() -> None:
    declared = [was(State.RUNNING, NOON + HOUR, NOON + 2 * HOUR)]

    assert fold_states([told(NOON, State.CREATING)], declared) == [
        was(State.CREATING, NOON, NOON + HOUR),
        was(State.RUNNING, NOON + HOUR, NOON + 2 * HOUR),
    ]


def test_a_declared_interval_without_length_says_nothing() -> None:
    assert fold_states([], [was(State.RUNNING, NOON, NOON)]) == []


def test_a_silent_resource_is_lost_from_its_last_beat_on() -> None:
    beats = [NOON + n * MINUTE for n in range(5)]

    assert fold_states([told(NOON, State.RUNNING)], (), pulse(*beats, is_over=True)) == [
        was(State.RUNNING, NOON, beats[-1]),
        was(State.LOST, beats[-1]),
    ]


def test_a_resource_that_may_still_beat_is_not_lost() -> None:
    assert fold_states([told(NOON, State.RUNNING)], (), pulse(NOON)) == [was(State.RUNNING, NOON)]


def test_a_lost_resource_runs_again_when_it_beats_again() -> None:
    back = NOON + 10 * MINUTE

    assert fold_states([told(NOON, State.RUNNING)], (), pulse(NOON, back)) == [
        was(State.LOST, NOON, back),
        was(State.RUNNING, back),
    ]


def test_a_lost_resource_runs_again_when_it_is_told_to() -> None:
    events = [told(NOON, State.RUNNING, 1), told(NOON + HOUR, State.RUNNING, 2)]

    assert fold_states(events, (), pulse(NOON + MINUTE, is_over=True)) == [
        was(State.RUNNING, NOON, NOON + MINUTE),
        was(State.LOST, NOON + MINUTE, NOON + HOUR),
        was(State.RUNNING, NOON + HOUR),
    ]


def test_a_planned_stop_loses_no_second() -> None:
    stop = NOON + 5 * MINUTE
    events = [told(NOON, State.RUNNING), told(stop, State.STOPPED)]
    pulses = pulse(*(NOON + n * MINUTE for n in range(4)), is_over=True)

    assert fold_states(events, (), pulses) == fold_states(events)


def test_a_silence_before_a_stop_is_lost_even_if_the_stop_is_told() -> None:
    events = [told(NOON, State.RUNNING), told(NOON + HOUR, State.STOPPED)]

    assert fold_states(events, (), pulse(NOON + MINUTE, is_over=True)) == [
        was(State.RUNNING, NOON, NOON + MINUTE),
        was(State.LOST, NOON + MINUTE, NOON + HOUR),
        was(State.STOPPED, NOON + HOUR),
    ]


@given(told_events(), st.lists(minutes, min_size=1, max_size=20), st.booleans())
def test_heartbeats_only_take_running_time_away(
    events: list[StateEvent], beats: list[datetime], is_over: bool
) -> None:
    silent = fold_states(events)
    measured = fold_states(events, (), pulse(*beats, is_over=is_over))

    assert running_seconds(measured, "n1", DAY) <= running_seconds(silent, "n1", DAY)
    others = [State.CREATING, State.STOPPED, State.RELEASED]
    for state in others:
        assert spent(measured, state) == spent(silent, state)
    assert sum(spent(measured, s) for s in State) == sum(spent(silent, s) for s in State)


def spent(intervals: list[Interval], state: State) -> int:
    return sum(
        part.seconds
        for i in intervals
        if i.state is state and (part := i.period.overlap(DAY)) is not None
    )


@given(st.lists(minutes, max_size=15), st.data())
def test_order_and_batches_of_beats_do_not_matter(
    beats: list[datetime], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(beats))
    cut = data.draw(st.integers(0, len(beats)))
    first = heard_with((), shuffled[:cut], TIMEOUT)

    assert heard_with(first, shuffled[cut:], TIMEOUT) == heard_with((), beats, TIMEOUT)


@given(st.lists(minutes, min_size=1, max_size=15))
def test_a_stretch_is_as_long_as_no_silence_is_too_long(beats: list[datetime]) -> None:
    heard = heard_with((), beats, TIMEOUT)

    assert {h.first for h in heard} | {h.last for h in heard} <= set(beats)
    assert all(sum(h.first <= b <= h.last for h in heard) == 1 for b in beats)
    assert all(b.first - a.last > TIMEOUT for a, b in pairwise(heard))
    assert [h.is_over for h in heard] == [True] * (len(heard) - 1) + [False]


def test_a_beat_that_was_known_does_not_end_a_silence() -> None:
    over = Heard(NOON, NOON + MINUTE, is_over=True)

    assert heard_with([over], [NOON, NOON + MINUTE], TIMEOUT) == [over]
    assert heard_with([over], [NOON + 2 * MINUTE], TIMEOUT) == [Heard(NOON, NOON + 2 * MINUTE)]


def test_a_resource_is_silent_once_its_timeout_has_passed() -> None:
    assert not silent_at(Heard(NOON, NOON), TIMEOUT, NOON + TIMEOUT)
    assert silent_at(Heard(NOON, NOON), TIMEOUT, NOON + TIMEOUT + MINUTE)


def test_a_state_may_be_planned_for_a_day_and_no_more() -> None:
    check_not_ahead(NOON + 24 * HOUR, NOON)

    with pytest.raises(AheadOfTheClockError, match="at most 86400 s ahead"):
        check_not_ahead(NOON + 24 * HOUR + MINUTE, NOON)


def test_no_state_is_of_a_time_before_anything_ran() -> None:
    check_not_ahead(EARLIEST, NOON)

    with pytest.raises(LongAgoError, match="2015 or later, found 0206-11-01"):
        check_not_ahead(datetime(206, 11, 1, tzinfo=UTC), NOON)
