"""Rows as lines of JSON: decimals are text, null is null, one row a line."""

import json
from collections.abc import Iterable, Iterator

from pricing.bills.export import json_row
from pricing.focus.column import Row
from pricing.focus.columns import columns_of


def ndjson(rows: Iterable[Row], version: str = "1.2") -> Iterator[str]:
    """Yield each row as a line; control characters and line ends inside text are escaped."""
    columns = columns_of(version)
    for row in rows:
        yield json.dumps(json_row(row, columns), ensure_ascii=False, separators=(",", ":")) + "\n"
