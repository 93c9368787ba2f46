"""Ledgers to bill on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ledgers import migrated_database, new_ledger
from sqlalchemy import Engine


@pytest.fixture
def postgres_ledger(postgres_url: str) -> str:
    """The address of an empty, migrated ledger on PostgreSQL."""
    return migrated_database(postgres_url)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[[], Engine]]:
    """Return what opens one empty ledger after the other."""
    opened: list[Engine] = []

    def open_next() -> Engine:
        opened.append(new_ledger(tmp_path / f"{len(opened)}.db"))
        return opened[-1]

    yield open_next
    for engine in opened:
        engine.dispose()


@pytest.fixture
def engine(fresh: Callable[[], Engine]) -> Engine:
    """An empty ledger of this test's own."""
    return fresh()
