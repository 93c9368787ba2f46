"""Tables of keys that live as long as the queries that ask for them: keys may be many."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import pyarrow as pa

from metering.schema import NO_KEYS


class Statements(Protocol):
    """What runs the statements, and turns the engine's failures into StoreUnavailableError."""

    def rows(self, query: str, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """Query the engine."""

    def command(self, statement: str, parameters: dict[str, Any] | None = None) -> None:
        """Change something in the engine."""

    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows into a table."""


class KeyTable:
    """Some keys, here and in a table of the engine, which is made for the first of them."""

    def __init__(self, engine: Statements) -> None:
        self._engine = engine
        self.keys: set[int] = set()
        self.name = NO_KEYS

    def add(self, keys: set[int]) -> None:
        """Put in the keys that are not in it yet."""
        new = keys - self.keys
        if not new:
            return
        if self.name == NO_KEYS:
            self.name = create_keys(self._engine)
        self.keys |= new
        insert_keys(self._engine, self.name, new)

    def drop(self) -> None:
        """Drop the table, where there is one."""
        if self.name != NO_KEYS:
            self._engine.command(f"DROP TABLE {self.name}")


@contextmanager
def key_table(engine: Statements, keys: set[int]) -> Iterator[KeyTable]:
    """Hold keys in a table of their own while the block runs."""
    table = KeyTable(engine)
    try:
        table.add(keys)
        yield table
    finally:
        table.drop()


@contextmanager
def own_table(command: Callable[..., None], columns: str) -> Iterator[str]:
    """Hold an empty table in memory while the block runs; its name is no other's."""
    name = f"own_{uuid.uuid4().hex}"
    command(f"CREATE TABLE {name} ({columns}) ENGINE = Memory")
    try:
        yield name
    finally:
        command(f"DROP TABLE {name}")


def create_keys(engine: Statements) -> str:
    """Make an empty table of keys and return its name."""
    name = f"keys_{uuid.uuid4().hex}"
    engine.command(f"CREATE TABLE {name} (key UInt64) ENGINE = Memory")
    return name


def insert_keys(engine: Statements, table: str, keys: set[int]) -> None:
    """Put keys into a table."""
    column = pa.array(sorted(keys), pa.uint64())
    engine.insert(table, pa.table([column], names=["key"]))
