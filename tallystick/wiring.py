"""The one place where parts are chosen and joined: plain constructor calls."""

import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from collector.batch.fast import FastDecoder
from collector.dialect.roles import Gateways
from collector.receive import ForMetrics, Sinks
from collector.workers.engine_tables import KNOWN, SYSTEMS
from collector.workers.engines import Vocabulary, vocabulary
from collector.workers.mapping_file import parse_systems
from metering import jobs as metering_jobs
from metering.band import Bands
from metering.commit import GroupCommit
from metering.corrections.decision_store import DecisionStore
from metering.corrections.jobs import Desk
from metering.corrections.store import CorrectionStore
from metering.event_store import EventStore
from metering.keeping.parts_store import lose_nothing
from metering.keeping.retention import days_of
from metering.keeping.retention_store import RetentionStore
from metering.keeping.space import Floors
from metering.keeping.tally_store import Tally
from metering.quarantine import Quarantined
from metering.quarantine_routes import Aside
from metering.quarantine_store import QuarantineStore
from metering.query.request_store import RequestStore
from metering.query.usage_routes import Ledger
from metering.query.usage_store import UsageStore
from metering.reading_store import ReadingStore
from metering.reconcile.call_store import CallStore
from metering.reconcile.jobs import Sources as ReconcileSources
from metering.reconcile.jobs import sentences
from metering.reconcile.store import ReconcileStore
from metering.resources.inventory_store import InventoryStore
from metering.resources.routes import Stores as ResourceStores
from metering.resources.schedule_store import ScheduleStore
from metering.resources.store import ResourceStore
from metering.scale.layout import ALONE, PLAIN, Deployment, Layout
from metering.scale.store import LeaseStore, check_fence
from metering.schema import Batch
from metering.signal import Reading
from metering.store import MeterStore
from metering.usage import Usage
from pricing.bills.bill import Bill
from pricing.contracts.store import ContractStore
from pricing.jobs import Office, draft_bill, payable_changes
from pricing.prices.book import PriceBook
from pricing.prices.store import BookStore, shipped_book, shipped_names
from tallystick import clock
from tallystick.database import make_engine, open_ledger
from tallystick.keeping.backup import Backups
from tallystick.keeping.room import Room, local_folders
from tallystick.office import open_office
from tallystick.role import Role
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
    resources: ResourceStores
    reconciliation: ReconcileSources
    office: Office
    books: BookStore
    now: Callable[[], datetime]
    refreshing: "Refreshing"
    lease: LeaseStore
    desk: Desk
    decisions: DecisionStore
    room: Room
    retention: RetentionStore
    tally: Tally
    backups: Backups

    @property
    def take_readings(self) -> Callable[[Sequence[Reading]], "Future[int]"]:
        """Where readings go, as long as there is room."""
        return self.room.guarded(self.readings_commit.submit)

    @property
    def sinks(self) -> Sinks:
        """Where the receiver puts what it takes."""
        guarded = self.room.guarded
        metrics = ForMetrics(self.words, self.take_readings)
        return Sinks(guarded(self.commit.submit), guarded(self.quarantine_commit.submit), metrics)

    @property
    def aside(self) -> Aside:
        """What stands beside the bill, and where it is decided about."""
        return Aside(self.quarantine, self.decisions, self.events, self.desk, self.now)

    @property
    def questions(self) -> Ledger:
        """What answers questions about usage and requests."""
        requests = RequestStore(self.events, self.desk.corrections.heeded)
        return Ledger(self.meter, UsageStore(self.engine), self.events, requests)

    @property
    def prices(self) -> ContractStore:
        """Contracts, and the book that they are priced by."""
        return self.office.contracts

    def refresh(self) -> int:
        """Bring usage up to date with every event stored before this call; return rows changed.

        Callers that wait for one another share the next run: one that began after they came.
        Where another process has that to do, usage is as it left it.
        """
        if self.settings.role.ticks:
            return self.refreshing.run(self._tick)
        self.reread_book()
        return 0

    def reread_book(self) -> None:
        """Price by the newest version of the book, which another process may have imported."""
        self.prices.book = self.books.current(self.settings.book)

    def _tick(self) -> int:
        self.reread_book()
        fence = self.lease.hold()
        if fence is None:
            return 0
        if not self.settings.events_cluster:  # there each server knows its own shard only
            self.tally.check()
        meter = MeterStore(self.engine, partial(check_fence, fence=fence))
        heeded = self.desk.corrections.heeded
        return metering_jobs.tick(self.events, meter, self.now(), heeded, self.tally.lost)

    def drop_old_events(self) -> list[date]:
        """Drop the days of events that are older than they are kept; return these."""
        with self.refreshing.lock:
            return self.retention.drop(self.settings.events_days, self.now().date())

    def draft(self, account: str, month: str) -> Bill:
        """Draft an account's bill of a month from usage as the last refresh left it."""
        bill = draft_bill(self.office, account, month, self.now())
        doubts = sentences(self.reconciliation, bill.month, account)
        return replace(bill, warnings=(*bill.warnings, *doubts))

    def payable_changes(self, changes: Sequence[Usage]) -> list[dict[str, str]]:
        """Return what changes of usage do to bills, a row an account and month."""
        found = payable_changes(self.office, changes, self.now())
        return [
            {
                "account": one.account,
                "month_start": one.month.start.isoformat(),
                "payable_before": f"{one.before:f}",
                "payable_after": f"{one.after:f}",
                "difference": f"{one.after - one.before:f}",
                "currency": self.prices.book.currency,
            }
            for one in found
        ]

    def close(self) -> None:
        """Write what waits and close both stores."""
        self.commit.close()
        self.readings_commit.close()
        self.quarantine_commit.close()
        self.events.close()
        if self.settings.role.ticks:
            with suppress(SQLAlchemyError):  # then the lease ends by itself
                self.lease.release()
        self.engine.dispose()


