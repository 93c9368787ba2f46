"""Print rows as a table for people, or as JSON or CSV for programs."""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from metering.sheet import guarded


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def show_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str = "") -> None:
    """Print a table; numbers are right-aligned and grouped by thousands."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for name in columns:
        is_number = bool(rows) and all(isinstance(r.get(name), int) for r in rows)
        table.add_column(name.replace("_", " "), justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*(Text(_text(row.get(name))) for name in columns))
    console().print(table)


def show_json(document: Any) -> None:
    """Print a document as JSON; decimals in it are text already."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def show_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as CSV with a header."""
    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)


def console() -> Console:
    """Return the console for people; wide where nobody looks, so that no cell is cut."""
    width = None if sys.stdout.isatty() else 240
    return Console(width=width, markup=False, emoji=False, highlight=False)


def _cell(value: Any) -> str:
    """Write a CSV cell; text that a spreadsheet would run gets an apostrophe, numbers never do."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    text = "" if value is None else str(value)
    return text if _is_number(text) else guarded(text)


def _is_number(text: str) -> bool:
    return text[1:].replace(".", "", 1).isdecimal()


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
