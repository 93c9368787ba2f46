"""A ledger and an event store with a made-up month of two accounts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from metering import jobs
from metering.band import NO_BANDS
from metering.corrections.correction import Correction, Target
from metering.corrections.correction import Kind as Decision
from metering.corrections.jobs import Desk
from metering.corrections.store import CorrectionStore
from metering.event_store import EventStore
from metering.identity import Identity, Kind
from pricing.proof.bundle_store import BundleStore
from tallystick.database import open_ledger
from tests.builders import T0, arrivals_of
from tests.pricing.office_notation import LATER, tell
from tests.proof.told import Told

MONTH = """
token t1 shared small 2026-10-01
token o1 shared small 2026-10-01 account=other
"""
EVENTS = """
e1 2026-10-06T02:00Z tenant=acme pool=shared fresh=1234567 output=20
e1 2026-10-06T02:00Z tenant=acme pool=shared fresh=1234567 output=20
e2 2026-10-06T02:30Z tenant=acme pool=shared fresh=500 cached=7 call=r2
e3 2026-10-06T02:31Z tenant=acme pool=shared fresh=500 cached=7 call=r2 rank=50 dialect=engine
e4 2026-10-06T02:40Z tenant=acme pool=shared fresh=9 call=r4 trace=t span=s
e5 2026-10-07T02:40Z tenant=secret-tenant pool=shared fresh=777 output=3 model=secret-model
e6 2026-10-07T02:41Z tenant=nobody pool=shared fresh=55 call=r6
e7 2026-10-09T03:00Z tenant=acme pool=shared fresh=90000 model=m2 outcome=server_error call=r7
e8 2026-10-10T03:00Z tenant=acme pool=shared fresh=1000 call=r8
e9 2026-10-10T03:00Z tenant=secret-tenant pool=shared fresh=2000 call=r9
e10 2026-10-10T03:00Z tenant=acme pool=shared fresh=3000 call=r10
e11 2026-10-11T03:00Z tenant=acme pool=shared output=5 call=r11 choice=1
e12 2026-10-11T03:00Z tenant=acme pool=shared output=6 call=r11 choice=1
"""
DECISIONS = (
    Correction("c8", Decision.VOID, Target(("r8",)), "ann", "a test"),
    Correction("c9", Decision.AMEND, Target(("r9",)), "ann", "acme's", (("tenant", "acme"),)),
    Correction("c10", Decision.AMEND, Target(("r10",)), "ann", "counted", (("fresh", 30),)),
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """A month of two accounts, whose bills are made of events."""
    folder: Path = tmp_path_factory.mktemp("proof")
    engine = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    office = tell(engine, MONTH)
    office.meter.put_identities(
        [Identity(Kind.TENANT, "acme", "acme"), Identity(Kind.TENANT, "secret-tenant", "other")]
    )
    ticks = iter(range(T0, T0 + 10**9))
    events = EventStore.open(f"chdb://{folder / 'events'}", lambda: next(ticks))
    corrections = CorrectionStore(engine)
    for arrival in arrivals_of(EVENTS):
        events.record([arrival.event])
    desk = Desk(events, office.meter, corrections, lambda: LATER)
    for decision in DECISIONS:
        desk.make(decision)
    jobs.tick(events, office.meter, LATER, corrections.heeded)
    bundles = BundleStore(office.billing, events, office.meter, corrections.heeded, NO_BANDS)
    yield Told(engine, office, events, bundles, corrections)
    events.close()
    engine.dispose()