class Refreshing:
    """Lets one refresh run at a time, and lets those who waited for it share the next."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._begun = 0
        self._finished = 0
        self._failed = ""

    def run(self, refresh: Callable[[], int]) -> int:
        """Run, unless a run that began after this call has already finished."""
        ticket = self._begun
        with self.lock:
            if self._finished > ticket:
                return 0
            self._begun += 1
            began = self._begun
            try:
                changed = refresh()
            except Exception as error:
                self._failed = type(error).__name__
                raise
            self._failed = ""
            self._finished = began
            return changed

    def wrong(self) -> list[str]:
        """Return a sentence on the last run, where it failed."""
        if not self._failed:
            return []
        return [f"usage must be brought up to date, found the last run failed ({self._failed})"]


def assemble(settings: Settings) -> Parts:
    """Open both stores and join the parts.

    Raises:
        StoreLockedError: another process has the embedded event store open.
        StoreDamagedError: files of the event store are missing or cut.
        ClockSkewError: this machine may not collect by its clock.
        BandsError: the bounds of context bands do not rise.
        GatewayError: the gateways of record are not named as they must be.
        MappingFileError: the operator's table of metrics cannot be used.
    """
    words = understood(settings.metrics_map)
    engine, floor = _ledger(settings)
    book = _book(settings, books := BookStore(engine))
    meter = MeterStore(engine)
    deployment = deployed(settings)
    events = EventStore.open(settings.events, clock.now_ns, floor, deployment)
    if settings.role.collects:
        events.stamps.check_clock()
    lose_nothing(events.client)
    readings = ReadingStore(events.client, settings.readings_days, deployment.layout)
    quarantine = QuarantineStore(events.client, clock.now_ns, deployment.layout)
    return Parts(
        settings=settings,
        engine=engine,
        events=events,
        commit=GroupCommit(events.record_batches, pause_seconds=_pause(settings)),
        readings=readings,
        readings_commit=GroupCommit(readings.record_batches),
        quarantine=quarantine,
        quarantine_commit=GroupCommit(quarantine.record_batches),
        decoder=FastDecoder(secrets.randbits(64), Gateways.parse(settings.gateways)),
        words=words,
        meter=meter,
        resources=ResourceStores(
            ResourceStore(engine),
            ScheduleStore(engine),
            InventoryStore(engine, [region.id for region in book.regions]),
        ),
        reconciliation=ReconcileSources(
            readings=readings,
            calls=CallStore(events.client, CorrectionStore(engine).standing),
            meter=meter,
            ledger=ReconcileStore(engine),
            tolerance=settings.tolerance,
        ),
        office=open_office(settings, engine, book),
        books=books,
        now=clock.now,
        refreshing=Refreshing(),
        lease=_lease(settings, engine),
        decisions=DecisionStore(engine),
        desk=Desk(events, meter, CorrectionStore(engine), clock.now),
        room=Room(local_folders(settings), Floors(settings.min_free_bytes)),
        retention=RetentionStore(events.client),
        tally=Tally(events, engine, days_of(settings.events_lost)),
        backups=Backups(settings.backups, engine, events, settings.events),
    )


def deployed(settings: Settings) -> Deployment:
    """Return how the event store is run; embedded, this process is the only one that writes.

    Raises:
        BandsError: the bounds of bands do not rise.
    """
    bands = Bands.parse(settings.context_bands)
    if settings.is_embedded:
        return replace(ALONE, bands=bands)
    database = urlsplit(settings.events).path.strip("/") or PLAIN.database
    layout = Layout(settings.events_cluster, database)
    return Deployment(layout, settings.settle_seconds * 10**9, bands)


def _pause(settings: Settings) -> float:
    """Return how long writes are held back to gather some more: a journal's take no time."""
    return 0.005 if settings.is_embedded else 0.05


def _lease(settings: Settings, engine: Engine) -> LeaseStore:
    lease = LeaseStore(engine, secrets.token_hex(8), settings.lease_seconds)
    if settings.is_embedded:  # whoever has its directory open is the only one
        lease.seize()
    return lease


def _book(settings: Settings, books: BookStore) -> PriceBook:
    """Return the book to price by; a collector never asks the ledger, and prices nothing."""
    if settings.role is Role.COLLECTOR:
        return shipped_book(shipped_names()[0])
    return books.current(settings.book)


def _ledger(settings: Settings) -> tuple[Engine, int]:
    """Open the ledger, and return it with the last cutoff; a collector never asks it."""
    if settings.role is Role.COLLECTOR:
        return make_engine(settings.ledger), 0
    engine = open_ledger(settings.ledger)
    return engine, MeterStore(engine).last_close().stored_before


def understood(metrics_map: str) -> Vocabulary:
    """Return the metric names that are understood: the shipped ones and an operator's own."""
    if not metrics_map:
        return KNOWN
    return vocabulary(SYSTEMS, parse_systems(Path(metrics_map).read_text("utf-8")))
