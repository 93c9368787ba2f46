"""A bill as a workbook: a summary, then all rows, in constant memory; the same bill, same bytes.

Ids and text are text cells, so nothing is run and no digit of an id is lost. Numbers are number
cells where a spreadsheet keeps all their digits, else text.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any
from unicodedata import east_asian_width

from pricing.focus.column import Column, Row, Type, cell
from pricing.focus.columns import columns_of
from pricing.money import plain
from pricing.statement.seen import seen
from pricing.statement.statement import Statement
from pricing.statement.words import words

MAX_ROWS = 1_048_576
"""Rows of a sheet, its header with them."""

_MAX_TEXT = 32_767
"""Characters of a cell."""
_EXACT_DIGITS = 15
"""Digits of a number that a spreadsheet keeps."""
_A4 = 9
_WIDTHS = (26, 56, 20)
"""Of the columns of the summary, in letters."""
_LINE = 15.0
_MOST_LINES = 27
"""A row is at most 409 points high."""
_MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)
"""The creation date that every workbook says, so that its bytes repeat."""


def workbook(statement: Statement, rows: Iterable[Row], sheet_rows: int = MAX_ROWS) -> bytes:
    """Return the workbook; rows go on to another sheet after ``sheet_rows``, each with a header.

    Raises:
        TextTooLongError: a text is longer than a cell holds.
    """
    import xlsxwriter  # noqa: PLC0415 - an extra, and slow to load

    out = BytesIO()
    options = {"constant_memory": True, "in_memory": False}
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"title": statement.title, "created": _MADE_AT})
        styles = _Styles(book)
        _summary(book, styles, statement)
        _all_rows(book, styles, rows, sheet_rows)
    return out.getvalue()


class _Styles:
    """How cells look."""

    def __init__(self, book: Any) -> None:
        money = {"num_format": "#,##0.00########"}
        head = {"bold": True, "bg_color": "#E8EDF2", "bottom": 1}
        self.title = book.add_format({"bold": True, "font_size": 16})
        self.head = book.add_format(head)
        self.head_right = book.add_format(head | {"align": "right"})
        self.label = book.add_format({"font_color": "#5A6672"})
        self.text = book.add_format({"num_format": "@"})
        self.wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        self.money = book.add_format(money)
        self.top_money = book.add_format(money | {"valign": "top"})
        self.total = book.add_format(money | {"bold": True, "top": 1})
        self.total_text = book.add_format({"bold": True, "top": 1})


def _summary(book: Any, styles: _Styles, statement: Statement) -> None:
    said = words(statement.language)
    sheet = book.add_worksheet(said["summary"])
    sheet.hide_gridlines(2)
    sheet.set_paper(_A4)
    sheet.fit_to_pages(1, 0)
    for at, width in enumerate(_WIDTHS):
        sheet.set_column(at, at, width)
    _write(sheet, 0, 0, statement.title, styles.title)
    facts = ("account", "bill", "number", "period", "provider", "currency")
    for at, fact in enumerate(facts, start=2):
        told = seen(str(getattr(statement, fact)))
        sheet.set_row(at, _height("", told))
        _write(sheet, at, 0, said[fact], styles.label)
        _write(sheet, at, 1, told, styles.wrapped)
    at = len(facts) + 3
    for name, amount in statement.summary:
        _write(sheet, at, 0, name, None)
        _write(sheet, at, 2, amount, styles.money)
        at += 1
    at = _total_row(sheet, at, statement.payable, styles, said["payable"])
    _write(sheet, at + 1, 0, said["contract"], styles.head)
    _write(sheet, at + 1, 1, said["item"], styles.head)
    _write(sheet, at + 1, 2, said["amount"], styles.head_right)
    at += 2
    for section in statement.sections:
        for item in section.items:
            texts = seen(section.contract) or said["whole"], seen(item.text)
            sheet.set_row(at, _height(*texts))
            _write(sheet, at, 0, texts[0], styles.wrapped)
            _write(sheet, at, 1, texts[1], styles.wrapped)
            _write(sheet, at, 2, item.amount, styles.top_money)
            at += 1
    _total_row(sheet, at, statement.payable, styles, said["total"])


def _height(*texts: str) -> float:
    """Return the height of a row whose texts are wrapped: no program need work it out."""
    lines = (-(-_columns(text) // (width - 2)) for text, width in zip(texts, _WIDTHS, strict=False))
    return _LINE * min(max(1, *lines), _MOST_LINES)


def _columns(text: str) -> int:
    """Return how many letters wide a text is; Chinese takes two each."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def _total_row(sheet: Any, at: int, amount: Decimal, styles: _Styles, name: str) -> int:
    _write(sheet, at, 0, name, styles.total_text)
    _write(sheet, at, 1, "", styles.total_text)
    _write(sheet, at, 2, amount, styles.total)
    return at + 1


def _all_rows(book: Any, styles: _Styles, rows: Iterable[Row], sheet_rows: int) -> None:
    columns = columns_of("1.2")
    sheet, at, number = _lines_sheet(book, styles, columns, 1), 1, 1
    for row in rows:
        if at == sheet_rows:
            number += 1
            sheet, at = _lines_sheet(book, styles, columns, number), 1
        for column, of in enumerate(columns):
            _write_cell(sheet, (at, column), of, row[of.name], styles)
        at += 1


def _lines_sheet(book: Any, styles: _Styles, columns: Sequence[Column], number: int) -> Any:
    sheet = book.add_worksheet("Lines" if number == 1 else f"Lines {number}")
    sheet.freeze_panes(1, 0)
    sheet.set_paper(_A4)
    sheet.set_landscape()
    sheet.repeat_rows(0)
    sheet.set_column(0, len(columns) - 1, 22)
    for at, column in enumerate(columns):
        _write(sheet, 0, at, column.name, styles.head)
    return sheet


def _write_cell(sheet: Any, at: tuple[int, int], column: Column, value: Any, by: _Styles) -> None:
    if value is None:
        return
    if column.type is Type.NUMBER:
        _write(sheet, *at, value, by.money)
    else:
        _write(sheet, *at, cell(value), by.text)


def _write(sheet: Any, row: int, column: int, value: str | Decimal, style: Any) -> None:
    """Write one cell by its type, never by what a text looks like."""
    if isinstance(value, Decimal):
        if len(value.normalize().as_tuple().digits) <= _EXACT_DIGITS:
            sheet.write_number(row, column, value, style)
            return
        value = plain(value)
    if len(value) > _MAX_TEXT:
        raise TextTooLongError(value)
    sheet.write_string(row, column, value, style)


class TextTooLongError(ValueError):
    """A text that does not fit into a cell."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"a cell must be of at most {_MAX_TEXT} characters, found {len(text)}: {text[:40]!r}"
        )
