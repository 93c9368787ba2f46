"""The one place where parts are chosen and joined: plain constructor calls."""

import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from collector.engine_tables import KNOWN, SYSTEMS
from collector.engines import Vocabulary, vocabulary
from collector.fast import FastDecoder
from collector.mapping_file import parse_systems
from collector.receive import ForMetrics, Sinks
from collector.roles import Gateways
from metering import jobs as metering_jobs
from metering.commit import GroupCommit
from metering.event_store import EventStore
from metering.quarantine import Quarantined
from metering.quarantine_store import QuarantineStore
from metering.reading_store import ReadingStore
from metering.schema import Batch
from metering.signal import Reading
from metering.store import MeterStore
from pricing.bill import Bill
from pricing.jobs import draft_bill
from pricing.store import PriceStore, shipped_book
from tallystick import clock
from tallystick.database import open_ledger
from tallystick.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a running service is made of."""

    settings: Settings
    engine: Engine
    events: EventStore
    commit: GroupCommit[Batch]
    readings: ReadingStore
    readings_commit: GroupCommit[Sequence[Reading]]
    quarantine: QuarantineStore
    quarantine_commit: GroupCommit[Sequence[Quarantined]]
    decoder: FastDecoder
    words: Vocabulary
    meter: MeterStore
    prices: PriceStore
    now: Callable[[], datetime]
    refreshing: "Refreshing"

    @property
    def sinks(self) -> Sinks:
        """Where the receiver puts what it takes."""
        metrics = ForMetrics(self.words, self.readings_commit.submit)
        return Sinks(self.commit.submit, self.quarantine_commit.submit, metrics)

    def refresh(self) -> int:
        """Bring usage up to date with every event stored before this call; return rows changed.

        Callers that wait for one another share the next run: one that began after they came.
        """
        return self.refreshing.run(lambda: metering_jobs.tick(self.events, self.meter, self.now()))

    def draft(self, account: str, month: str) -> Bill:
        """Draft an account's bill of a month from usage as the last refresh left it."""
        return draft_bill(self.meter, self.prices, account, month, self.now())

    def close(self) -> None:
        """Write what waits and close both stores."""
        self.commit.close()
        self.readings_commit.close()
        self.quarantine_commit.close()
        self.events.close()
        self.engine.dispose()


class Refreshing:
    """Lets one refresh run at a time, and lets those who waited for it share the next."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._begun = 0
        self._finished = 0

    def run(self, refresh: Callable[[], int]) -> int:
        """Run, unless a run that began after this call has already finished."""
        ticket = self._begun
        with self.lock:
            if self._finished > ticket:
                return 0
            self._begun += 1
            began = self._begun
            changed = refresh()
            self._finished = began
            return changed


def assemble(settings: Settings) -> Parts:
    """Open both stores and join the parts.

    Raises:
        StoreLockedError: another process has the embedded event store open.
        GatewayError: the gateways of record are not named as they must be.
        MappingFileError: the operator's table of metrics cannot be used.
    """
    book = shipped_book(settings.book)
    words = understood(settings.metrics_map)
    engine = open_ledger(settings.ledger)
    meter = MeterStore(engine)
    events = EventStore.open(settings.events, clock.now_ns, meter.last_close().stored_before)
    readings = ReadingStore(events.client, settings.readings_days)
    quarantine = QuarantineStore(events.client, clock.now_ns)
    return Parts(
        settings=settings,
        engine=engine,
        events=events,
        commit=GroupCommit(events.record_batches),
        readings=readings,
        readings_commit=GroupCommit(readings.record_batches),
        quarantine=quarantine,
        quarantine_commit=GroupCommit(quarantine.record_batches),
        decoder=FastDecoder(secrets.randbits(64), Gateways.parse(settings.gateways)),
        words=words,
        meter=meter,
        prices=PriceStore(engine, book),
        now=clock.now,
        refreshing=Refreshing(),
    )


def understood(metrics_map: str) -> Vocabulary:
    """Return the metric names that are understood: the shipped ones and an operator's own."""
    if not metrics_map:
        return KNOWN
    return vocabulary(SYSTEMS, parse_systems(Path(metrics_map).read_text("utf-8")))
