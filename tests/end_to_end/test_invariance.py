"""Order, resends and batch boundaries change neither usage nor a bill, through both real stores."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from builders import hour, usage_events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from metering.event import UsageEvent
from metering.event_store import EventStore
from metering.identity import FOR_EVER, Identity, Kind
from metering.jobs import tick
from metering.period import Period
from metering.store import Account, MeterStore
from metering.usage import Usage
from pricing.bills.bill import Bill
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import PerToken
from pricing.contracts.store import ContractStore
from pricing.jobs import draft_bill
from pricing.prices.store import shipped_book
from tallystick.database import METADATA, open_ledger
from tests.pricing.office_notation import office_of

NOW = datetime(2026, 11, 2, tzinfo=UTC)
MONTH = Period(hour("2026-09-30T16"), hour("2026-10-31T16"))
BOOK = shipped_book("polardb-2026")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EventStore, Engine]]:
    folder: Path = tmp_path_factory.mktemp("stores")
    events = EventStore.open(f"chdb://{folder / 'events'}", lambda: 2 * 10**18)
    engine = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    yield events, engine
    engine.dispose()
    events.close()


def billed(
    stores: tuple[EventStore, Engine], batches: Sequence[Sequence[UsageEvent]], *, often: bool
) -> tuple[list[Usage], Bill]:
    """Send batches into empty stores, closing after each or once at the end; draft the bill."""
    events, engine = stores
    for table in ("events", "sightings", "doubled"):
        events.client.command(f"TRUNCATE TABLE {table}")
    with engine.begin() as connection:
        for table in reversed(METADATA.sorted_tables):
            connection.execute(table.delete())
    meter, prices = MeterStore(engine), ContractStore(engine, BOOK)
    meter.put_accounts([Account("acme", "Acme")])
    meter.put_identities([Identity(Kind.TENANT, "acme", "acme")])
    terms = PerToken("small")
    period = Period(MONTH.start, FOR_EVER)
    prices.put_contracts(
        [Contract(p, "acme", terms, "cn-hangzhou", p, period) for p in ("shared", "dedicated")]
    )
    for batch in batches:
        events.record(batch)
        if often:
            tick(events, meter, NOW)
    tick(events, meter, NOW)
    return meter.usage(MONTH), draft_bill(office_of(engine, BOOK), "acme", "2026-10", NOW)


def disturbed(sent: Sequence[UsageEvent], rng: Random) -> list[list[UsageEvent]]:
    """Shuffle, resend some, and cut into batches anywhere."""
    stream = [*sent, *(e for e in sent if rng.random() < 0.5)]
    rng.shuffle(stream)
    batches: list[list[UsageEvent]] = [[]]
    for event in stream:
        if rng.random() < 0.4:
            batches.append([])
        batches[-1].append(event)
    return batches


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sent=st.lists(usage_events, max_size=8, unique_by=lambda e: e.event_id),
    rng=st.randoms(use_true_random=False),
    often=st.booleans(),
)
def test_order_resends_and_batches_change_nothing(
    stores: tuple[EventStore, Engine], sent: list[UsageEvent], rng: Random, often: bool
) -> None:
    usage, bill = billed(stores, [sent], often=False)
    usage_again, bill_again = billed(stores, disturbed(sent, rng), often=often)

    assert usage_again == usage
    assert bill_again.lines == bill.lines
    assert bill_again.result_hash == bill.result_hash
    assert bill_again.blockers == bill.blockers
