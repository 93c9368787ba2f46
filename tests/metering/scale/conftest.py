"""A ledger on PostgreSQL alone, for what SQLite cannot do: two transactions at once."""

from collections.abc import Iterator

import pytest
from ledgers import migrated_database
from sqlalchemy import Engine

from tallystick.database import open_ledger


@pytest.fixture
def postgres_ledger(postgres_url: str) -> Iterator[Engine]:
    engine = open_ledger(migrated_database(postgres_url))
    yield engine
    engine.dispose()
