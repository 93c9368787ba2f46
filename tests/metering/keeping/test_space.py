"""What a disk allows, by its free bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.keeping.damage import StoreDamagedError, damage_in
from metering.keeping.space import Disk, Floors, Space, sentence_on, space_on

FLOORS = Floors(warn=1000)


@pytest.mark.parametrize(
    ("free", "before", "space"),
    [
        (1000, Space.PLENTY, Space.PLENTY),
        (999, Space.PLENTY, Space.LOW),
        (250, Space.PLENTY, Space.LOW),
        (249, Space.LOW, Space.FULL),
        (499, Space.FULL, Space.FULL),
        (500, Space.FULL, Space.LOW),
        (1000, Space.FULL, Space.PLENTY),
        (400, Space.READ_ONLY, Space.LOW),
    ],
)
def test_taking_ends_below_a_quarter_and_begins_again_at_half(
    free: int, before: Space, space: Space
) -> None:
    assert space_on(Disk(free, is_writable=True), FLOORS, before) is space


@given(free=st.integers(0, 2000), before=st.sampled_from(Space))
def test_a_read_only_disk_takes_nothing_however_free(free: int, before: Space) -> None:
    assert space_on(Disk(free, is_writable=False), FLOORS, before) is Space.READ_ONLY


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        (Space.PLENTY, ""),
        (Space.READ_ONLY, "the disk of the stores must be writable, found it read-only"),
        (
            Space.FULL,
            (
                "the disk of the stores must have 1000 bytes free, found 100: "
                "nothing is taken until 500 are free"
            ),
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(space: Space, sentence: str) -> None:
    assert sentence_on(space, Disk(100, is_writable=True), FLOORS) == sentence


def test_damage_is_told_by_the_engine_s_name_for_it() -> None:
    found = damage_in("Code: 40. DB::Exception: Checksum doesn't match. (CHECKSUM_DOESNT_MATCH)")

    assert str(StoreDamagedError(found)) == (
        "the files of the event store must be as they were written, found them damaged "
        "(CHECKSUM_DOESNT_MATCH): restore the last backup"
    )
    assert damage_in("no name at all") == ""
