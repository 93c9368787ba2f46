"""The ledger: migrations are the models, and both databases say the same."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from builders import event, hour, usage_events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import fresh_database
from sqlalchemy import Engine, text
from sqlalchemy.exc import StatementError

from metering.arrival import Arrival
from metering.event import UsageEvent
from metering.identity import FOR_EVER, Identity, Kind
from metering.interval import Interval, Resource, State
from metering.period import HOUR, Period
from metering.rollup import fold
from metering.store import Account, MeterStore
from metering.usage import bound_usage
from pricing.bills.bill import Bill
from pricing.bills.store import BillStore
from pricing.bills.tables import BillRow
from pricing.contracts.contract import Contract, OverlappingContractsError
from pricing.contracts.schemes import Hourly, PerToken, Subscription
from pricing.contracts.store import ContractStore
from pricing.jobs import draft_bill
from pricing.prices.store import UnknownBookError, shipped_book
from tallystick.database import METADATA, migrate, open_ledger
from tests.pricing.office_notation import office_of

NOW = datetime(2026, 11, 2, tzinfo=UTC)
START = hour("2026-09-30T16")
FROM_START = Period(START, FOR_EVER)
BOOK = shipped_book("polardb-2026")
SPEC = "polar.pg.g4.xlarge.gu10"
CONTRACTS = [
    Contract("c1", "acme", Subscription(SPEC, 1, Decimal("0.85")), "cn-hangzhou", "lab",
             Period(START, hour("2026-11-01T16")), "n1"),
    Contract("c2", "acme", Hourly(SPEC), "cn-hangzhou", "dedicated", FROM_START, "n2"),
    Contract("c3", "acme", PerToken("small"), "cn-hangzhou", "shared", FROM_START),
]  # fmt: skip


@pytest.fixture(scope="module")
def both(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Engine]]:
    folder: Path = tmp_path_factory.mktemp("ledgers")
    engines = [
        open_ledger(f"sqlite:///{folder / 'ledger.db'}"),
        open_ledger(fresh_database(postgres_url)),
    ]
    yield engines
    for engine in engines:
        engine.dispose()


def emptied(engine: Engine) -> Engine:
    with engine.begin() as connection:
        for table in reversed(METADATA.sorted_tables):
            connection.execute(table.delete())
    return engine


def draft(engine: Engine, events: list[UsageEvent]) -> Bill:
    """Put the same month into a ledger and draft its bill."""
    meter, prices = MeterStore(engine), ContractStore(engine, BOOK)
    meter.put_accounts([Account("acme", "阿克米")])
    meter.put_identities([Identity(Kind.TENANT, "acme", "acme", "项目")])
    meter.put_resources([Resource(n, "acme", "cn-hangzhou", SPEC) for n in ("n1", "n2")])
    ran = Period(START, START + 3 * HOUR / 2)
    meter.put_intervals([Interval(n, ran, State.RUNNING) for n in ("n1", "n2")])
    prices.put_contracts(CONTRACTS)
    usage = bound_usage(fold(Arrival(e, i) for i, e in enumerate(events)), meter.identities())
    meter.close_hours(sorted({k.hour for k in usage}), usage, 7, NOW)
    return draft_bill(office_of(engine, BOOK), "acme", "2026-10", NOW)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=st.lists(usage_events, max_size=10))
def test_sqlite_and_postgresql_give_the_same_bill(
    both: list[Engine], events: list[UsageEvent]
) -> None:
    one, other = (draft(emptied(engine), events) for engine in both)

    assert one.lines == other.lines
    assert one.result_hash == other.result_hash
    assert (one.payable, one.blockers, one.warnings) == (
        other.payable,
        other.blockers,
        other.warnings,
    )


def test_migrations_make_exactly_the_models(ledger: Engine) -> None:
    with ledger.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        assert compare_metadata(context, METADATA) == []


def test_migrating_twice_changes_nothing_and_back_leaves_nothing(ledger: Engine) -> None:
    migrate(ledger)
    config = Config()
    config.set_main_option("script_location", "tallystick/migrations")
    with ledger.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    migrate(ledger)

    assert MeterStore(ledger).accounts() == []


def test_contracts_come_back_as_they_were_put(ledger: Engine) -> None:
    MeterStore(ledger).put_accounts([Account("acme", "Acme")])
    prices = ContractStore(ledger, BOOK)
    prices.put_contracts(CONTRACTS)

    assert prices.contracts() == CONTRACTS
    clash = Contract("c4", "acme", Hourly(SPEC), "cn-hangzhou", "x", FROM_START, "n1")
    with pytest.raises(OverlappingContractsError, match="found 'c1' and 'c4'"):
        prices.put_contracts([clash])
    assert prices.contracts() == CONTRACTS


def test_a_new_draft_replaces_the_old_one(ledger: Engine) -> None:
    first = draft(ledger, [event("e1", tenant="acme", pool="shared", fresh=10_000)])
    again = draft(ledger, [event("e1", tenant="acme", pool="shared", fresh=20_000)])

    with ledger.connect() as connection:
        bills = connection.execute(text("SELECT id, payable, result_hash FROM bill")).all()
        lines = connection.execute(text("SELECT count(*) FROM line")).scalar_one()
    assert bills == [(again.id, str(again.payable), again.result_hash)]
    assert first.id == again.id
    assert first.result_hash != again.result_hash
    assert lines == len(again.lines)


def test_two_drafts_of_one_bill_at_once_both_succeed(ledger: Engine) -> None:
    bill = draft(ledger, [event("e1", tenant="acme", pool="shared", fresh=10_000)])
    stores = [BillStore(ledger), BillStore(ledger)]

    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(stores[n % 2].put_drafts, [bill]) for n in range(20)]

    assert [d.result() for d in done] == [[bill]] * 20


def test_floats_and_naive_times_never_reach_the_ledger(ledger: Engine) -> None:
    good = {
        "id": "b", "account": "acme", "state": "draft", "currency": "CNY", "stored_before": 1,
        "usage_run": 1, "book_hash": "h", "result_hash": "r", "payable": Decimal(1),
        "month_start": NOW, "month_end": NOW, "service_to": NOW,
    }  # fmt: skip
    table = METADATA.tables[str(BillRow.__tablename__)]
    for name, wrong in (("payable", 1.5), ("month_start", datetime(2026, 1, 1))):  # noqa: DTZ001
        with ledger.begin() as connection, pytest.raises((StatementError, TypeError, ValueError)):
            connection.execute(table.insert().values({**good, name: wrong}))


def test_only_shipped_books_are_opened_by_name() -> None:
    with pytest.raises(UnknownBookError, match="must be one of polardb-2026, found 'mine'"):
        shipped_book("mine")
