"""Empty ledgers for tests, on both databases: copies of one that was migrated once a process."""

import time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from sqlalchemy import Engine

from tallystick.database import make_engine, open_ledger


def new_ledger(path: Path) -> Engine:
    """Open an empty ledger in a new SQLite file."""
    path.write_bytes(_migrated_file())
    return make_engine(f"sqlite:///{path}")


def fresh_database(server_url: str) -> str:
    """Create a database of its own on a PostgreSQL server and return its address."""
    return _create_database(server_url, "template1")


def migrated_database(server_url: str) -> str:
    """Create a database that holds an empty ledger and return its address."""
    return _create_database(server_url, _migrated_template(server_url))


@cache
def _migrated_file() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        engine = open_ledger(f"sqlite:///{path}")
        engine.dispose()  # the last connection folds the log into the file
        return path.read_bytes()


@cache
def _migrated_template(server_url: str) -> str:
    url = fresh_database(server_url)
    open_ledger(url).dispose()
    return url.rpartition("/")[2]


def _create_database(server_url: str, template: str) -> str:
    name = f"test_{time.time_ns()}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return server_url.rpartition("/")[0] + f"/{name}"
