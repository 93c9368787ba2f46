from builders import T0, event

from metering.event import Quality
from metering.event_store import EventStore
from metering.quarantine import Held, Quarantined
from metering.quarantine_store import QuarantineStore

ASIDE = Quarantined("ends in the future", "gw", "scope", "chat", b"t" * 16, b"s" * 8, T0)


def test_a_record_that_is_set_aside_is_kept_once(events: EventStore) -> None:
    aside = QuarantineStore(events.client, lambda: T0)
    other = Quarantined("no time")

    assert aside.record_batches([[ASIDE], [ASIDE, other]]) == 3
    assert aside.record_batches([[ASIDE]]) == 1
    assert aside.count() == 2
    assert {one.reason for one in aside.newest()} == {"ends in the future", "no time"}
    assert ASIDE in aside.newest()
    assert len(aside.newest(1)) == 1


def test_what_is_told_decides_whether_it_is_the_same() -> None:
    assert ASIDE.key == Quarantined(*(getattr(ASIDE, n) for n in ASIDE.__slots__)).key
    assert ASIDE.key != Quarantined("another reason").key


def test_usage_that_does_not_bill_as_it_stands_is_counted_by_its_caveat(
    events: EventStore,
) -> None:
    aside = QuarantineStore(events.client, lambda: T0)
    sampled = event("a", "2026-10-01T00:10Z", caveat="sampled", quality=Quality.UNKNOWN)
    guessed = event("b", "2026-10-01T00:20Z", caveat="guessed", quality=Quality.ESTIMATED)
    events.record([sampled, guessed, sampled, event("c", fresh=1)])

    assert aside.held() == [
        Held("guessed", 1, guessed.ended_at, guessed.ended_at),
        Held("sampled", 1, sampled.ended_at, sampled.ended_at),
    ]
