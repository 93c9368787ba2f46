"""Books written down for a test: the small book, with lines added to its header."""

from pricing.prices.book import PriceBook
from pricing.prices.file import parse_book
from tests.pricing.month_notation import SMALL_BOOK

BANDED = "bands: [0, 32000]\n"


def files_with(header: str = "", rates: str = "", **tables: str) -> dict[str, str]:
    """Return the small book's files with a header, rates and tables added: ``more='item,...'``."""
    text = SMALL_BOOK["book.yaml"] + header
    if tables:
        text += f"tables: [{', '.join(f'{name}.csv' for name in tables)}]\n"
    if rates:
        text += "rates:\n" + "".join(f"  - {line.strip()}\n" for line in rates.strip().splitlines())
    return SMALL_BOOK | {"book.yaml": text} | {f"{k}.csv": v for k, v in tables.items()}


def book_with(header: str = "", rates: str = "", **tables: str) -> PriceBook:
    """Return the small book with a header, rates and tables added."""
    return parse_book(files_with(header, rates, **tables))
