"""Usage rows as closing reads and writes them: by the thousand, past the session's objects."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Row, select
from sqlmodel import SQLModel

from metering.event import Outcome, Quality
from metering.tables import Instant, UsageRow
from metering.usage import UsageKey, in_order

_AT_ONCE = 500
_USAGE = SQLModel.metadata.tables[str(UsageRow.__tablename__)]
_COLUMNS = (*UsageKey.__slots__, "quantity", "run")
_OUTCOME, _QUALITY = (_COLUMNS.index(name) - 1 for name in ("outcome", "quality"))

Value = TypeVar("Value")


def current_rows(connection: Connection, hours: Sequence[datetime]) -> dict[UsageKey, Row[Any]]:
    """Return the current revisions of some hours."""
    current = select(_USAGE).where(_USAGE.c.superseded_by.is_(None))
    return {
        usage_key(row): row
        for some in chunks(hours)
        for row in connection.execute(current.where(_USAGE.c.hour.in_(some)))
    }


def insert_usage(connection: Connection, rows: Mapping[UsageKey, int], run: int) -> None:
    """Write a revision of rows.

    Straight to the driver: made into parameters one by one, rows took twice as long to write.
    """
    if rows:
        instant = _instants(connection.dialect)
        told = [(*_driver_values(key, instant), quantity, run) for key, quantity in rows.items()]
        connection.exec_driver_sql(_insertion(connection.dialect), told)


def chunks(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """Cut a list into what one statement takes: databases limit its parameters."""
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


def usage_key(row: UsageRow | Row[Any]) -> UsageKey:
    """Read the key of a row."""
    return UsageKey(
        hour=row.hour,
        account=row.account,
        project=row.project,
        cluster=row.cluster,
        resource=row.resource,
        pool=row.pool,
        model=row.model,
        operation=row.operation,
        outcome=Outcome(row.outcome),
        quality=Quality(row.quality),
        meter=row.meter,
        band=row.band,
        provider=row.provider,
        tier=row.tier,
        spill_reason=row.spill_reason,
    )


def _insertion(dialect: Dialect) -> str:
    """Return the statement by position, as a driver reads it."""
    mark = "?" if dialect.paramstyle == "qmark" else "%s"
    marks = ", ".join([mark] * len(_COLUMNS))
    return f"INSERT INTO usage ({', '.join(_COLUMNS)}) VALUES ({marks})"  # noqa: S608 - our names


def _driver_values(key: UsageKey, instant: Callable[[datetime], Any]) -> tuple[Any, ...]:
    """Return a key as a driver takes it, without the enums, which it would look at twice."""
    hour, *texts = in_order(key)
    texts[_OUTCOME], texts[_QUALITY] = key.outcome.value, key.quality.value
    return (instant(hour), *texts)


def _instants(dialect: Dialect) -> Callable[[datetime], Any]:
    """Return what writes an instant as the column does."""
    return Instant().dialect_impl(dialect).bind_processor(dialect) or (lambda instant: instant)
