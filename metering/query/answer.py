"""What a question about usage is answered with, and its files: JSON, CSV, Parquet."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from metering.query.question import HOUR, START, Key, Question
from metering.report import Figures
from metering.sheet import guarded

FIGURES: tuple[str, ...] = tuple(field.name for field in fields(Figures))
"""The columns of a row behind its key."""


class Format(StrEnum):
    """How an answer is written."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


MEDIA_TYPES = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv",
    Format.PARQUET: "application/vnd.apache.parquet",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One group: what it is of, and its figures in the order of ``FIGURES``."""

    key: Key
    figures: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of an answer, in order of their keys."""

    rows: Sequence[Row]
    run: int
    """The close run whose usage this is."""
    has_more: bool


def total(rows: Iterable[Row]) -> tuple[int, ...]:
    """Return the figures of all rows together.

    >>> total([])
    (0, 0, 0, 0, 0, 0, 0, 0)
    """
    listed = [row.figures for row in rows]
    return tuple(map(sum, zip(*listed, strict=True))) if listed else (0,) * len(FIGURES)


def figures_document(figures: Sequence[int]) -> dict[str, int]:
    """Return figures by name."""
    return dict(zip(FIGURES, figures, strict=True))


def row_document(question: Question, row: Row) -> dict[str, Any]:
    """Return a row for JSON."""
    shown = zip(question.columns, question.shown(row.key), strict=True)
    return dict(shown) | figures_document(row.figures)


def csv_texts(question: Question, pages: Iterable[Page]) -> Iterator[str]:
    """Yield an answer as CSV, a header and then page by page.

    Text that a spreadsheet would run as a formula gets a leading apostrophe; numbers never do.
    """
    yield _csv([(*question.columns, *FIGURES)])
    for page in pages:
        yield _csv((*map(guarded, question.shown(row.key)), *row.figures) for row in page.rows)


def parquet(question: Question, pages: Iterable[Page]) -> bytes:
    """Return an answer as Parquet: text, UTC instants and 64-bit integers; a row group a page."""
    schema = _schema(question)
    out = io.BytesIO()
    with pq.ParquetWriter(out, schema) as writer:
        for page in pages:
            columns = zip(*((*row.key, *row.figures) for row in page.rows), strict=True)
            values = list(columns) or [()] * len(schema)
            arrays = [pa.array(v, f.type) for v, f in zip(values, schema, strict=True)]
            writer.write_table(pa.table(arrays, schema=schema))
    return out.getvalue()


def format_of(asked: Format | None, accept: str) -> Format:
    """Return how to write an answer: as asked, else what a client accepts first, else JSON.

    >>> format_of(None, "text/csv;q=0.9, */*")
    <Format.CSV: 'csv'>
    """
    if asked:
        return asked
    accepted = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    known = {media: way for way, media in MEDIA_TYPES.items()}
    return next((known[media] for media in accepted if media in known), Format.JSON)


def _schema(question: Question) -> pa.Schema:
    instants = {START, HOUR}
    instant = pa.timestamp("us", "UTC")
    keys = [(name, instant if name in instants else pa.string()) for name in question.columns]
    return pa.schema([*keys, *((name, pa.int64()) for name in FIGURES)])


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
