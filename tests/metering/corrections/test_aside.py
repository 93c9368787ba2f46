"""Ways out of the quarantine: each record is decided about once, and stored only as decided."""

from datetime import UTC, datetime

import pytest
from builders import T0
from sqlalchemy import Engine

from metering.corrections.decision_store import DecidedError, DecisionStore
from metering.corrections.entry import EnteredError
from metering.corrections.jobs import Desk
from metering.corrections.store import CorrectionStore
from metering.event_store import EventStore
from metering.quarantine import Quarantined
from metering.quarantine_routes import Aside, Entering, Signed
from metering.quarantine_store import QuarantineStore
from metering.store import MeterStore

NOW = datetime.fromtimestamp(T0 // 1_000_000_000 + 3600, UTC)
RECORD = Quarantined("no counts", "gw", "scope", "chat", b"t" * 16, b"s" * 8, T0)
KEY = f"{RECORD.key:016x}"


@pytest.fixture
def aside(events: EventStore, ledger: Engine) -> Aside:
    quarantine = QuarantineStore(events.client, lambda: T0)
    quarantine.record_batches([[RECORD]])
    desk = Desk(events, MeterStore(ledger), CorrectionStore(ledger), lambda: NOW)
    return Aside(quarantine, DecisionStore(ledger), events, desk, lambda: NOW)


def entering(tokens: int) -> Entering:
    return Entering(model="qwen3", counts={"fresh": tokens}, reason="the engine's log")


def test_a_record_is_entered_once_however_often_it_is_asked_for(aside: Aside) -> None:
    entered = [aside.enter(KEY, entering(5)) for _ in range(2)]

    assert entered == [b"t" * 16 + b"s" * 8] * 2
    assert (aside.events.count(), aside.count()) == (1, 0)
    with pytest.raises(EnteredError, match=f"identity of record {KEY} must be new"):
        aside.enter(KEY, entering(6))
    assert aside.events.conflicts() == []


def test_a_record_that_was_discarded_is_not_entered(aside: Aside) -> None:
    aside.discard(KEY, Signed(reason="a clock test"))

    with pytest.raises(DecidedError, match="decided about once"):
        aside.enter(KEY, entering(5))
    assert aside.events.count() == 0
