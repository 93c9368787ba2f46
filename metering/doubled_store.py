"""Calls of some hours that more than one row tells of: their rows are kept apart, to choose from.

contested keys -> rows under them, when noted -> their calls, when summed -> contradictions, sums
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from metering import sums_sql as sql
from metering.key_table_store import Statements, create_keys, insert_keys
from metering.scale.layout import Table
from metering.schema import COLUMNS, STAMPS

DOUBLED = Table(
    name="doubled",
    columns=(
        "hour DateTime('UTC') CODEC(Delta, ZSTD(1))",
        *(column.ddl for column in COLUMNS if column.name in sql.TOLD),
        "call_id String CODEC(ZSTD(1))",
        "trace_id String CODEC(ZSTD(1))",
        "event_key UInt64 CODEC(T64, ZSTD(1))",
        "call_key UInt64 CODEC(T64, ZSTD(1))",
        *STAMPS,
    ),
    order_by="(hour, call_key, event_id, content_hash)",
    shard_by="call_key",
    version="earliest",
)
"""Copies of events, as far as choosing looks at them. Among all rows of an hour they lie in every
block, so that to read them there took as long as to read all of it."""

_AT_ONCE = 250_000
"""Calls that are chosen from in one go: their records are sorted in memory."""


class Doubled:
    """The calls that are summed with care, as they were found when the block began."""

    def __init__(self, engine: Statements, span: dict[str, Any]) -> None:
        """List the calls of the hours of which several rows tell."""
        self._engine = engine
        self._span = span
        self._calls = create_keys(engine)
        engine.command(sql.filled(sql.CALLS, {"calls": self._calls}), span)

    def include(self, keys: set[int]) -> None:
        """Take further calls, which are folded elsewhere, out of the plain sum."""
        if keys:
            insert_keys(self._engine, self._calls, keys)

    def contradicted(self) -> set[int]:
        """Return the keys of identities that were told of as different calls."""
        return {row[0] for row in self._engine.rows(sql.CONTRADICTED, self._span)}

    @property
    def left_out(self) -> str:
        """The condition of all other calls."""
        return sql.filled(sql.NOT_DOUBLED, {"calls": self._calls})

    def slices(self) -> Iterator[dict[str, str]]:
        """Yield what to fill in to sum with care, with all rows of some calls at a time."""
        count = self._engine.rows(f"SELECT count() FROM {self._calls}", {})[0][0]  # noqa: S608 - our name
        slices = -(-count // _AT_ONCE)
        for number in range(slices):
            yield {"calls": self._calls, "slices": str(slices), "slice": str(number)}

    def drop(self) -> None:
        """Drop the list."""
        self._engine.command(f"DROP TABLE {self._calls}")


@contextmanager
def doubled_calls(engine: Statements, span: dict[str, Any]) -> Iterator[Doubled]:
    """Hold the calls of some hours that need care while the block runs."""
    doubled = Doubled(engine, span)
    try:
        yield doubled
    finally:
        doubled.drop()
