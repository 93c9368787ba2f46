"""Whatever clocks and servers do, what was acknowledged is counted, and a cutoff stays true."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.scale.settling import ClockSkewError, LateWriteError, Stamps

SETTLE = 30


@dataclass
class Clock:
    """The server's clock, and as many wrong ones as there are collectors."""

    now: int = 1_000

    def store_now(self) -> int:
        return self.now


@dataclass
class Row:
    stamp: int
    visible_at: int
    is_acknowledged: bool
    counted_by: list[int] = field(default_factory=list)


@dataclass
class Collector:
    clock: Clock
    skew: int
    stamps: Stamps = field(init=False)

    def __post_init__(self) -> None:
        self.stamps = Stamps(lambda: self.clock.now + self.skew, self.clock.store_now, 0, SETTLE)

    def start(self) -> int:
        return self.stamps.take(1)

    def finish(self, stamp: int) -> Row:
        try:
            self.stamps.check_visible(stamp)
        except LateWriteError:
            return Row(stamp, self.clock.now, is_acknowledged=False)
        return Row(stamp, self.clock.now, is_acknowledged=True)


steps = st.lists(
    st.tuples(st.sampled_from(["start", "finish", "close"]), st.integers(0, 2), st.integers(0, 20)),
    max_size=60,
)


@settings(deadline=None)
@given(skews=st.tuples(*[st.integers(-60, 60)] * 3), steps=steps)
def test_whatever_is_acknowledged_is_seen_by_every_cutoff_above_its_stamp(
    skews: tuple[int, int, int], steps: list[tuple[str, int, int]]
) -> None:
    """Writes of three collectors overlap in any way; clocks are off by up to twice the time."""
    clock = Clock()
    collectors = [Collector(clock, skew) for skew in skews]
    worker = Stamps(clock.store_now, clock.store_now, 0, SETTLE)
    under_way: list[tuple[Collector, int]] = []
    rows: list[Row] = []
    closes: list[tuple[int, int, int]] = []
    since = 0
    for step, number, wait in [*steps, *[("finish", 0, 1)] * 60, ("close", 0, 500)]:
        clock.now += wait
        if step == "start":
            under_way.append((collectors[number], collectors[number].start()))
        elif step == "finish" and under_way:
            collector, stamp = under_way.pop(number % len(under_way))
            rows.append(collector.finish(stamp))
        elif step == "close":
            before = worker.cutoff()
            assert before >= since
            closes.append((since, before, clock.now))
            since = before

    acknowledged = [row for row in rows if row.is_acknowledged]
    for row in acknowledged:
        seen = [at for _, before, at in closes if row.stamp < before]
        touched = [at for first, before, at in closes if first <= row.stamp < before]
        assert all(at >= row.visible_at for at in seen)
        assert len(touched) == 1


def test_stamps_of_one_process_rise_whatever_its_clock_does() -> None:
    now = [100]
    stamps = Stamps(lambda: now[0], lambda: 0, 0, 0)
    first = stamps.take(3)
    now[0] = 50
    cutoff = stamps.cutoff()

    assert (first, cutoff, stamps.take(1)) == (100, 103, 104)
    stamps.check_visible(0)
    stamps.check_clock()


def test_no_stamp_is_below_the_floor() -> None:
    assert Stamps(lambda: 5, lambda: 0, 70, 0).take(1) == 71


def test_a_cutoff_trails_the_servers_clock_and_never_goes_back() -> None:
    clock = Clock(1_000)
    stamps = Stamps(lambda: 0, clock.store_now, 0, SETTLE)
    first = stamps.cutoff()
    clock.now = 900

    assert (first, stamps.cutoff()) == (970, 970)
    assert stamps.looked_back(970) == 940
    assert stamps.looked_back(10) == 0


def test_a_write_is_acknowledged_up_to_half_the_settling_time() -> None:
    stamps = Stamps(lambda: 0, lambda: 1_000, 0, SETTLE)
    stamps.check_visible(985)

    with pytest.raises(LateWriteError, match=r"must be visible within 1\.5e-08 s of its stamp"):
        stamps.check_visible(984)


@pytest.mark.parametrize(
    ("asked", "store", "answered", "skew"),
    [(100, 105, 110, 0), (100, 90, 110, 10), (100, 125, 110, -15), (100, 100, 100, 0)],
)
def test_only_what_the_way_there_and_back_cannot_explain_is_skew(
    asked: int, store: int, answered: int, skew: int
) -> None:
    times = iter([asked, answered])

    assert Stamps(lambda: next(times), lambda: store, 0, SETTLE).skew() == skew


@pytest.mark.parametrize(
    ("ours", "found"), [(100, None), (115, None), (116, "ahead of"), (84, "behind")]
)
def test_a_clock_that_is_off_by_more_than_half_the_time_is_refused(
    ours: int, found: str | None
) -> None:
    stamps = Stamps(lambda: ours, lambda: 100, 0, SETTLE)
    if found is None:
        stamps.check_clock()
    else:
        with pytest.raises(ClockSkewError, match=f"must be within .* {found} it"):
            stamps.check_clock()
