"""An exported file as the parts of a delivery: cut at rows, counted and added up on the way."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import file_digest
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from pricing.bills.export import Shape
from pricing.delivery.manifest import Part, Sums
from pricing.money import plain

PART_ROWS = 50_000
"""Rows of a part: what is held in memory when it is put, some 50 MB as CSV."""


@dataclass(slots=True)
class Counted:
    """What the rows of a file bill."""

    sums: defaultdict[tuple[str, str], Decimal] = field(
        default_factory=lambda: defaultdict(Decimal)
    )
    """(invoice, currency) -> BilledCost."""

    def add(self, invoice: str | None, currency: str | None, billed: Decimal | str | None) -> None:
        """Add a row; one of a data set without costs adds nothing."""
        if currency and billed is not None:
            self.sums[invoice or "", currency] += Decimal(billed)

    @property
    def found(self) -> Sums:
        """Return the sums by currency and by invoice."""
        by_currency: dict[str, Decimal] = defaultdict(Decimal)
        by_invoice: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for (invoice, currency), billed in sorted(self.sums.items()):
            by_currency[currency] += billed
            by_invoice[invoice].append((currency, plain(billed)))
        return Sums(
            tuple((currency, plain(billed)) for currency, billed in sorted(by_currency.items())),
            tuple((invoice, tuple(sums)) for invoice, sums in by_invoice.items()),
        )


def cut(
    file: BinaryIO, shape: Shape, folder: Path, most: int = PART_ROWS
) -> tuple[tuple[Part, ...], Sums]:
    """Write parts of at most so many rows below a folder; return them, and what they bill.

    The same file gives the same parts. A CSV file of one part is the file itself.

    Raises:
        OSError: there is no space for the parts.
    """
    file.seek(0)
    counted = Counted()
    pieces = _CUTS[shape](file, counted, folder, most)
    return tuple(_part(path, rows) for path, rows in pieces), counted.found


def _part(path: Path, rows: int) -> Part:
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return Part(rows, path.stat().st_size, digest, path.read_bytes)


def _csv_parts(
    file: BinaryIO, counted: Counted, folder: Path, most: int
) -> Iterator[tuple[Path, int]]:
    text = io.TextIOWrapper(file, "utf-8", newline="")
    reader = csv.reader(text)
    header = next(reader)
    invoice, currency, billed = _places(header)
    for number, rows in enumerate(_groups(reader, most)):
        path, count = folder / f"{number}", 0
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(header)
            for row in rows:
                counted.add(invoice(row), currency(row), billed(row))
                writer.writerow(row)
                count += 1
        yield path, count
    text.detach()


def _places(header: list[str]) -> tuple[Callable[[list[str]], str | None], ...]:
    """Return how the invoice, the currency and the cost of a row are read, None if it has none."""

    def reader(name: str) -> Callable[[list[str]], str | None]:
        at = header.index(name) if name in header else None
        return lambda row: None if at is None else row[at] or None

    return tuple(map(reader, _SUMMED))


_SUMMED = ("InvoiceId", "BillingCurrency", "BilledCost")


def _groups(rows: Iterator[list[str]], most: int) -> Iterator[Iterable[list[str]]]:
    """Yield rows in groups, each to be read before the next; a file without rows is one group."""
    first = next(rows, None)
    yield chain([first] if first else [], islice(rows, most - bool(first)))
    for head in rows:
        yield chain([head], islice(rows, most - 1))


def _parquet_parts(
    file: BinaryIO, counted: Counted, folder: Path, most: int
) -> Iterator[tuple[Path, int]]:
    from pyarrow import parquet  # noqa: PLC0415 - slow to load

    from pricing.focus.parquet import BATCH, OPTIONS  # noqa: PLC0415

    held = parquet.ParquetFile(file)
    batches = held.iter_batches(min(most, BATCH))
    batch, number = next(batches, None), 0
    while batch or not number:
        path, count = folder / f"{number}", 0
        with parquet.ParquetWriter(path, held.schema_arrow, **OPTIONS) as writer:
            while batch and count + len(batch) <= most:
                for row in zip(*(batch[name].to_pylist() for name in _SUMMED), strict=True):
                    counted.add(*row)
                writer.write_batch(batch)
                count += len(batch)
                batch = next(batches, None)
        yield path, count
        number += 1


_Cut = Callable[[BinaryIO, Counted, Path, int], Iterator[tuple[Path, int]]]
_CUTS: Mapping[Shape, _Cut] = {Shape.CSV: _csv_parts, Shape.PARQUET: _parquet_parts}
