import csv
import io
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import hour
from hypothesis import given
from hypothesis import strategies as st

from metering.period import Period
from metering.query.answer import (
    FIGURES,
    Format,
    Page,
    Row,
    csv_texts,
    format_of,
    parquet,
    row_document,
    total,
)
from metering.query.page import Cursor, CursorError
from metering.query.question import (
    Granularity,
    PartHourDaysError,
    PartHourError,
    Question,
    RepeatedDimensionError,
    stretches,
)
from metering.report import UnknownDimensionError

OCTOBER = Period(hour("2026-09-30T16"), hour("2026-10-31T16"))
BY_DAY = Question(OCTOBER, ("hour", "model"), Granularity.DAY)
ROWS = [
    Row((hour("2026-09-30T16"), hour("2026-09-30T17"), "=1+1"), tuple(range(1, 9))),
    Row((hour("2026-10-01T16"), hour("2026-10-01T17"), "模型"), (2**40,) * 8),
]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"by": ("colour",)}, UnknownDimensionError),
        ({"by": ("model", "model")}, RepeatedDimensionError),
        ({"zone": "Asia/Kolkata"}, PartHourDaysError),
        ({"zone": "Australia/Lord_Howe"}, PartHourDaysError),
        (
            {"period": Period(OCTOBER.start, datetime(2026, 10, 1, 0, 30, tzinfo=UTC))},
            PartHourError,
        ),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(
    wrong: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"usage (is|must)"):
        Question(**{"period": OCTOBER, "by": (), **wrong})


def test_starts_are_told_by_the_clock_of_the_zone_and_hours_in_utc() -> None:
    assert BY_DAY.shown(ROWS[0].key) == (
        "2026-10-01T00:00:00+08:00",
        "2026-09-30T17:00:00+00:00",
        "=1+1",
    )


@given(
    first=st.integers(0, 20_000),
    length=st.integers(0, 5000),
    zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/Santiago", "UTC"]),
    granularity=st.sampled_from([Granularity.DAY, Granularity.MONTH]),
)
def test_stretches_follow_one_another_and_hold_every_hour(
    first: int, length: int, zone: str, granularity: Granularity
) -> None:
    hours = [datetime.fromtimestamp(1_700_000_000 // 3600 * 3600 + n * 3600, UTC)
             for n in (first, first + length)]  # fmt: skip
    cut = list(stretches(Period(*hours), granularity, zone))

    assert all(one.end == other.start for one, other in pairwise(cut))
    assert all(one.start < one.end for one in cut)
    assert not length or cut[0].start <= hours[0] < hours[1] <= cut[-1].end
    assert length or cut == []


@given(
    after=st.lists(st.one_of(st.text(max_size=5), st.integers())).map(tuple),
    run=st.integers(0, 2**40),
)
def test_a_cursor_comes_back_as_it_was(after: tuple[str | int, ...], run: int) -> None:
    assert Cursor.parse(Cursor(after, run).text(BY_DAY), BY_DAY) == Cursor(after, run)


OTHER = Question(OCTOBER, ())


@pytest.mark.parametrize(
    "text", ["", "x", "é", "e30", "W10", "WyIiLDEsW11d", Cursor(("a",)).text(OTHER)]
)
def test_a_cursor_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(CursorError, match="answer to the same question"):
        Cursor.parse(text, BY_DAY)


def test_csv_has_a_header_and_no_formula() -> None:
    pages = [Page(ROWS[:1], 1, has_more=False), Page(ROWS[1:], 1, has_more=False)]
    text = "".join(csv_texts(BY_DAY, pages))

    header, first, second = csv.reader(io.StringIO(text))
    assert tuple(header) == ("start", "hour", "model", *FIGURES)
    assert first[2] == "'=1+1"
    assert second == [*BY_DAY.shown(ROWS[1].key), *["1099511627776"] * 8]


def test_parquet_has_types_and_the_same_rows() -> None:
    pages = [Page(ROWS[:1], 1, has_more=False), Page(ROWS[1:], 1, has_more=False)]
    table = pq.read_table(io.BytesIO(parquet(BY_DAY, pages)))

    assert table.schema.field("start").type == pa.timestamp("us", "UTC")
    assert table.schema.field("model").type == pa.string()
    assert table.schema.field("requests").type == pa.int64()
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        (*row.key, *row.figures) for row in ROWS
    ]


def test_parquet_of_nothing_has_its_columns() -> None:
    table = pq.read_table(io.BytesIO(parquet(BY_DAY, [Page([], 0, has_more=False)])))

    assert table.num_rows == 0
    assert table.column_names == ["start", "hour", "model", *FIGURES]


def test_rows_add_up_to_their_total() -> None:
    assert total(ROWS)[0] == 2**40 + 1
    assert row_document(BY_DAY, ROWS[0])["reasoning_tokens"] == 8


@pytest.mark.parametrize(
    ("asked", "accept", "written"),
    [
        (None, "", Format.JSON),
        (None, "*/*", Format.JSON),
        (None, "text/html, text/csv", Format.CSV),
        (None, "application/vnd.apache.parquet", Format.PARQUET),
        (Format.JSON, "text/csv", Format.JSON),
    ],
)
def test_the_parameter_goes_before_the_accept_header(
    asked: Format | None, accept: str, written: Format
) -> None:
    assert format_of(asked, accept) is written
