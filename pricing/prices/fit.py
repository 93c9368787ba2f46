"""Whether a book fits the usage that is measured."""

from collections.abc import Sequence

from pricing.prices.book import PriceBook


def band_warnings(book: PriceBook, bounds: Sequence[int]) -> list[str]:
    """Return a sentence where a book's context bands are not those that requests are put in.

    Usage of a band that the book does not price blocks the bill. A book without bands prices
    requests of any length, so it fits all.

    >>> from pricing.prices.store import shipped_book
    >>> band_warnings(shipped_book("polardb-2026"), (32_000,))
    []
    """
    priced, measured = set(book.bands) - {0}, set(bounds) - {0}
    if not book.bands or priced == measured:
        return []
    required = ",".join(map(str, sorted(priced)))
    found = ",".join(map(str, sorted(measured))) or "none"
    must = f"TALLYSTICK_CONTEXT_BANDS must be {required} for the bands of book {book.name}"
    return [f"{must}, found {found}: requests of other bands have no price"]
