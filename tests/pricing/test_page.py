"""Lists in pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.page import NoSuchRowError, page_of


@given(rows=st.lists(st.text(min_size=1), unique=True), limit=st.integers(1, 5))
def test_pages_one_after_the_other_are_the_list(rows: list[str], limit: int) -> None:
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = page_of(rows, str, after, limit)
        assert len(page.rows) <= limit
        found += page.rows
        after = page.next

    assert found == rows


def test_a_place_that_the_list_does_not_have_is_refused() -> None:
    with pytest.raises(NoSuchRowError, match="found 'z'"):
        page_of(["a"], str, "z", 1)
