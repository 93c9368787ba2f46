"""Lists that are read whole, page by page."""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

Row = TypeVar("Row")


class Page(NamedTuple, Generic[Row]):
    """Some rows of a list, and where the next page begins."""

    rows: Sequence[Row]
    next: str | None
    """The id of the last row, where more follow."""


def page_of(rows: Sequence[Row], id_of: Callable[[Row], str], after: str, limit: int) -> Page[Row]:
    """Return at most so many rows of a list, from the one after an id; from the first where empty.

    >>> page_of(["a", "b", "c"], str, "a", 1)
    Page(rows=['b'], next='b')

    Raises:
        NoSuchRowError: no row of the list has the id.
    """
    ids = [id_of(row) for row in rows]
    if after and after not in ids:
        raise NoSuchRowError(after)
    start = ids.index(after) + 1 if after else 0
    end = start + limit
    return Page(rows[start:end], ids[end - 1] if end < len(ids) else None)


class NoSuchRowError(ValueError):
    """A place in a list that it does not have."""

    field = "after"

    def __init__(self, after: str) -> None:
        super().__init__(f"after must be the next of a page of the same list, found {after!r}")
