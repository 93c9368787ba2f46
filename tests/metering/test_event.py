from dataclasses import replace

import pytest
from builders import event
from hypothesis import given
from hypothesis import strategies as st

from metering.event import (
    MAX_COUNT,
    TOKEN_CLASSES,
    CountOutOfRangeError,
    IdentityLengthError,
    InstantOutOfRangeError,
    Qualities,
    Quality,
    Source,
    Tokens,
    response_identity,
    source_identity,
    span_identity,
)
from metering.hashing import key_of

PINNED = 7353319283236883472
"""The content hash of one event, as the first release made it."""

counts = st.builds(Tokens, **dict.fromkeys(TOKEN_CLASSES, st.integers(0, 10**9)))


@given(counts, counts)
def test_disjoint_tokens_add_up_field_by_field(one: Tokens, other: Tokens) -> None:
    both = one + other

    assert both.total_input == one.total_input + other.total_input
    assert both.total_output == one.total_output + other.total_output
    assert sum(c for _, c in both.items()) == both.total_input + both.total_output


@pytest.mark.parametrize("count", [-1, MAX_COUNT])
def test_impossible_counts_are_refused(count: int) -> None:
    with pytest.raises(CountOutOfRangeError, match=f"fresh must be 0 to .* found {count}"):
        Tokens(fresh=count)


@pytest.mark.parametrize("ended_at", [0, -1, 10**19])
def test_impossible_ends_are_refused(ended_at: int) -> None:
    with pytest.raises(InstantOutOfRangeError, match=str(ended_at)):
        replace(event("e1"), ended_at=ended_at)


def test_identities_are_of_two_kinds() -> None:
    with pytest.raises(IdentityLengthError, match=r"24 bytes .* or 16 .*, found 1"):
        replace(event("e1"), event_id=b"x")


@given(st.lists(st.tuples(st.text(), st.text()), unique=True, max_size=6))
def test_no_two_sources_share_an_identity(pairs: list[tuple[str, str]]) -> None:
    identities = {source_identity(a, b) for a, b in pairs}

    assert len(identities) == len(pairs)
    assert all(0 <= key_of(i) < 2**48 for i in identities)


def test_kinds_of_identity_never_meet() -> None:
    span = span_identity(b"r" * 16, b"r" * 8)

    assert len(span) != len(source_identity("a", "b"))
    assert len(response_identity("")) > len(span)


def test_the_content_hash_sees_every_part_that_is_said() -> None:
    said = event("e1", fresh=1)
    others = [
        replace(said, source=Source(tenant="x")),
        replace(said, tokens=Tokens(fresh=2)),
        replace(said, ended_at=said.ended_at + 1),
        replace(said, qualities=Qualities(cached=Quality.UNKNOWN)),
    ]

    assert len({e.content_hash for e in [said, *others]}) == 5
    assert event("e1", fresh=1).content_hash == said.content_hash


def test_the_hash_of_a_stored_event_never_changes() -> None:
    """A new release that hashes otherwise would take every resend for a conflict."""
    said = event("e1", tenant="acme", pool="shared", fresh=900, outcome="aborted")

    assert said.content_hash == PINNED


def test_the_worse_quality_of_the_two_totals_is_the_events() -> None:
    estimated, unknown = Quality.ESTIMATED, Quality.UNKNOWN

    assert Qualities(fresh=estimated, output=unknown).overall is unknown
    assert Qualities(output=estimated).overall is estimated
    assert Qualities(cached=unknown, reasoning=unknown).overall is Quality.MEASURED
