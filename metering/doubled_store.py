"""Calls of some hours that more than one row tells of: their rows are fetched, and chosen from.

contested keys -> rows under them, in a table of their own -> contradictions, sums
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from metering import sums_sql as sql
from metering.key_table_store import Statements, create_keys, insert_keys, name_of_own

_AT_ONCE = 250_000
"""Keys whose rows are held at once: they are in memory."""


class Doubled:
    """The keys of calls that are summed with care, and their rows while these are asked for."""

    def __init__(self, engine: Statements, span: dict[str, Any]) -> None:
        """Make the tables, with the keys that are contested in the hours."""
        self._engine = engine
        self._span = span
        self._slices = 0
        self._keys = create_keys(engine)
        self._rows = name_of_own("rows")
        engine.command(self._filled(sql.CREATE_ROWS))
        engine.command(self._filled(sql.DOUBLED), span)

    def include(self, keys: set[int]) -> None:
        """Take further keys, and fetch the rows where they are few."""
        if keys:
            insert_keys(self._engine, self._keys, keys)
        count = self._engine.rows(f"SELECT count() FROM {self._keys}", {})[0][0]  # noqa: S608 - our name
        self._slices = -(-count // _AT_ONCE)
        if self._slices == 1:
            self._fetch(0)

    def contradicted(self) -> set[int]:
        """Return the keys of identities that were told of as different calls."""
        query = sql.CONTRADICTED_ROWS if self._slices == 1 else sql.CONTRADICTED
        return {row[0] for row in self._engine.rows(self._filled(query), self._span)}

    @property
    def left_out(self) -> str:
        """The condition of all other calls."""
        return self._filled(sql.NOT_IN_ROWS if self._slices == 1 else sql.NOT_DOUBLED)

    def slices(self) -> Iterator[str]:
        """Yield the table of rows, with all rows of some calls at a time."""
        if self._slices == 1:
            yield self._rows
            return
        for number in range(self._slices):
            self._fetch(number)
            yield self._rows

    def drop(self) -> None:
        """Drop the tables."""
        for name in (self._keys, self._rows):
            self._engine.command(f"DROP TABLE {name}")

    def _fetch(self, number: int) -> None:
        self._engine.command(f"TRUNCATE TABLE {self._rows}")
        slice_ = {"slices": self._slices, "slice": number}
        self._engine.command(self._filled(sql.FETCH), self._span | slice_)

    def _filled(self, query: str) -> str:
        return sql.filled(query, {"rows": self._rows, "doubled": self._keys})


@contextmanager
def doubled_calls(engine: Statements, span: dict[str, Any]) -> Iterator[Doubled]:
    """Hold the calls of some hours that need care while the block runs."""
    doubled = Doubled(engine, span)
    try:
        yield doubled
    finally:
        doubled.drop()
