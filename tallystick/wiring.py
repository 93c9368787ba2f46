"""The one place where parts are chosen and joined: plain constructor calls."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from metering import jobs as metering_jobs
from metering.commit import GroupCommit
from metering.event_store import EventStore
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
    commit: GroupCommit
    meter: MeterStore
    prices: PriceStore
    now: Callable[[], datetime]
    refreshing: threading.Lock

    def refresh(self) -> int:
        """Bring usage up to date with every stored event; return the rows changed."""
        with self.refreshing:
            return metering_jobs.tick(self.events, self.meter, self.now())

    def draft(self, account: str, month: str) -> Bill:
        """Draft an account's bill of a month from usage as it stands now."""
        self.refresh()
        return draft_bill(self.meter, self.prices, account, month, self.now())

    def close(self) -> None:
        """Write what waits and close both stores."""
        self.commit.close()
        self.events.close()
        self.engine.dispose()


def assemble(settings: Settings) -> Parts:
    """Open both stores and join the parts.

    Raises:
        StoreLockedError: another process has the embedded event store open.
    """
    book = shipped_book(settings.book)
    events = EventStore.open(settings.events, clock.now_ns)
    engine = open_ledger(settings.ledger)
    return Parts(
        settings=settings,
        engine=engine,
        events=events,
        commit=GroupCommit(events.record),
        meter=MeterStore(engine),
        prices=PriceStore(engine, book),
        now=clock.now,
        refreshing=threading.Lock(),
    )
