"""Frames of a journal come back as they were written, whole or not at all, and damage is told."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from builders import T0, event, usage_events
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.event import UsageEvent
from metering.journal import HEADER_BYTES, MAGIC, Stamped, batches_in, frame
from metering.keeping.damage import StoreDamagedError
from metering.schema import batch_of, sightings, stamped

some_events = st.lists(usage_events, min_size=1, max_size=4)
THREE = [[event("e1", fresh=1)], [event("e2", tenant="acme", fresh=2)], [event("e3", output=3)]]


def written(batches: Sequence[Sequence[UsageEvent]]) -> list[bytes]:
    """Return the frame of each batch; the stamps of each begin a second after those before."""
    kept = [Stamped(batch_of(events), T0 + n * 10**9) for n, events in enumerate(batches)]
    return [header + bytes(payload) for header, payload in map(frame, kept)]


def rows_of(one: Stamped) -> tuple[pa.Table, pa.Table]:
    """Return what is inserted of a batch."""
    stamps = np.arange(one.first, one.first + len(one.batch))
    return stamped(one.batch, stamps), sightings(one.batch)


FRAMES = written(THREE)


@given(st.lists(some_events, max_size=4))
@settings(deadline=None)
def test_batches_come_back_as_they_were_written(batches: list[list[UsageEvent]]) -> None:
    found = list(batches_in("f", b"".join(written(batches))))

    assert [one.first for one in found] == [T0 + n * 10**9 for n in range(len(batches))]
    for one, events in zip(found, batches, strict=True):
        assert rows_of(one) == rows_of(Stamped(batch_of(events), one.first))


@given(st.integers(0, len(b"".join(FRAMES))))
@settings(deadline=None)
def test_what_was_cut_short_is_left_out_and_what_came_before_is_there(length: int) -> None:
    found = list(batches_in("f", b"".join(FRAMES)[:length]))

    ends = np.cumsum([len(one) for one in FRAMES])
    assert len(found) == sum(end <= length for end in ends)


TAILS = [b"\0" * 4096, b"TS", b"\0" + 9 * MAGIC, MAGIC + HEADER_BYTES * b"\1", FRAMES[0][:-1]]


@pytest.mark.parametrize("tail", TAILS)
def test_whatever_ends_a_file_after_a_power_cut_is_left_out(tail: bytes) -> None:
    assert len(list(batches_in("f", FRAMES[0] + tail))) == 1


@given(st.integers(0, len(FRAMES[1]) - 1), st.integers(1, 255))
@settings(deadline=None)
def test_damage_before_another_frame_is_told_with_its_place(at: int, change: int) -> None:
    damaged = bytearray(FRAMES[1])
    damaged[at] ^= change
    read = batches_in("000001.journal", FRAMES[0] + bytes(damaged) + FRAMES[2])

    assert next(read).first == T0
    with pytest.raises(StoreDamagedError, match=rf"000001\.journal at byte {len(FRAMES[0])}"):
        next(read)
