"""Ledgers to bill on: SQLite ones are copies of one that was migrated once."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import fresh_database
from sqlalchemy import Engine

from tallystick.database import make_engine, open_ledger


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty, migrated ledger."""
    path = tmp_path_factory.mktemp("migrated") / "ledger.db"
    engine = open_ledger(f"sqlite:///{path}")
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    engine.dispose()
    return path


@pytest.fixture
def postgres_ledger(postgres_url: str) -> str:
    """The address of an empty, migrated ledger on PostgreSQL."""
    url = fresh_database(postgres_url)
    open_ledger(url).dispose()
    return url


@pytest.fixture
def fresh(migrated: Path, tmp_path: Path) -> Iterator[Callable[[], Engine]]:
    """Return what opens one empty ledger after the other."""
    opened: list[Engine] = []

    def open_next() -> Engine:
        path = tmp_path / f"{len(opened)}.db"
        shutil.copyfile(migrated, path)
        opened.append(make_engine(f"sqlite:///{path}"))
        return opened[-1]

    yield open_next
    for engine in opened:
        engine.dispose()


@pytest.fixture
def engine(fresh: Callable[[], Engine]) -> Engine:
    """An empty ledger of this test's own."""
    return fresh()
