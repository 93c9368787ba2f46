"""Lines as files: FOCUS as CSV or JSON, from one column table; the same lines, the same bytes."""

import csv
import io
import json
from collections.abc import Iterable, Sequence

from metering.sheet import guarded
from pricing.focus.column import Column, Row, Type, cell
from pricing.focus.columns import columns_of
from pricing.focus.version import as_version


def focus_csv(rows: Iterable[Row], version: str = "1.2") -> str:
    """Return the rows as FOCUS CSV: UTF-8, CRLF, a header, null as an empty cell.

    Text that a spreadsheet would run as a formula gets a leading apostrophe; numbers never do.
    """
    return dataset_csv((as_version(row, version) for row in rows), columns_of(version))


def dataset_csv(rows: Iterable[Row], columns: Sequence[Column]) -> str:
    """Return rows of any data set as FOCUS CSV, by the data set's columns."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(c.name for c in columns)
    writer.writerows([_guarded(c, cell(row[c.name])) for c in columns] for row in rows)
    return out.getvalue()


def focus_json(rows: Iterable[Row], version: str = "1.2") -> str:
    """Return the rows as a JSON list of objects; decimals are strings, null is null."""
    columns = columns_of(version)
    return json.dumps(
        [json_row(as_version(row, version), columns) for row in rows],
        ensure_ascii=False,
        indent=1,
        sort_keys=False,
    )


def json_row(row: Row, columns: Sequence[Column]) -> dict[str, object]:
    """Return one row for JSON: decimals and instants as text, key-value columns as objects."""
    return {
        c.name: row[c.name] if row[c.name] is None or c.type is Type.JSON else cell(row[c.name])
        for c in columns
    }


def sorted_rows(rows: Iterable[Row]) -> list[Row]:
    """Return rows in the order that files have: account, time, price, line."""
    return sorted(
        rows,
        key=lambda r: (
            r["BillingAccountId"],
            r["ChargePeriodStart"],
            r["SkuPriceId"] or "",
            r["x_LineId"],
        ),
    )


def _guarded(column: Column, text: str) -> str:
    return guarded(text) if column.type is Type.TEXT else text
