"""Under which keys the usage of each hour falls, and which clients of a service tell of it.

Noted when events arrive: keys are few and events are many, so that summing an hour need not look
for them.
"""

from collections.abc import Callable, Sequence
from typing import Any

from metering.event_sql import DIMENSIONS, STORED_BETWEEN
from metering.group import Groups, groups_of
from metering.scale.layout import Layout, Table, ddl

_NAMES = (*DIMENSIONS, "gateway", "dialect")
_COLUMNS = f"hour, {', '.join(_NAMES)}"

HOUR_DIMENSIONS = Table(
    name="hour_dimensions",
    columns=("hour DateTime('UTC')", *(f"{name} LowCardinality(String)" for name in _NAMES)),
    order_by=f"({_COLUMNS})",
    shard_by="xxHash64(hour)",
)

NOTE = f"""
INSERT INTO hour_dimensions ({_COLUMNS})
SELECT DISTINCT toDateTime(toStartOfHour(ended_at), 'UTC') AS hour, {", ".join(_NAMES)}
FROM events WHERE {STORED_BETWEEN} AND role = 'bill'
EXCEPT DISTINCT
SELECT {_COLUMNS} FROM hour_dimensions WHERE hour IN (
    SELECT toDateTime(toStartOfHour(ended_at), 'UTC') FROM events WHERE {STORED_BETWEEN}
)
"""  # noqa: S608 - constants only; values travel as parameters

_KEYS = f"""
SELECT DISTINCT {", ".join(DIMENSIONS)} FROM hour_dimensions
WHERE hour >= toDateTime({{start:Int64}}, 'UTC') AND hour < toDateTime({{end:Int64}}, 'UTC')
"""  # noqa: S608
_MIXED = """
SELECT gateway FROM hour_dimensions
WHERE hour >= toDateTime({start:Int64} - 3600, 'UTC') AND hour <= toDateTime({end:Int64}, 'UTC')
GROUP BY gateway HAVING min(dialect) != max(dialect)
"""

Rows = Callable[[str, dict[str, Any]], Sequence[Sequence[Any]]]


class HourDimensions:
    """What is told apart in hours. Its owner maps errors of the engine."""

    def __init__(self, rows: Rows, command: Callable[..., None], layout: Layout) -> None:
        """Open the table; ``rows`` queries the engine and ``command`` changes something."""
        self._rows = rows
        for statement in ddl(HOUR_DIMENSIONS, layout):
            command(statement)

    def groups(self, span: dict[str, Any]) -> Groups:
        """Return how the keys of some hours are told apart."""
        return groups_of(tuple(row) for row in self._rows(_KEYS, span))

    def mixed(self, span: dict[str, Any]) -> list[str]:
        """Return the services of which several clients tell in or next to some hours."""
        return [row[0] for row in self._rows(_MIXED, span)]
