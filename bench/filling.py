"""A ledger with a month of usage, filled hour by hour as closing does, so an account's lie apart.

Indexes are made after the rows, and nothing is written twice: filling is not what is measured.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, Engine, create_engine, insert, text
from sqlmodel import SQLModel

from metering.identity import FOR_EVER
from metering.period import HOUR, Period, month_of
from metering.store import Account, MeterStore
from metering.tables import CloseRow, UsageRow
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import PerToken
from pricing.jobs import Office

MODELS = 5
METERS = 3
HOURS = 720
MONTH = month_of("2026-10", "Asia/Shanghai")
NOW = MONTH.end + timedelta(days=1)
_AT_ONCE = 1000
_DAY = 24

_SQLITE = """
WITH RECURSIVE
    hours(n, hour) AS (
        SELECT 0, :start UNION ALL
        SELECT n + 1, strftime('%Y-%m-%d %H:00:00.000000', hour, '+1 hour') FROM hours
        WHERE n + 1 < :hours),
    accounts(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM accounts WHERE n + 1 < :accounts),
    models(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM models WHERE n + 1 < :models),
    meters(meter) AS (VALUES ('requests'), ('fresh'), ('output'))
INSERT INTO usage (hour, account, project, cluster, resource, pool, model, operation, outcome,
                   quality, meter, band, provider, tier, spill_reason, quantity, run)
SELECT hour, printf('account-%05d', accounts.n), '', '', '', 'shared', 'model-' || models.n,
       'chat', 'ok', 'measured', meter, '', '', '', '',
       1 + ((:first + hours.n) * 7919 + accounts.n * 31 + models.n) % 100000, 1
FROM hours, accounts, models, meters
"""
_POSTGRES = """
INSERT INTO usage (hour, account, project, cluster, resource, pool, model, operation, outcome,
                   quality, meter, band, provider, tier, spill_reason, quantity, run)
SELECT CAST(:start AS timestamptz) + hours.n * interval '1 hour',
       'account-' || lpad(CAST(accounts.n AS text), 5, '0'), '', '', '', 'shared',
       'model-' || models.n, 'chat', 'ok', 'measured', meter, '', '', '', '',
       1 + ((:first + hours.n) * 7919 + accounts.n * 31 + models.n) % 100000, 1
FROM generate_series(0, :hours - 1) hours(n), generate_series(0, :accounts - 1) accounts(n),
     generate_series(0, :models - 1) models(n),
     (VALUES ('requests'), ('fresh'), ('output')) meters(meter)
"""


def names_of(first: int, end: int) -> list[str]:
    """Return what accounts are called, by number."""
    return [f"account-{number:05}" for number in range(first, end)]


def fill(engine: Engine, office: Office, accounts: int) -> None:
    """Put accounts, their contracts and a month of usage into an empty ledger."""
    for at in range(0, accounts, _AT_ONCE):
        _tell(engine, office, names_of(at, min(at + _AT_ONCE, accounts)))
    close = {"stored_before": 1, "closed_at": NOW, "hours": HOURS, "rows_changed": 1}
    with engine.begin() as connection:
        connection.execute(insert(CloseRow), [close])
    url = engine.url
    engine.dispose()
    alone = create_engine(url, isolation_level="AUTOCOMMIT")
    with alone.connect() as connection:
        _FILL[alone.dialect.name](connection, accounts)
    alone.dispose()


def _tell(engine: Engine, office: Office, names: Sequence[str]) -> None:
    meter, since = MeterStore(engine), Period(MONTH.start, FOR_EVER)
    meter.put_accounts([Account(name, name) for name in names])
    terms = PerToken("small")
    office.contracts.put_contracts(
        [Contract(f"c-{name}", name, terms, "cn-hangzhou", "shared", since) for name in names]
    )


def _fill_sqlite(connection: Connection, accounts: int) -> None:
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-500000"):
        connection.exec_driver_sql(f"PRAGMA {pragma}")
    indexes = SQLModel.metadata.tables[str(UsageRow.__tablename__)].indexes
    for index in indexes:
        index.drop(connection)
    for first in range(0, HOURS, _DAY):
        start = f"{MONTH.start + first * HOUR:%Y-%m-%d %H:%M:%S}.000000"
        hours = {"start": start, "first": first, "hours": _DAY}
        connection.execute(text(_SQLITE), {**hours, "accounts": accounts, "models": MODELS})
    for index in indexes:
        index.create(connection)


def _fill_postgres(connection: Connection, accounts: int) -> None:
    indexes = SQLModel.metadata.tables[str(UsageRow.__tablename__)].indexes
    for index in indexes:
        index.drop(connection)
    connection.exec_driver_sql("SET session_replication_role = replica")  # no check a row
    connection.exec_driver_sql("SET maintenance_work_mem = '1GB'")
    for first in range(0, HOURS, _DAY):
        hours = {"start": MONTH.start + first * HOUR, "first": first, "hours": _DAY}
        connection.execute(text(_POSTGRES), {**hours, "accounts": accounts, "models": MODELS})
    for index in indexes:
        index.create(connection)
    connection.exec_driver_sql("VACUUM (ANALYZE) usage")


_FILL = {"sqlite": _fill_sqlite, "postgresql": _fill_postgres}
