from dataclasses import replace

import pytest
from builders import T0

from metering.corrections.correction import Correction, Kind, Target
from metering.corrections.entry import (
    EARLIEST_NS,
    Entry,
    EntryCountError,
    EntryInstantError,
    entered,
)
from metering.event import Quality, Tokens, source_identity
from metering.quarantine import Quarantined

ASIDE = Quarantined("ends in the future", "gw", "scope", "chat", b"t" * 16, b"s" * 8, T0)
SAID = Entry(model="qwen3", counts={"fresh": 900, "output": 42}, tenant="acme", pool="shared")


def test_a_record_set_aside_becomes_the_event_that_it_should_have_been() -> None:
    event = entered(ASIDE, SAID, T0)

    assert event.event_id == b"t" * 16 + b"s" * 8
    assert event.tokens == Tokens(fresh=900, output=42)
    assert event.quality is Quality.ACCEPTED
    assert (event.source.gateway, event.source.tenant) == ("gw", "acme")
    assert event.ended_at == T0


def test_its_time_can_be_mended() -> None:
    mended = Entry(model="qwen3", counts={}, ended_at=T0 - 1)

    assert entered(ASIDE, mended, T0).ended_at == T0 - 1


def test_a_record_without_a_span_keeps_an_identity_of_its_own() -> None:
    spanless = Quarantined("no time", "gw", ended_at=T0)

    event = entered(spanless, SAID, T0)

    assert event.event_id == source_identity("set aside", f"{spanless.key:016x}")
    assert entered(spanless, SAID, T0).event_id == event.event_id


def test_a_count_of_no_known_class_is_refused() -> None:
    with pytest.raises(EntryCountError, match="a count must be of fresh"):
        entered(ASIDE, Entry(model="m", counts={"colour": 1}), T0)


@pytest.mark.parametrize("ended_at", [EARLIEST_NS - 1, T0 + 1])
def test_what_is_entered_has_ended(ended_at: int) -> None:
    with pytest.raises(EntryInstantError, match=f"found {ended_at} ns"):
        entered(ASIDE, Entry(model="m", counts={}, ended_at=ended_at), T0)
    with pytest.raises(EntryInstantError, match="say when it ended"):
        entered(replace(ASIDE, ended_at=ended_at), SAID, T0)


@pytest.mark.parametrize(
    ("kind", "changes", "settles"),
    [
        (Kind.VOID, (), True),
        (Kind.AMEND, (("accept", 1),), True),
        (Kind.AMEND, (("output", 5),), True),
        (Kind.AMEND, (("tenant", "acme"),), False),
    ],
)
def test_what_settles_counts_in_doubt(
    kind: Kind, changes: tuple[tuple[str, str | int], ...], settles: bool
) -> None:
    one = Correction("c", kind, Target(requests=("r",)), "li", "why", changes)

    assert one.settles is settles
