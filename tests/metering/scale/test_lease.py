"""Of several who ask, one holds the lease at a time, and the fence tells whoever comes late."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from metering.scale.lease import Lease, released, seized, taken

START = datetime(2026, 11, 1, tzinfo=UTC)
TERM = timedelta(seconds=30)
FREE = Lease("", START, 0)
holders = st.sampled_from("abc")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_free_lease_is_taken_with_a_new_fence() -> None:
    assert taken(FREE, "a", at(0), TERM) == Lease("a", at(30), 1)


def test_nobody_gets_a_lease_before_it_ends() -> None:
    held = Lease("a", at(30), 1)

    assert taken(held, "b", at(29.9), TERM) is None
    assert taken(held, "b", at(30), TERM) == Lease("b", at(60), 2)


def test_the_holder_prolongs_its_lease_once_half_of_it_is_gone() -> None:
    held = Lease("a", at(30), 1)

    assert taken(held, "a", at(14), TERM) is held
    assert taken(held, "a", at(15), TERM) == Lease("a", at(45), 1)
    assert taken(held, "a", at(500), TERM) == Lease("a", at(530), 1)


def test_a_lease_is_given_back_only_by_its_holder() -> None:
    held = Lease("a", at(30), 1)

    assert released(held, "b", at(1)) is held
    assert taken(released(held, "a", at(1)), "b", at(1), TERM) == Lease("b", at(31), 2)


def test_one_who_is_alone_seizes_it_from_the_dead() -> None:
    assert seized(Lease("dead", at(30), 4), "a", at(1), TERM) == Lease("a", at(31), 5)


@given(asked=st.lists(st.tuples(holders, st.floats(0, 40))))
def test_no_two_hold_it_at_once_and_each_change_of_hands_raises_the_fence(
    asked: list[tuple[str, float]],
) -> None:
    lease, now = FREE, 0.0
    ends: dict[str, datetime] = {}
    for holder, wait in asked:
        now += wait
        got = taken(lease, holder, at(now), TERM)
        if got is None:
            assert lease.until > at(now)
            continue
        others = [end for other, end in ends.items() if other != holder]
        assert all(end <= at(now) for end in others)
        assert (got.fence > lease.fence) == (got.holder != lease.holder)
        assert got.until > at(now)
        lease, ends[holder] = got, got.until
